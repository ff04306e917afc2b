"""Markdown that shows text from stores and files as it is, whatever stands in it.

Names of machines, words of parameters and the like may hold anything, such as a picture of another
site. Notes and reports are put together here, and what is not `Markdown` is escaped on its way in.
"""

import re
from collections.abc import Iterable, Sequence

_SPECIAL = re.compile(
    # Intervals, `[+0.025, +0.037]`, are no links, and stay readable.
    r"(?P<kept>\[[+-]?[\d.]+, [+-]?[\d.]+\](?![(\[:]))"
    # Underscores within a word mean nothing.
    r"|[&<`*\\\[\]|~$#]|(?<![^\W_])_|_(?![^\W_])"
    # Readers of GitHub's dialect make links of these, so something invisible parts them.
    r"|(?P<link>(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=@))",
    re.IGNORECASE,
)
_NAMED = {"&": "&amp;", "<": "&lt;"}
_BOLD = re.compile(r"(⚠ )?\*\*(.+?)\*\*", re.DOTALL)


class Markdown(str):
    """Text whose marks are meant; in any other they are escaped."""


def escaped(text: str) -> Markdown:
    """Return Markdown, on one line, that shows a text as it is."""
    return Markdown(_SPECIAL.sub(_entity, " ".join(text.splitlines())))


def _entity(match: re.Match[str]) -> str:
    if match["kept"]:
        return match["kept"]
    # A word joiner.
    return _NAMED.get(match[0]) or f"&#{ord(match[0] or chr(0x2060))};"


def paragraph(text: str) -> Markdown:
    """Return text as Markdown; `# ` in front makes it a title, as do `**` around how it begins."""
    if isinstance(text, Markdown):
        return text
    title, bold = re.match("#+ ", text), _BOLD.match(text)
    if title:
        return Markdown(title[0] + escaped(text[title.end() :]))
    if bold:
        return Markdown(f"{bold[1] or ''}**{escaped(bold[2])}**{escaped(text[bold.end() :])}")
    return escaped(text)


def bullets(sentences: Iterable[str]) -> Markdown:
    """Return a list of sentences."""
    return Markdown("\n".join(f"- {paragraph(sentence)}" for sentence in sentences))


def document(paragraphs: Iterable[str]) -> str:
    """Return paragraphs one after the other."""
    return "\n\n".join(map(paragraph, paragraphs))


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], gap: str = " | ") -> Markdown:
    """Return a table, its first column to the left and all others to the right."""
    lines = []
    for line in (titles, *rows):
        cells = (cell if isinstance(cell, Markdown) else escaped(str(cell)) for cell in line)
        lines.append(f"| {gap.join(cells)} |")
    lines.insert(1, f"|---{'|---:' * (len(titles) - 1)}|")
    return Markdown("\n".join(lines))
