"""Whatever somebody writes into a store, reports, notes, figures and files take it for text."""

import csv
import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import optuna
import pytest
from optuna_dashboard import get_note
from sqlalchemy import text
from typer.testing import CliRunner

from storage.columns import csv_cell, csv_word
from storage.load import load, trainings
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import training_runs
from studies.dashboard.notes import StudyNotes, attach
from studies.experiment.definition import Stage
from studies.experiment.study import grid_study
from studies.report import __main__ as command
from tests.support.filled import FOREST, Filled, around
from tests.support.hostile import WORDS

HOSTILE = replace(
    FOREST, name="evil", without={}, settings={"mood": "<img src=x onerror=alert(1)>"},
    stages=[Stage("shape", criterion=WORDS, depth=[1])],
    factors={
        name: {"kind": "a$ | <b>b", "[c](http://evil.example)": name == "Boost"}
        for name in FOREST.models
    },
)  # fmt: skip
MODEL = "../../<img src=x>$\\nonsense{$"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which somebody has written all that could do harm."""
    url = f"sqlite:///{tmp_path_factory.mktemp('evil') / 'studies.db'}"
    with open_store(url) as store:
        filled = Filled(store, HOSTILE, {"criterion": WORDS[0], "depth": 1})
        filled.model("Forest", around(0.3))
        filled.model("Boost", around(0.2))
        with store.engine.begin() as connection:
            change = "update study_user_attributes set value_json = :new where key = 'model'"
            connection.execute(
                text(f"{change} and value_json = '\"Boost\"'"), {"new": json.dumps(MODEL)}
            )
            rename = "update studies set study_name = replace(study_name, '/Boost/', :new)"
            connection.execute(text(rename), {"new": f"/{MODEL}/"})
            for place, word in enumerate(WORDS):
                connection.execute(
                    text("update training_runs set host = :word where rowid % :all = :place"),
                    {"word": word, "all": len(WORDS), "place": place},
                )
    return url


@pytest.fixture(scope="module")
def written(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on it, deep in a folder of its own."""
    folder = tmp_path_factory.mktemp("written") / "deep" / "down"
    result = CliRunner().invoke(command.app, ["--storage", url, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


class Page(HTMLParser):
    """Counts the elements of a page, and keeps its text and the sources of its pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements, self.text = Counter[str](), ""
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data.replace("\u2060", "")


def test_a_report_shows_any_text_as_it_is(written: Path) -> None:
    files = (file for file in written.parents[1].rglob("*") if file.is_file())
    assert all(file.is_relative_to(written) for file in files)
    page = Page((written / "report.html").read_text())
    drawn = list((written / "figures").iterdir())
    assert page.elements["img"] == len(drawn) > 4
    assert not {"a", "script", "b", "em", "code", "s", "del", "blockquote"} & page.elements.keys()
    sources = [value for name, value in page.attributes if name == "src"]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "href"]
    for word in (*WORDS, MODEL):
        assert " ".join(word.splitlines()) in page.text
    with (written / "training_runs.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_trainings_come_back_from_a_report_as_they_were(
    url: str, written: Path, tmp_path: Path
) -> None:
    path, new = written / "training_runs.csv", f"sqlite:///{tmp_path / 'new.db'}"
    load(str(path), new)
    before, after = (
        {run.fingerprint: run for run in training_runs(open_reader(store))} for store in (url, new)
    )
    assert len(after) == len(list(trainings(path))) == 2 * 2 * len(WORDS)
    assert after == {name: before[name] for name in after}


@pytest.mark.parametrize("word", ["'", "''", "'=", "''=", "=", "a=", "'a", "", "-", "'-1"])
def test_an_apostrophe_is_taken_off_where_it_was_put(word: str) -> None:
    assert csv_word(str(csv_cell(word))) == word


def test_numbers_in_a_file_stay_numbers() -> None:
    assert [csv_cell(number) for number in (-1, -0.5, None)] == [-1, -0.5, None]


def test_a_note_shows_any_text_as_it_is(url: str, tmp_path: Path) -> None:
    grid = grid_study(HOSTILE, "Forest", "shape", None)
    with open_store(url) as store:
        study = optuna.load_study(study_name=grid.study_name, storage=store.optuna)
        with StudyNotes(store, tmp_path / "figures") as notes:
            notes.complete(grid, study)
            notes.finish()
        note = get_note(study)
    assert "![curve](/artifacts/" in note
    assert note.count("](") == 2, "the curve, and the link to the winner"
    assert "&#91;a&#93;(javascript:alert(1))" in note
    assert "&lt;img src=x" in note
    assert "http:&#8288;//evil.example/x" in note


def test_artifacts_stay_in_their_folder(url: str, tmp_path: Path) -> None:
    """Whoever writes the store gives them names and ids."""
    folder, mine = tmp_path / "figures", tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    with open_store(url) as store:
        study = optuna.create_study(storage=store.optuna)
        meta = {"artifact_id": "../mine.png", "filename": "a.png", "mimetype": "", "encoding": None}
        study._storage.set_study_system_attr(
            study._study_id, "artifacts:../mine.png", json.dumps(meta)
        )
        attach(study, folder, "a.png", b"1")
        attach(study, folder, "../../b.png", b"2")
    assert mine.read_bytes() == b"mine"
    assert sorted(file.read_bytes() for file in folder.iterdir()) == [b"1", b"2"]
    assert {file.name for file in tmp_path.iterdir()} == {"figures", "mine.png"}
