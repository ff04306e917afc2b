"""A person's look at the overview, in Chromium, while a search runs."""

import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.studies.dashboard.test_browser import SCREENSHOTS, browser
from tests.support.standin import StandIn
from tests.support.terminal import Terminal

__all__ = ["browser"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MODELS = ("CNN", "AuxCNN", "AuxsiameseCNN")
WIDE, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    folder = tmp_path_factory.mktemp("overview")
    with closing(Terminal(folder, folder / "cache")) as terminal:
        yield terminal


@pytest.fixture(scope="module")
def address(terminal: Terminal) -> Iterator[str]:
    """That of a dashboard, begun before there is a store."""
    server = terminal.start("studies.dashboard", "--port", "0")
    with server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.send_signal(signal.SIGINT)
        rest = server.communicate(timeout=60)[0]
        assert server.returncode == 130
        assert "it waits for one" in rest
        assert "Traceback" not in rest


def pages(browser: Any, address: str, scheme: str = "light") -> Iterator[Page]:
    for width, height in (WIDE, PHONE):
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, has_touch=True
        )
        errors: list[str] = []
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        yield page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert errors == []
        page.close()


def test_it_waits_then_follows_a_run_and_keeps_the_readers_place(
    browser: Any, address: str, terminal: Terminal
) -> None:
    folder = terminal.folder / "standin"
    folder.mkdir()
    standin = StandIn(folder, seconds=0.5)
    (waiting,) = [next(views := pages(browser, address))]
    expect(waiting.get_by_text("Waiting for a store at")).to_be_visible()
    waiting.screenshot(path=SCREENSHOTS / "waiting.png")
    run = terminal.start_standin(standin, *MODELS)
    try:
        # Nobody loads the page anew.
        progress = waiting.get_by_text(re.compile(r"[1-9]\d* of 20 cells, \d+ running"))
        expect(progress.first).to_be_visible(timeout=60_000)
        expect(waiting.get_by_text("A run is going on")).to_be_visible()
        before = waiting.title()
        waiting.set_viewport_size({"width": 1280, "height": 300})
        waiting.evaluate("scrollTo(0, 120)")
        waiting.get_by_role("link", name="note of paper/CNN/lr-batch").focus()
        place = waiting.evaluate("scrollY")
        waiting.wait_for_function("before => document.title !== before", arg=before)
        assert place == waiting.evaluate("scrollY") > 0
        focused = waiting.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == "note of paper/CNN/lr-batch"
        assert next(views) is not waiting
        for scheme in ("light", "dark"):
            for page in pages(browser, address, scheme):
                width = (page.viewport_size or {})["width"]
                expect(page.get_by_role("rowheader", name="CNN").first).to_be_visible()
                expect(page.get_by_role("progressbar").first).to_be_visible()
                page.screenshot(path=SCREENSHOTS / f"overview-{width}-{scheme}.png")
                colours = page.evaluate(
                    "[document.documentElement, document.querySelector('td .quiet')].map("
                    "e => getComputedStyle(e)).map(s => [s.backgroundColor, s.color])"
                )
                back, fore = colours[0][0], colours[1][1]
                assert contrast(back, fore) > 4.5
                assert (luminance(back) < 0.1) is (scheme == "dark")
    finally:
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert run.returncode == 143


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    """Return the ratio of WCAG 2; 4.5 is its least for text."""
    darker, lighter = sorted(map(luminance, (first, second)))
    return (lighter + 0.05) / (darker + 0.05)


def test_without_script_the_page_is_loaded_anew(browser: Any, address: str) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(address)
    with page.expect_navigation(timeout=30_000):
        pass
    page.context.close()
