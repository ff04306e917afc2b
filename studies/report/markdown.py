"""Markdown: tables, and numbers as they are written in them."""

from collections.abc import Iterable, Sequence

from studies.report.statistics import Estimate, Gap


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers."""
    lines = [f"| {' | '.join(map(escaped, cells))} |" for cells in (titles, *rows)]
    lines.insert(1, f"|---{'|---:' * (len(titles) - 1)}|")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Text as it is: names of machines and experiments may hold anything."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), ("|", "&#124;")):
        text = text.replace(character, entity)
    return text


def folded(title: str, content: str) -> str:
    """A part that is shown when its title is chosen."""
    return f"<details>\n<summary>{title}</summary>\n\n{content}\n\n</details>"


def picture(text: str, name: str) -> str:
    """The figure in a file beside the report."""
    return f"![{text}]({name})"


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))


def estimate(value: Estimate | None) -> str:
    """A difference `+0.031 [+0.025, +0.037]`, or a ratio `x1.40 [1.31, 1.52]`."""
    if value is None:
        return "-"
    is_ratio = value.neutral == 1.0
    text = f"×{value.value:.2f}" if is_ratio else f"{value.value:+.3f}"
    if value.low is None or value.high is None:
        return text
    low, high = (f"{end:.2f}" if is_ratio else f"{end:+.3f}" for end in (value.low, value.high))
    return f"{text} [{low}, {high}]"


def probability(value: float | None) -> str:
    """A p-value."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def gap(value: Gap) -> str:
    """A difference with its standard error, where there is one: `+0.004 ± 0.002`."""
    return f"{value.value:+.4f}" + ("" if value.error is None else f" ± {value.error:.4f}")


def parameters(learning_rate: float, batch_size: int, alpha: float | None) -> str:
    """A cell in few words: `0.001, 16, 0.7`."""
    text = f"{learning_rate:g}, {batch_size}"
    return text if alpha is None else f"{text}, {alpha:g}"


def spoken(sentence: str) -> str:
    """A sentence for a terminal, without its marks."""
    return sentence.replace("**", "")
