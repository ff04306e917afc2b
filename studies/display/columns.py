"""Tables of aligned columns, in as many parts as the terminal's width asks for."""

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from textwrap import wrap

Column = tuple[str, Sequence[str]]
"""A title, and its cells."""

LONGEST_LINE = 100
"""Characters of a line of text; longer ones are hard to read."""

GAP = "  "


def line_width() -> int | None:
    """Return the width of the terminal that output goes to; None where it goes to a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def paragraph(text: str, width: int | None) -> list[str]:
    """Return the lines of a text for a terminal of some width; commands in it stay whole."""
    most = min(LONGEST_LINE, width or LONGEST_LINE)
    return wrap(text, most, break_long_words=False, break_on_hyphens=False)


def aligned(
    words: Sequence[Column], numbers: Iterable[Sequence[Column]], width: int | None = None
) -> Iterator[str]:
    """Yield the lines of a table: titles with their columns, words to the left, numbers right.

    Where it is wider than `width`, the numbers that do not fit follow in further tables, each with
    the words again; the columns of a group of numbers stay together if they fit.
    """
    # Rich takes as long for hundreds of lines as all else together.
    left = [_justified(column, str.ljust) for column in words]
    groups = [[_justified(column, str.rjust) for column in group] for group in numbers]
    tables = [left]
    for group in groups:
        is_whole = width is None or _width([*left, *group]) <= width
        for part in [group] if is_whole else [[column] for column in group]:
            is_full = width is not None and _width([*tables[-1], *part]) > width
            if is_full and len(tables[-1]) > len(left):
                tables.append(left)
            tables[-1] = [*tables[-1], *part]
    for number, table in enumerate(tables):
        if number:
            yield ""
        yield from (GAP.join(line).rstrip() for line in zip(*table, strict=True))


def _justified(column: Column, justify: Callable[[str, int], str]) -> list[str]:
    cells = [column[0], *column[1]]
    width = max(map(len, cells))
    return [justify(cell, width) for cell in cells]


def _width(table: Sequence[Sequence[str]]) -> int:
    """Return how wide a table of justified columns is."""
    return sum(len(column[0]) for column in table) + len(GAP) * (len(table) - 1)
