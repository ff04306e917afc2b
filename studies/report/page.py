"""Markdown and the page made of it: tables, figures, and the files."""

import base64
import errno
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from studies.display import markdown
from studies.display.errors import UsageError
from studies.display.markdown import Markdown, document, escaped
from studies.figures import Format, file_name, picture, png

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.25rem; margin-top: 2.2rem; }
img { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; overflow-wrap: normal; }
th { border-bottom: 2px solid #888; vertical-align: bottom; }
td { white-space: nowrap; }
@media (max-width: 40rem) { td:first-child { white-space: normal; min-width: 8rem; } }
@media (min-width: 64rem) {
  /* A table may be wider than the text, and remarks, which come last, take more lines. */
  .scroll { min-width: 100%; width: max-content; max-width: calc(100vw - 4rem);
    position: relative; left: 50%; transform: translateX(-50%); }
  td:last-child { white-space: normal; }
  table:has(th:nth-child(13)) { font-size: 0.8rem; }
  table:has(th:nth-child(13)) td, table:has(th:nth-child(13)) th { padding: 0.25rem 0.3rem; }
}
@media print { table { font-size: 0.6rem; } th, td { padding: 0.2rem; white-space: normal; } }
ul { padding-left: 1.2rem; }
summary { cursor: pointer; margin: 0.3rem 0; font-weight: 600; }
"""


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """Return a table of text, then numbers; what is not known, None, is shown as `-`."""
    return markdown.table(titles, map(_texts, rows))


def table_of_known(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> Markdown:
    """Return a table without the columns in which every place is empty, `-`."""
    columns = zip(titles, *map(_texts, rows), strict=True)
    known = [column for column in columns if set(column[1:]) != {"-"}]
    titles, *rows = zip(*known, strict=True)
    return table(titles, rows)


def _texts(row: Sequence[object]) -> list[str]:
    return ["-" if cell is None else str(cell) for cell in row]


def folded(title: str, content: Iterable[str]) -> Markdown:
    """Return paragraphs that are shown when their title is chosen."""
    return Markdown(
        f"<details>\n<summary>{escaped(title)}</summary>\n\n{document(content)}\n\n</details>"
    )


class Pictures(dict[str, bytes]):
    """The figures of a report, PNG files by the names in its text, and beside them as `format`."""

    def __init__(self, format: Format = "png") -> None:
        super().__init__()
        self._format = format

    def shown(self, text: str, name: str, figure: Figure) -> Markdown:
        """Keep a figure; return what shows it in the text."""
        file = f"figures/{file_name(name)}"
        self[file] = png(figure)
        if self._format != "png":
            self[f"{file.removesuffix('.png')}.{self._format}"] = picture(figure, self._format)
        return Markdown(f"![{escaped(text)}]({file})")


def without_marks(sentence: str) -> str:
    """Return a sentence for a terminal."""
    return sentence.replace("**", "")


def html_page(text: str, title: str, pictures: Mapping[str, bytes]) -> bytes:
    """Render Markdown as a page that holds its pictures."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(text)
    for token in (child for block in tokens for child in block.children or ()):
        name = unquote(str(token.attrs.get("src")))
        if token.type == "image" and name in pictures:
            data = base64.b64encode(pictures[name]).decode()
            token.attrs["src"] = f"data:image/png;base64,{data}"
    body = parser.renderer.render(tokens, parser.options, {})
    # A wide table scrolls by itself; the page stays as wide as the phone.
    body = body.replace("<table>", '<div class="scroll"><table>')
    body = body.replace("</table>", "</table></div>")
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><title>{escape(title)}</title><style>{STYLE}</style>'
    )
    page = f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}</body></html>\n'
    return page.encode()


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, made if missing, in place of those of the same names.

    What else lies there stays. Raises UsageError where they cannot be written: none is then.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # On the same disk, so that a file is there at once or not at all.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
            for name, content in files.items():
                path = Path(unfinished) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            # All that can be in the way is looked for before the first file is replaced.
            for name in files:
                if (folder / name).is_dir():
                    raise IsADirectoryError(errno.EISDIR, f"{name} is a folder")
            for name in files:
                (folder / name).parent.mkdir(exist_ok=True)
            for name in files:
                (Path(unfinished) / name).replace(folder / name)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder} ({error.strerror}): "
            "name another folder with --out"
        ) from None
