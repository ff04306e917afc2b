"""A person's look at the overview, in Chromium, while a search runs."""

import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
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
        assert "Traceback" not in rest


@contextmanager
def look(
    browser: Any, address: str, size: tuple[int, int] = WIDE, scheme: str = "light"
) -> Iterator[Page]:
    """A page on which no error may show, and which is never wider than the screen."""
    viewport = {"width": size[0], "height": size[1]}
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
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
    with look(browser, address) as page:
        expect(page.get_by_text("Waiting for a store at")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "waiting.png")
        run = terminal.start_standin(StandIn(folder, seconds=0.5), *MODELS)
        try:
            # Nobody loads the page anew.
            progress = page.get_by_text(re.compile(r"[1-9]\d* of 20 cells, \d+ running"))
            expect(progress.first).to_be_visible(timeout=60_000)
            expect(page.get_by_text("A run is going on")).to_be_visible()
            page.set_viewport_size({"width": 1280, "height": 250})
            page.evaluate("scrollTo(0, 120)")
            page.get_by_role("link", name="note of paper/CNN/lr-batch").focus()
            place, before = page.evaluate("scrollY"), page.title()
            page.wait_for_function("before => document.title !== before", arg=before)
            assert place == page.evaluate("scrollY") > 0
            focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
            assert focused == "note of paper/CNN/lr-batch"
            for size, scheme in product((WIDE, PHONE), ("light", "dark")):
                with look(browser, address, size, scheme) as other:
                    looks_well(other, f"overview-{size[0]}-{scheme}.png", scheme)
        finally:
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=60)
    assert run.returncode == 143


def looks_well(page: Page, name: str, scheme: str) -> None:
    expect(page.get_by_role("rowheader", name="CNN").first).to_be_visible()
    expect(page.get_by_role("progressbar").first).to_be_visible()
    page.screenshot(path=SCREENSHOTS / name)
    back, fore = page.evaluate(
        "[getComputedStyle(document.documentElement).backgroundColor,"
        " getComputedStyle(document.querySelector('td .quiet')).color]"
    )
    assert contrast(back, fore) > 4.5
    assert (luminance(back) < 0.1) is (scheme == "dark")


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
