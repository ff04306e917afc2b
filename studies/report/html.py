"""From Markdown to one HTML file that needs nothing beside it."""

import base64
from collections.abc import Mapping
from html import escape

from markdown_it import MarkdownIt

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
ul { padding-left: 1.2rem; }
summary { cursor: pointer; margin: 0.3rem 0; font-weight: 600; }
"""


def html_page(markdown: str, title: str, pictures: Mapping[str, bytes]) -> bytes:
    """Render Markdown as a page that holds its pictures, PNG files by the names in the text."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    for token in (child for each in tokens for child in each.children or ()):
        name = str(token.attrs.get("src"))
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
