"""The overview as HTML: templates, filled with texts that stay texts, and what may run in it."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from studies.dashboard import overview_text
from studies.dashboard.overview import Table
from studies.display.certainty import LEGEND
from studies.experiment.stage import RERUN

_FOLDER = Path(__file__).with_name("templates")
_STYLE, _SCRIPT = ((_FOLDER / name).read_text("utf-8") for name in ("style.css", "renew.js"))

SECONDS, SECONDS_IDLE = 3, 10
"""Between two looks at the store, while a run writes it and while none does."""


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    # Nothing but this style and this script: whatever a store holds can load and run nothing.
    ("Content-Security-Policy", "; ".join((
        "default-src 'none'", f"style-src {_hash(_STYLE)}", f"script-src {_hash(_SCRIPT)}",
        "img-src data:", "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
        "frame-ancestors 'none'",
    ))),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
]  # fmt: skip

_environment = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.globals |= {"RERUN": RERUN, "LEGEND": LEGEND}
_environment.globals |= {
    name: function
    for name, function in vars(overview_text).items()
    if name.endswith(("_text", "_rows"))
}


def overview_page(place: str, tables: Sequence[Table], is_driven: bool | None) -> bytes:
    """Return the page on all experiments of the store at `place`."""
    running = sum(table.running for table in tables)
    is_running = bool(is_driven or running)
    if not tables:
        sentence = "No study has begun yet."
        return sentence_page(place, sentence, is_open=True, is_running=is_running)
    done = sum(stage.done for table in tables for stage in table.begun)
    cells = sum(max(stage.cells, stage.done) for table in tables for stage in table.begun)
    title = f"{done} of {cells} | Studies" if is_running else "Studies"
    return _page("overview.html", place, title=title, is_running=is_running, tables=tables)


def sentence_page(
    place: str, sentence: str, command: str = "", is_open: bool = False, is_running: bool = False
) -> bytes:
    """Return a page with one sentence, and perhaps a command that helps."""
    return _page(
        "sentence.html", place, title="Studies", is_open=is_open, is_running=is_running,
        sentence=sentence, command=command,
    )  # fmt: skip


def _page(template: str, place: str, is_running: bool, is_open: bool = True, **more: Any) -> bytes:
    page = _environment.get_template(template).render(
        more,
        place=place,
        is_open=is_open,
        is_running=is_running,
        state="A run is going on" if is_running else "No run is going on" if is_open else "",
        seconds=SECONDS if is_running or not is_open else SECONDS_IDLE,
        time=datetime.now().strftime("%H:%M:%S"),
        style=Markup(_STYLE),
        script=Markup(_SCRIPT),
    )
    # Texts of others may have halves of surrogate pairs.
    return page.encode("utf-8", "replace")
