"""A person's look at the dashboard, in Chromium, while a run writes the store."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna_dashboard import save_note
from playwright.sync_api import Page, sync_playwright

from storage.queries import grid_cells
from storage.reader import open_reader
from storage.store import open_store
from studies.dashboard.__main__ import HOST, make
from studies.display.markdown import document, table
from tests.support.hostile import WORDS

CHROMIUM = Path("/usr/bin/chromium")
SCREENSHOTS = Path(__file__).parents[3] / "test-output"
SHORT = ["--epochs", "1", "--repeats", "2", "--reruns", "2", "--experiment", "short"]
LONG = ["--experiment", "long"]
# It must reach nothing but the dashboard.
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a short run left its store."""
    folder = tmp_path_factory.mktemp("store")
    command = [sys.executable, "-m", "studies.run", "SiameseMLP", *SHORT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


@pytest.fixture(scope="module")
def writing(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another run, on the same store, that goes on through all tests."""
    command = [sys.executable, "-m", "studies.run", "AuxsiameseCNN", *LONG]
    run = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, text=True)
    with run:
        reader = open_reader(f"sqlite:///{folder / 'studies.db'}")
        while not grid_cells(reader, "long", "AuxsiameseCNN", "lr-batch"):
            assert run.poll() is None
            time.sleep(0.2)
        reader.dispose()
        yield run
        run.kill()


@pytest.fixture(scope="module")
def address(folder: Path, writing: object) -> Iterator[str]:
    """The dashboard's."""
    command = [sys.executable, "-m", "studies.dashboard", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, with a profile of its own."""
    if not CHROMIUM.exists():
        reason = "no Chromium is installed: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """An empty page, on which no error may show."""
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(180_000)
    errors: list[str] = []
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def test_the_list_has_every_study_as_it_runs(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard")
    for name in ("short/SiameseMLP/lr-batch", "short/SiameseMLP/rerun", "long/AuxsiameseCNN"):
        page.get_by_text(name).first.wait_for()
    page.screenshot(path=SCREENSHOTS / "studies.png")


def test_a_study_shows_its_metric_and_a_curve_for_each_trial(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard/studies/1")
    page.get_by_text("Intermediate values").wait_for()
    page.get_by_text(re.compile(r"trial #19\b")).first.wait_for()
    assert page.get_by_text("test accuracy").count() > 0
    page.screenshot(path=SCREENSHOTS / "study.png", full_page=True)


def test_the_note_shows_coverage_and_the_heat_map(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard/studies/1/note")
    page.get_by_text("20 of 20 cells done").wait_for()
    # The paper's trainings have more epochs.
    assert page.get_by_text("0.847 ± 0.012").count() == 0
    figure = page.locator("img[alt=heat-map]")
    figure.wait_for()
    page.wait_for_function("image => image.naturalWidth > 500", arg=figure.element_handle())
    page.screenshot(path=SCREENSHOTS / "note.png")


def test_the_notes_link_leads_to_the_trial_it_starts_from(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard/studies/2/note")
    page.get_by_text("2 of 2 reruns done").wait_for()
    page.screenshot(path=SCREENSHOTS / "note-rerun.png")
    page.get_by_role("link", name="of short/SiameseMLP/lr-batch").click()
    page.get_by_text("Intermediate Values").first.wait_for()
    page.screenshot(path=SCREENSHOTS / "trial.png")


def test_a_note_grows_while_its_study_runs(page: Page, address: str) -> None:
    page.goto(f"{address}/dashboard/studies/3/note")
    page.get_by_text(re.compile(r"[1-9]\d* of 20 cells done")).wait_for()
    # Beside the paper's, whose epochs these are.
    page.get_by_text("0.905 ± 0.014").wait_for()
    page.screenshot(path=SCREENSHOTS / "note-running.png")


def test_nothing_can_be_deleted(page: Page, address: str, folder: Path) -> None:
    study = f"{address}/api/studies/1"
    files = sorted((folder / "studies-artifacts").iterdir())
    (artifact,) = page.request.get(study).json()["artifacts"]
    path = f"{address}/api/artifacts/1/{artifact['artifact_id']}"
    for answer in (
        page.request.delete(study, data={}),
        page.request.delete(path),
        page.request.post(f"{study}/rename", data={"study_name": "other"}),
    ):
        assert answer.status == 403
        assert "read-only" in answer.json()["reason"]
    assert page.request.get(study).json()["name"] == "short/SiameseMLP/lr-batch"
    assert sorted((folder / "studies-artifacts").iterdir()) == files


def test_a_note_shows_any_text_as_it_is(page: Page, tmp_path: Path) -> None:
    """The dashboard makes links of what looks like one, and shows pictures of other places."""
    url = f"sqlite:///{tmp_path / 'evil.db'}"
    with open_store(url) as store:
        study = optuna.create_study(study_name="evil", storage=store.optuna)
        save_note(
            study,
            document(
                [f"a {word} b" for word in WORDS] + [table(["c"], [[word] for word in WORDS])]
            ),
        )
    with make(url, 0, tmp_path) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://{HOST}:{server.server_port}/dashboard/studies/1/note")
        page.get_by_text("a <script>alert(1)</script> b").wait_for()
        note = page.locator("p", has_text="onerror").locator("..")
        shown = [text.replace("\u2060", "") for text in note.locator("p").all_text_contents()]
        assert shown == [f"a {' '.join(word.splitlines())} b" for word in WORDS]
        assert note.locator("td").count() == len(WORDS)
        assert note.locator("a, img, em, strong, del, code, h1, li, sup").count() == 0
        server.shutdown()


def test_the_run_goes_on_and_ends_in_good_order(writing: "subprocess.Popen[str]") -> None:
    assert writing.poll() is None
    writing.send_signal(signal.SIGTERM)
    assert writing.wait(60) == 143
