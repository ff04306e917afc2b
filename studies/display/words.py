"""Numbers, time spans, cells and names as people read them."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from storage.rows import LEAST_TIMINGS, ModelResult
from storage.trainings import Value


def value_text(value: Value) -> str:
    """Return a parameter's value: a word or an integer as it is, another number in short."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def cell_text(parameters: Mapping[str, Value | None]) -> str:
    """Return a cell's parameters without those it lacks: `depth 4, rate 0.005, kernel rbf`."""
    return ", ".join(
        f"{name} {value_text(value)}" for name, value in parameters.items() if value is not None
    )


def number_text(value: float, digits: int) -> str:
    """Return a number with so many decimals, or so many digits where it is too small for them."""
    return f"{value:.{digits}g}" if _is_small(value, digits) else fixed(value, digits)


EXACT = 1e15
"""From here on decimals mean nothing: such numbers, and infinity, are written with three digits."""


def fixed(value: float, digits: int, sign: str = "") -> str:
    """Return a number with so many decimals, with its sign in any case where `sign` is "+".

    Halves are rounded away from zero: means of ten accuracies often are halves, and what they are
    in binary decides nothing.
    """
    value = float(value)
    if not abs(value) < EXACT:
        return f"{value:{sign}.3g}"
    place = Decimal(1).scaleb(-digits)
    rounded = Decimal(repr(round(value, digits + 6))).quantize(place, ROUND_HALF_UP)
    return f"{rounded or abs(rounded):{sign}f}"


def plus_minus(mean: float, deviation: float | None, digits: int) -> str:
    """Return a mean and, where there is one, its standard deviation: `0.905 ± 0.014`."""
    if deviation is None:
        return number_text(mean, digits)
    is_small = _is_small(mean, digits)
    spread = f"{deviation:.{digits}g}" if is_small else fixed(deviation, digits)
    return f"{number_text(mean, digits)} ± {spread}"


def _is_small(value: float, digits: int) -> bool:
    return bool(0 < abs(value) < 10 ** (1 - digits))


def measured_figures(result: ModelResult | None) -> tuple[str, str]:
    """Return what reruns gave: the objective and the seconds, or why there are none."""
    if result is None:
        return "", ""
    return plus_minus(result.mean, result.deviation, 3), seconds_text(result)


def seconds_text(result: ModelResult) -> str:
    """Return the seconds of reruns: `3.79 ± 0.02`, or `2 of 10 undisturbed`; empty for none."""
    if result.has_too_few_timings:
        return f"{result.timed} of {result.timed + result.disturbed} undisturbed"
    return _figure(result.mean_seconds, result.deviation_seconds, 2)


def timing_remarks(results: Sequence[ModelResult]) -> list[str]:
    """Return sentences on timings that were disturbed, and on those of which nobody knows."""
    disturbed = [result for result in results if result.disturbed]
    unknown = [result for result in results if result.unknown and result.mean_seconds is not None]
    too_few = list(
        dict.fromkeys(result.model for result in disturbed if result.has_too_few_timings)
    )
    others = [
        f"{result.disturbed} of {result.timed + result.disturbed} ({result.model})"
        for result in disturbed
        if not result.has_too_few_timings
    ]
    sentences = []
    if too_few:
        sentences.append(
            f"No seconds are shown of {listed(too_few)}: other programs used the processors during "
            f"the timings, and fewer than {LEAST_TIMINGS} were undisturbed."
        )
    if others:
        sentences.append(
            "Seconds are means of undisturbed timings; left out, as other programs used the "
            f"processors, are {listed(others)}."
        )
    if unknown:
        names = listed(list(dict.fromkeys(result.model for result in unknown)))
        sentences.append(
            f"It is not known whether other programs disturbed the timings of {names}."
        )
    return sentences


def published_figures(known: Mapping[str, Any]) -> tuple[str, str]:
    """Return what is published of a model: the objective and the seconds."""
    return (
        _figure(known.get("mean"), known.get("deviation"), 3),
        _figure(known.get("seconds"), known.get("seconds_deviation"), 1),
    )


def _figure(mean: float | None, deviation: float | None, digits: int) -> str:
    return "" if mean is None else plus_minus(mean, deviation, digits)


def duration(seconds: float) -> str:
    """Return a time span in a unit that suits its length: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def number_range(numbers: Sequence[int]) -> str:
    """Return `10`, or `8 to 10` where numbers differ."""
    least, most = min(numbers), max(numbers)
    return str(most) if least == most else f"{least} to {most}"


def listed(items: Sequence[str]) -> str:
    """Return items as in a sentence: `a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def without_password(word: str) -> str:
    """Return a word of a command line, with `***` for the password of a URL in it."""
    # Up to the last "@", as people forget to write one in a password as %40.
    word = re.sub(r"(?s)(?<=://)([^:/@]*):.*(?=@)", r"\1:***", word)
    return re.sub(r"(?si)(?<=[?&])(\w*password)=[^&]*", r"\1=***", word)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean X?` with the known name nearest to `name`; nothing if none is known."""
    lower = {known_name.lower(): known_name for known_name in known}
    nearest = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0)
    return f"did you mean {lower[nearest[0]]}?" if nearest else ""


def edges(grid: Mapping[str, Sequence[Value]], parameters: Mapping[str, Value]) -> Iterator[str]:
    """Yield each parameter whose value is the last of its grid: a better one may lie beyond."""
    for name, values in grid.items():
        value = parameters.get(name)
        numbers = [number for number in values if not isinstance(number, str)]
        if len(values) < 2 or len(numbers) < len(values) or value not in numbers:
            continue
        if value == max(numbers):
            yield f"{name} {value_text(value)} is the largest"
        # Nothing lies beyond zero.
        elif value == min(numbers) != 0:
            yield f"{name} {value_text(value)} is the smallest"
