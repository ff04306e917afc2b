"""Whatever a text holds, readers of Markdown show just that text."""

import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from studies.display.markdown import Markdown, bullets, document, escaped, paragraph, table
from tests.support.hostile import WORDS

LINKED = re.compile(r"https?://|ftp://|\bwww\.|[-.\w+]@[-\w]", re.IGNORECASE)
"""What readers of GitHub's dialect take for a link in plain text: also that of the dashboard."""


def shown(markdown: str) -> list[Token]:
    """The pieces of the text of a document."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [piece for block in parser.parse(markdown) for piece in block.children or [block]]


def texts(markdown: str) -> Iterator[str]:
    for piece in shown(markdown):
        if piece.content:
            assert piece.type == "text", markdown
            assert not LINKED.search(piece.content), markdown
            yield piece.content.replace("\u2060", "")


@pytest.mark.parametrize("word", WORDS)
def test_any_word_is_shown_as_it_is(word: str) -> None:
    line = " ".join(word.splitlines())
    assert "".join(texts(f"a {escaped(word)} b")) == f"a {line} b"
    assert "".join(texts(paragraph(f"# a {word}"))) == f"a {line}"
    bold = "".join(texts(paragraph(f"**a {word} b**: {word} c")))
    # Asterisks of its own may end what is bold, and then show.
    assert bold.replace("**", "") == f"a {line} b: {line} c".replace("**", "")
    assert list(texts(table(["a", f"b {word} c"], [[f"d {word} e", 1]]))) == [
        "a", f"b {line} c", f"d {line} e", "1",
    ]  # fmt: skip
    (opening, *_, closing) = shown(f"[a {escaped(word)} b](/dashboard)")[1:-1]
    assert (opening.type, closing.type) == ("link_open", "link_close")
    assert opening.attrs["href"] == "/dashboard"


def test_what_needs_no_mark_stays_readable() -> None:
    text = "learning_rate 0.001: +0.031 [+0.025, +0.037], ×1.40 [1.31, 1.52] (p = 0.002); 50%"
    assert escaped(text) == text


def test_a_document_keeps_the_marks_that_are_meant() -> None:
    assert document(
        ["## A_ b", "**c** *d*", "⚠ **e** f", Markdown("*g*"), bullets(["**h** *i*"])]
    ) == ("## A&#95; b\n\n**c** &#42;d&#42;\n\n⚠ **e** f\n\n*g*\n\n- **h** &#42;i&#42;")
    assert table(("model", "mean"), [("MLP", 0.8)]) == (
        "| model | mean |\n|---|---:|\n| MLP | 0.8 |"
    )
