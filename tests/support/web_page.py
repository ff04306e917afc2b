"""Pages taken apart."""

from collections import Counter
from html.parser import HTMLParser


class Html(HTMLParser):
    """The elements of a page, its links, its attributes, and the text of its tables' cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text = Counter[str](), ""
        self.attributes: list[tuple[str, str]] = []
        self._rows: list[list[str]] = []
        self._is_in_cell = False
        self.feed(page)
        self.close()

    @property
    def links(self) -> list[str]:
        return [value for name, value in self.attributes if name == "href"]

    @property
    def rows(self) -> list[list[str]]:
        return [[" ".join(cell.split()) for cell in row] for row in self._rows]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self._rows.append([])
        if tag == "p" and self._is_in_cell:
            self._rows[-1][-1] += " "
        if tag in ("td", "th"):
            self._rows[-1].append("")
            self._is_in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._is_in_cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._is_in_cell:
            self._rows[-1][-1] += data
