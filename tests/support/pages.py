"""The README and the manual, taken apart: prose, code, commands, links, tables."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in a language."""
    return [code for name, code in _FENCE.findall(page.read_text()) if name == language]


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", page.read_text())


def spans(page: Path) -> list[str]:
    """The pieces of code in a page's text."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def commands() -> list[list[str]]:
    """The arguments of each `python -m` that a page shows, in sh or in its text, each once."""
    shown = set[tuple[str, ...]]()
    for page in PAGES:
        lines = [line for code in blocks(page, "sh") for line in code.splitlines()]
        for line in (*lines, *spans(page)):
            if line.startswith("python -m "):
                shown.add(tuple(shlex.split(line, comments=True)[2:]))
    return sorted(map(list, shown))


def examples() -> dict[str, str]:
    """The Python files that pages show, by the name in their first line; each once."""
    files = {}
    for page in PAGES:
        for code in blocks(page, "python"):
            (name,) = re.findall(r"\A# (\w+\.py)", code)
            # An example may be shown twice, with other words behind its name.
            body = code.partition("\n")[2].strip()
            assert files.setdefault(name, body) == body, name
    return files


def links(page: Path) -> list[str]:
    """What a page links to or shows, but for other sites."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in targets if "://" not in target]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(page: Path, title: str) -> Iterator[list[str]]:
    """The rows of the table of a page whose first column has this title."""
    lines = prose(page).splitlines()
    (start,) = (number for number, line in enumerate(lines) if line.startswith(f"| {title} |"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield re.split(r" *\| *", line)[1:-1]
