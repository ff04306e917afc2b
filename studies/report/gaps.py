"""Means with their deviations, and how far two of them are from each other in standard errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np

from studies.display.words import fixed

Summary = tuple[float, float | None, int]
"""A mean, its standard deviation where there is one, and the number of trainings."""


@dataclass(frozen=True)
class Gap:
    """A difference of two means, with its standard error where there is one."""

    value: float
    error: float | None

    def __str__(self) -> str:
        """Return `+0.0040 ± 0.0020`."""
        error = "" if self.error is None else f" ± {fixed(self.error, 4)}"
        return fixed(self.value, 4, "+") + error

    @property
    def in_errors(self) -> float | None:
        """The difference in standard errors; None where there is no spread to measure it by."""
        return self.value / self.error if self.error else None


def summarized(values: Sequence[float]) -> Summary:
    """Return mean, standard deviation and number of values, at least one."""
    return fmean(values), stdev(values) if len(values) > 1 else None, len(values)


def paired_gap(one: Sequence[float], other: Sequence[float]) -> Gap:
    """Return the mean of one minus the other, by seed; the error is None for a single pair."""
    differences = np.subtract(one, other)
    count = len(differences)
    error = float(np.std(differences, ddof=1)) / math.sqrt(count) if count > 1 else None
    return Gap(float(np.mean(differences)), error)


def unpaired_gap(one: Summary, other: Summary) -> Gap:
    """Return one mean minus the other."""
    (mean, deviation, count), (other_mean, other_deviation, other_count) = one, other
    if deviation is None or other_deviation is None:
        return Gap(mean - other_mean, None)
    errors = deviation / math.sqrt(count), other_deviation / math.sqrt(other_count)
    return Gap(mean - other_mean, math.hypot(*errors))
