"""Estimates with their intervals, and tests: plain arrays in, plain values out.

A sample holds one measurement per seed; samples that are compared hold the same seeds in the same
order, so that they pair: a seed fixes all that is random, such as the data that both models saw.
"""

import math
import operator
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from studies.report.gaps import Summary

CONFIDENCE = 0.95
SIGNIFICANT = 0.05
RESAMPLES = 9999

EXACT = 13
"""Seeds up to which all 2**n signs are gone through, as scipy does."""

Sample = NDArray[np.float64]
"""Shape (seeds,)."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; one seed gives no interval."""

    value: float
    low: float | None
    high: float | None
    neutral: float = 0.0
    """The value that stands for no effect: 0 of a difference, 1 of a ratio."""

    @property
    def text(self) -> str:
        """The value alone: `+0.031`, or of a ratio `×1.40`."""
        return f"×{self.value:.2f}" if self.neutral else f"{self.value:+.3f}"

    def __str__(self) -> str:
        """Return `+0.031 [+0.025, +0.037]`, or of a ratio `×1.40 [1.31, 1.52]`."""
        if self.low is None or self.high is None:
            return self.text
        digits = ".2f" if self.neutral else "+.3f"
        return f"{self.text} [{self.low:{digits}}, {self.high:{digits}}]"

    @property
    def direction(self) -> int:
        """1 where the whole interval lies above no effect, -1 where below, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > self.neutral) - int(self.high < self.neutral)


def difference(samples: Sequence[Sample], weights: Sequence[int]) -> Estimate:
    """Return the weighted sum of the samples' means: weights (-1, 1) give second minus first."""
    return _estimate(samples, weights, operator.mul, np.sum, 0.0)


def ratio(samples: Sequence[Sample], weights: Sequence[int]) -> Estimate:
    """Return the product of the means' powers: weights (-1, 1) give second over first."""
    # Not np.power, which rounds the last bit otherwise.
    return _estimate(samples, weights, operator.pow, np.prod, 1.0)


def _estimate(
    samples: Sequence[Sample],
    weights: Sequence[int],
    weigh: Callable[..., Any],
    combine: Callable[..., Any],
    neutral: float,
) -> Estimate:
    """Bootstrap the seeds. The same samples give the same interval, every time."""

    def statistic(*resampled: Sample, axis: int = -1) -> NDArray[np.float64]:
        means = [np.mean(sample, axis=axis) for sample in resampled]
        weighted = [weigh(mean, weight) for mean, weight in zip(means, weights, strict=True)]
        return np.asarray(combine(weighted, axis=0))

    value = float(statistic(*samples))
    if len(samples[0]) < 2:
        return Estimate(value, None, None, neutral)
    # BCa has no answer where all seeds agree; percentiles have.
    for method in ("BCa", "percentile"):
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            low, high = stats.bootstrap(
                samples, statistic, paired=True, vectorized=True, n_resamples=RESAMPLES,
                confidence_level=CONFIDENCE, method=method, rng=np.random.default_rng(0),
            ).confidence_interval  # fmt: skip
        if math.isfinite(low) and math.isfinite(high):
            break
    return Estimate(value, float(low), float(high), neutral)


def signed_rank(one: Sample, other: Sample) -> float | None:
    """Return the two-sided p-value of Wilcoxon's signed-rank test, None for a single pair.

    Seeds that agree are left out.
    """
    # Accuracies are counts: differences that tie must not differ in their last bit.
    differences = np.round(other - one, 9)
    if len(differences) < 2:
        return None
    unequal = differences[differences != 0]
    if len(unequal) > EXACT:
        return float(stats.wilcoxon(unequal).pvalue)
    # What scipy does where differences tie, but all signs at once: a hundred times as fast.
    ranks = stats.rankdata(np.abs(unequal))
    sums = np.array(list(product((0, 1), repeat=len(unequal)))) @ ranks
    observed = np.sum(ranks[unequal > 0])
    return min(1.0, 2 * float(min(np.mean(sums >= observed), np.mean(sums <= observed))))


def welch(one: Summary, other: Summary) -> float | None:
    """Return the two-sided p-value of Welch's test on two means.

    None where a deviation is not known, or both are 0.
    """
    if (not one[1] and not other[1]) or None in (one[1], other[1]):
        return None
    return float(stats.ttest_ind_from_stats(*one, *other, equal_var=False).pvalue)


def smallest_p(seeds: int, tests: int = 1) -> float:
    """Return the least p-value that so many seeds can give, after Holm's correction."""
    return min(1.0, tests * 2.0 ** (1 - seeds))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number by Holm's method; None stays None and does not count."""
    known = [p for p in p_values if p is not None]
    corrected = iter(multipletests(known, method="holm")[1] if known else ())
    return [None if p is None else float(next(corrected)) for p in p_values]
