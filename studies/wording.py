"""How things are said to people."""

import re
from collections.abc import Mapping


def without_password(word: str) -> str:
    """A word of a command line; where it holds a URL with a password, that is `***`."""
    # Up to the last "@", as people forget to write one in a password as %40.
    word = re.sub(r"(?s)(?<=://)([^:/@]*):.*(?=@)", r"\1:***", word)
    return re.sub(r"(?si)(?<=[?&])(\w*password)=[^&]*", r"\1=***", word)


def cell_text(parameters: Mapping[str, float | None]) -> str:
    """A cell's parameters: `learning_rate 0.005, batch_size 32`."""
    return ", ".join(
        f"{name} {parameters[name]:g}"
        for name in ("learning_rate", "batch_size", "alpha", "seed")
        if parameters.get(name) is not None
    )


def plus_minus(mean: float, deviation: float | None, digits: int) -> str:
    """A mean and its standard deviation, where there is one: `0.905 ± 0.014`."""
    tail = "" if deviation is None else f" ± {deviation:.{digits}f}"
    return f"{mean:.{digits}f}{tail}"


def duration(seconds: float) -> str:
    """A time span as one reads it: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
