"""How a parameter goes on beyond the values of its grid."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from itertools import cycle, pairwise

from storage.trainings import Value
from studies.display.errors import UsageError

DIGITS = 12
"""Significant digits of a new value: 0.05, not 0.050000000000000003."""

MOST_WHOLE = 2**53
"""The largest whole number that Optuna and SQLite keep exactly."""


@dataclass(frozen=True)
class Beyond:
    """How a parameter goes on: by a factor or by a step, else as its values do; with its bounds.

    `Beyond(factor=2, least=1)`. Raises UsageError.
    """

    factor: float | None = None
    step: float | None = None
    least: float | None = None
    most: float | None = None

    def __post_init__(self) -> None:
        for number in astuple(self):
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if number is not None and not (is_number and math.isfinite(number)):
                raise UsageError(f"Beyond takes finite numbers, not {number!r}")
        if self.factor is not None and self.step is not None:
            raise UsageError("a parameter goes on by a factor or by a step, not by both")
        if self.factor is not None and self.factor <= 1:
            raise UsageError(f"the factor of Beyond must be above 1, not {self.factor}")
        if self.step is not None and self.step <= 0:
            raise UsageError(f"the step of Beyond must be above 0, not {self.step}")


def values_beyond(values: Sequence[Value], upwards: bool, rule: Beyond) -> Iterator[Value]:
    """Yield the values that follow those of a grid, outwards; none for words or a single value.

    Whole numbers stay whole, positive ones positive, and none goes below zero unless the grid or a
    bound does.
    """
    numbers = sorted(value for value in values if not isinstance(value, str))
    if len(numbers) < max(2, len(values)):
        return
    is_whole = all(isinstance(number, int) for number in numbers)
    factors, steps = _pattern(numbers if upwards else numbers[::-1], rule)
    value = float(numbers[-1] if upwards else numbers[0])
    for change in cycle(factors or steps):
        if factors:
            following = value * change if upwards else value / change
        else:
            following = value + change if upwards else value - change
        if is_whole and math.isfinite(following):
            following = round(following)
        else:
            following = float(f"{following:.{DIGITS}g}")
        if following == value or not _is_within(following, numbers[0], rule):
            return
        if is_whole and abs(following) > MOST_WHOLE:
            return
        yield int(following) if is_whole else following
        value = following


def _is_within(value: float, least: float, rule: Beyond) -> bool:
    """Return whether a value keeps the bounds: those of the rule, else the sign of the least."""
    if rule.least is not None:
        is_above = value >= rule.least
    else:
        is_above = least < 0 or value > 0 or value == least
    return is_above and math.isfinite(value) and (rule.most is None or value <= rule.most)


def _pattern(outwards: Sequence[float], rule: Beyond) -> tuple[list[float], list[float]]:
    """Return the factors, or else the steps, by which numbers go on beyond the last; all above 0.

    They repeat, in this order. Numbers are given from one end of the grid to the other.
    """
    if rule.factor is not None:
        return [rule.factor], []
    steps = [abs(after - before) for before, after in pairwise(outwards)]
    if rule.step is not None:
        return [], [rule.step]
    is_even = all(math.isclose(step, steps[0], rel_tol=1e-6) for step in steps)
    is_positive = min(outwards) > 0
    if is_even and not (is_positive and len(outwards) == 2):
        return [], steps[:1]
    if not is_positive and min(outwards) == outwards[0] == 0:
        # Such as a weight decay of 0, 1e-4, 1e-3: the others are a series.
        return _pattern(outwards[1:], rule)
    if not is_positive:
        return [], steps[-1:]
    ratios = [max(pair) / min(pair) for pair in pairwise(outwards)]
    return _repeating(ratios), []


def _repeating(ratios: Sequence[float]) -> list[float]:
    """Return the last ratios that repeat; the last one where none do.

    Those that make a decade come before shorter ones: 1, 2, 5, 10 goes on with 20, 50, 100.
    """
    count = len(ratios)
    periods = [
        period
        for period in range(1, count + 1)
        if all(
            math.isclose(ratio, later, rel_tol=1e-6)
            for ratio, later in zip(ratios, ratios[period:], strict=False)
        )
    ]
    decades = [period for period in periods if _is_decade(math.prod(ratios[count - period :]))]
    period = periods[0] if periods[0] == 1 or not decades else decades[0]
    return list(ratios[count - period :]) if period < count or decades else list(ratios[-1:])


def _is_decade(ratio: float) -> bool:
    """Return whether a ratio is 10, or a power of it."""
    power = math.log10(ratio)
    return round(power) >= 1 and math.isclose(power, round(power), abs_tol=1e-6)
