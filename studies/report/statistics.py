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

from studies.display.words import fixed
from studies.report.gaps import Summary

CONFIDENCE = 0.95
SIGNIFICANT = 0.05

MARGIN = 0.01
"""Two fractions, such as accuracies, are called equal where they differ by less than this. It was
fixed before the results were there."""

TINY = 0.001
"""Differences that are all smaller are written with two digits, wherever these begin."""

ROUNDING = 1e-6
"""Of a fraction: what is smaller is 0, but for the rounding of floats."""

LARGEST = 700.0
"""Beyond it the exponential of a number is too large to be written as a float."""

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
        return f"×{self._written(self.value)}" if self.neutral else self._written(self.value)

    def __str__(self) -> str:
        """Return `+0.031 [+0.025, +0.037]`, or of a ratio `×1.40 [1.31, 1.52]`."""
        if self.low is None or self.high is None:
            return self.text
        return f"{self.text} [{self._written(self.low)}, {self._written(self.high)}]"

    def _written(self, value: float) -> str:
        if self.neutral:
            return fixed(value, 2)
        largest = max(abs(end) for end in (self.value, self.low, self.high) if end is not None)
        if 0 < largest < TINY:
            return f"{value:+.2g}"
        text = fixed(value, 3, "+")
        if text != "+0.000" or abs(value) < ROUNDING:
            return text
        # A value beside 0 is on its side: `-0.0003`, not `+0.000`.
        return fixed(value, -math.floor(math.log10(abs(value))), "+")

    @property
    def direction(self) -> int:
        """1 where the whole interval lies above no effect, -1 where below, else 0."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > self.neutral) - int(self.high < self.neutral)

    def is_equal(self, margin: float | None = MARGIN) -> bool:
        """Return whether the whole interval of a difference lies within a margin around 0.

        That is an equivalence test, stricter than two one-sided ones at 5%. None: no margin was
        fixed, so nothing is equal.
        """
        if self.low is None or self.high is None or margin is None:
            return False
        return -margin < self.low and self.high < margin

    def __neg__(self) -> "Estimate":
        """Return the difference the other way round."""
        low, high = (None if end is None else -end for end in (self.high, self.low))
        return Estimate(-self.value, low, high)

    def exp(self) -> "Estimate":
        """Return the exponential: a ratio, made from a difference of logarithms."""
        low, high = (None if end is None else _exp(end) for end in (self.low, self.high))
        return Estimate(_exp(self.value), low, high, 1.0)


def _exp(value: float) -> float:
    return math.exp(value) if value < LARGEST else math.inf


def estimates(samples: Sequence[Sample]) -> list[Estimate]:
    """Return the means with t intervals, which hold all at once with a probability of 95%.

    Each holds with the probability that Šidák's inequality leaves it, whatever the correlations.
    Samples may be of different seeds.
    """
    level = _level(len(samples))
    return [_estimate(np.asarray(sample), level) for sample in samples]


def unpaired(pairs: Sequence[tuple[Summary, Summary]]) -> list[Estimate]:
    """Return the differences of two means, the first minus the second, with Welch's t intervals.

    They hold all at once with a probability of 95%. A mean of one training gives no interval.
    """
    level = _level(len(pairs))
    return [_unpaired(one, other, level) for one, other in pairs]


def _level(count: int) -> float:
    """Return the level that so many intervals have, for all to hold with 95% (Šidák)."""
    return float(CONFIDENCE ** (1 / max(1, count)))


def _unpaired(one: Summary, other: Summary, level: float) -> Estimate:
    (mean, deviation, count), (other_mean, other_deviation, other_count) = one, other
    difference = mean - other_mean
    if deviation is None or other_deviation is None:
        return Estimate(difference, None, None)
    parts = deviation**2 / count, other_deviation**2 / other_count
    if not any(parts):
        return Estimate(difference, difference, difference)
    # Welch and Satterthwaite's degrees of freedom.
    freedom = sum(parts) ** 2 / (
        parts[0] ** 2 / max(1, count - 1) + parts[1] ** 2 / max(1, other_count - 1)
    )
    width = math.sqrt(sum(parts)) * float(stats.t.ppf((1 + level) / 2, freedom))
    return Estimate(difference, difference - width, difference + width)


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
    differences of a seed would be as likely to have the other sign. A sample has NaN at seeds that
    it lacks; None where it has fewer than two.
    """
    counts = np.sum(~np.isnan(samples), axis=1)
    p_values: list[float | None] = [None] * len(samples)
    tested = np.flatnonzero(counts > 1)
    if not len(tested):
        return p_values
    values = np.nan_to_num(samples[tested])
    observed = _t_values(np.ones((1, values.shape[1])), values, counts[tested])[0]
    by_chance = _t_values(_signs(values.shape[1]), values, counts[tested])
    order = np.argsort(-observed, kind="stable")
    least = 0.0
    for place, row in enumerate(order):
        largest = np.max(by_chance[:, order[place:]], axis=1)
        least = max(least, float(np.mean(largest >= observed[row] - 1e-9)))
        p_values[tested[row]] = least
    return p_values


def _t_values(
    signs: NDArray[np.float64], samples: Samples, counts: NDArray[np.int_]
) -> NDArray[np.float64]:
    """Return the sizes of the t values under signs of the seeds: shape (signs, samples).

    Samples have 0 at seeds that they lack, and `counts` of the others.
    """
    squares = np.sum(samples**2, axis=1)
    means = signs @ samples.T / counts
    variances = (squares - counts * means**2) / (counts * (counts - 1))
    # Of seeds that all agree the rounding is left, of either sign.
    floor = 1e-12 * np.where(squares > 0, squares, 1)
    return np.asarray(np.abs(means) / np.sqrt(np.maximum(variances, floor)))


def _signs(seeds: int) -> NDArray[np.float64]:
    """Return rows of signs for the seeds, a row that changes none of them included."""
    if seeds <= EXACT:
        numbers = np.arange(2**seeds)[:, None]
        return np.where(numbers >> np.arange(seeds) & 1, -1.0, 1.0)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (DRAWS, seeds))
    signs[0] = 1.0
    return np.asarray(signs)


def least_p(seeds: int) -> float:
    """Return the least p-value that the signs of so many seeds can give."""
    return min(1.0, 2.0 ** (1 - seeds))
