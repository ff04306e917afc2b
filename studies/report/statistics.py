"""Estimates with their intervals, and tests, of measurements that pair by seed.

A sample holds one number per seed: what is compared, such as one model's accuracy minus another's.
Samples that are shown together hold the same seeds in the same order, shape (samples, seeds). Plain
arrays in, plain values out; the same samples give the same answer, every time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from studies.display.words import fixed
from studies.report.gaps import Summary

CONFIDENCE = 0.95
SIGNIFICANT = 0.05

MARGIN = 0.01
"""Two fractions, such as accuracies, are called equal where they differ by less than this. It was
fixed before the results were there."""

EXACT = 12
"""Seeds up to which all signs are gone through; of more seeds, as many as `DRAWS` are drawn."""

DRAWS = 10_000

Sample = NDArray[np.float64]
"""Shape (seeds,)."""

Samples = NDArray[np.float64]
"""Shape (samples, seeds)."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its 95% interval; one seed gives no interval."""

    value: float
    low: float | None
    high: float | None
    neutral: float = 0.0
    """The value that stands for no effect: 0 of a difference, 1 of a ratio."""

    @property
    def text(self) -> str:
        """The value alone: `+0.031`, or of a ratio `×1.40`."""
        return f"×{fixed(self.value, 2)}" if self.neutral else fixed(self.value, 3, "+")

    def __str__(self) -> str:
        """Return `+0.031 [+0.025, +0.037]`, or of a ratio `×1.40 [1.31, 1.52]`."""
        if self.low is None or self.high is None:
            return self.text
        digits, sign = (2, "") if self.neutral else (3, "+")
        return f"{self.text} [{fixed(self.low, digits, sign)}, {fixed(self.high, digits, sign)}]"

    @property
    def direction(self) -> int:
        """1 where the whole interval lies above no effect, -1 where below, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > self.neutral) - int(self.high < self.neutral)

    def is_equal(self, margin: float = MARGIN) -> bool:
        """Return whether the whole interval of a difference lies within a margin around 0.

        That is an equivalence test, stricter than two one-sided ones at 5%.
        """
        if self.low is None or self.high is None:
            return False
        return -margin < self.low and self.high < margin

    def __neg__(self) -> "Estimate":
        """Return the difference the other way round."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Estimate(-self.value, low, high)

    def exp(self) -> "Estimate":
        """Return the ratio of which this is the logarithm."""
        low, high = (None if end is None else math.exp(end) for end in (self.low, self.high))
        return Estimate(math.exp(self.value), low, high, 1.0)


def estimates(samples: Sequence[Sample]) -> list[Estimate]:
    """Return the means with t intervals, which hold all at once with a probability of 95%.

    Each holds with the probability that Šidák's inequality leaves it, whatever the correlations.
    Samples may be of different seeds.
    """
    level = CONFIDENCE ** (1 / max(1, len(samples)))
    return [_estimate(np.asarray(sample), level) for sample in samples]


def _estimate(sample: Sample, level: float) -> Estimate:
    seeds, mean = len(sample), float(np.mean(sample))
    if seeds < 2:
        return Estimate(mean, None, None)
    error = float(np.std(sample, ddof=1)) / math.sqrt(seeds)
    width = error * float(stats.t.ppf((1 + level) / 2, seeds - 1))
    return Estimate(mean, mean - width, mean + width)


def step_down(samples: Samples) -> list[float | None]:
    """Return p-values of the hypotheses that means are 0, corrected for their number.

    The step-down max-t sign-flip test (Romano and Wolf 2005): were there no difference, the
    differences of a seed would be as likely to have the other sign. None for a single seed.
    """
    count, seeds = samples.shape
    if seeds < 2:
        return [None] * count
    observed = _t_values(np.ones((1, seeds)), samples)[0]
    by_chance = _t_values(_signs(seeds), samples)
    order = np.argsort(-observed, kind="stable")
    p_values, least = [0.0] * count, 0.0
    for place, row in enumerate(order):
        largest = np.max(by_chance[:, order[place:]], axis=1)
        least = max(least, float(np.mean(largest >= observed[row] - 1e-9)))
        p_values[row] = least
    return list(p_values)


def _t_values(signs: NDArray[np.float64], samples: Samples) -> NDArray[np.float64]:
    """Return the sizes of the t values under signs of the seeds: shape (signs, samples)."""
    seeds = samples.shape[1]
    squares = np.sum(samples**2, axis=1)
    means = signs @ samples.T / seeds
    variances = (squares - seeds * means**2) / (seeds * (seeds - 1))
    # Of seeds that all agree the rounding is left, of either sign.
    floor = 1e-12 * np.where(squares > 0, squares, 1)
    return np.asarray(np.abs(means) / np.sqrt(np.maximum(variances, floor)))


def _signs(seeds: int) -> NDArray[np.float64]:
    """Return rows of signs, those that change nothing among them."""
    if seeds <= EXACT:
        numbers = np.arange(2**seeds)[:, None]
        return np.where(numbers >> np.arange(seeds) & 1, -1.0, 1.0)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, seeds))
    signs[0] = 1.0
    return np.asarray(signs)


def welch(one: Summary, other: Summary) -> float | None:
    """Return the two-sided p-value of Welch's test on two means.

    None where a deviation is not known, or both are 0.
    """
    if (not one[1] and not other[1]) or None in (one[1], other[1]):
        return None
    return float(stats.ttest_ind_from_stats(*one, *other, equal_var=False).pvalue)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number by Holm's method; None stays None and does not count."""
    known = [p for p in p_values if p is not None]
    corrected = iter(multipletests(known, method="holm")[1] if known else ())
    return [None if p is None else float(next(corrected)) for p in p_values]
