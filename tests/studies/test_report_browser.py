"""A report's page in Chromium: no column of it is clipped."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from storage.store import open_store
from studies.report import __main__ as command
from tests.studies.dashboard.test_browser import browser
from tests.support.filled import Filled, family

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIPPED = """() => [...document.querySelectorAll(".scroll")]
    .filter(each => each.clientWidth > 0 && each.scrollWidth > each.clientWidth)
    .map(each => each.innerText)"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    url = f"sqlite:///{folder / 'studies.db'}"
    with open_store(url) as store:
        # As many models as the paper's experiment has: the matrix of pairs is the widest table.
        for name in ("MLP", "CNN", "ResNet"):
            family(Filled(store), name)
    result = CliRunner().invoke(command.app, ["--storage", url, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder / "report.html"


def test_on_a_desk_all_columns_show(browser: Any, page: Path) -> None:
    shown = browser.new_page(viewport={"width": 1280, "height": 900})
    shown.goto(page.as_uri())
    assert shown.evaluate(CLIPPED) == []
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_tables_scroll_and_the_page_does_not(browser: Any, page: Path) -> None:
    shown = browser.new_page(viewport={"width": 390, "height": 844})
    shown.goto(page.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")
    style = "getComputedStyle(document.querySelector('.scroll')).overflowX"
    assert shown.evaluate(style) == "auto"
