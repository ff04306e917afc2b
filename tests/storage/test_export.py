"""A file of trainings holds all of them, in the format that `storage.load` takes."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage import export as command
from storage.errors import BadTrainings, StoreError
from storage.export import export
from storage.load import load
from storage.store import open_store
from storage.trainings import TrainingRun, record, recorded, training_runs
from tests.storage.conftest import Search
from tests.support.mounts import lacking


@pytest.fixture
def runs(run: TrainingRun) -> list[TrainingRun]:
    """Trainings of two experiments, one of which diverged, and a rerun of the first."""
    prints = [letter * 64 for letter in "abcde"]
    tree = {"criterion": "gini", "depth": 3}
    return [
        replace(run, fingerprint=prints[0]),
        replace(run, fingerprint=prints[1], seed=10, disturbance=0.25, processor="EPYC"),
        replace(run, fingerprint=prints[2], seed=4, status="diverged", numbers={}),
        replace(run, fingerprint=prints[3], model="Tree", parameters=tree, settings={}),
        replace(run, fingerprint=prints[4], seed=11, disturbance=0.0),
    ]


@pytest.fixture
def filled(url: str, runs: list[TrainingRun], search: type[Search]) -> str:
    with open_store(url) as store:
        record(store.engine, runs)
        study = search(store, "paper/MLP/rerun")
        study.add(5e-4, 8, seed=10, value=0.3, train_seconds=1.5, fingerprint=runs[1].fingerprint)
    return url


def test_every_training_is_a_row(
    filled: str, runs: list[TrainingRun], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "trainings.csv"
    export(path, filled)
    assert capsys.readouterr().out == f"5 trainings are in {path}\n"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fingerprint"][0] for row in rows] == ["a", "c", "b", "e", "d"]
    of_model = {row["fingerprint"]: row["rerun_of"] for row in rows}
    assert of_model == {
        runs[0].fingerprint: "", runs[1].fingerprint: "paper/MLP/rerun", runs[2].fingerprint: "",
        runs[3].fingerprint: "", runs[4].fingerprint: "unknown",
    }  # fmt: skip
    assert list(path.parent.glob("*.tmp")) == []


def test_another_store_takes_the_searches_of_it(
    filled: str, runs: list[TrainingRun], tmp_path: Path
) -> None:
    path, other = tmp_path / "trainings.csv", f"sqlite:///{tmp_path / 'other.db'}"
    export(path, filled)
    load(str(path), other)
    with open_store(filled) as store, open_store(other) as same:
        before, after = training_runs(store.engine), training_runs(same.engine)
    assert after == [run for run in before if run.disturbance is None]


def test_parquet_has_columns_of_their_types(
    filled: str, runs: list[TrainingRun], tmp_path: Path
) -> None:
    try:
        from pyarrow import parquet
    except ImportError:
        lacking("PyArrow is not installed")
    path = tmp_path / "trainings.parquet"
    export(path, filled)
    by_fingerprint = {row["fingerprint"]: row for row in parquet.read_table(path).to_pylist()}
    assert len(by_fingerprint) == 5
    for run in runs:
        row = by_fingerprint[run.fingerprint]
        assert row["loss_curve"] == list(run.loss_curve)
        assert (row["seed"], row["accuracy"]) == (run.seed, run.numbers.get("accuracy"))
        assert row["learning_rate"] == run.parameters.get("learning_rate")
        assert row["criterion"] == run.parameters.get("criterion")


def test_without_pyarrow_parquet_is_one_sentence(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    before = sorted(tmp_path.iterdir())
    said = r"^Parquet needs PyArrow: pip install pyarrow, or give a name that ends in .csv$"
    with pytest.raises(BadTrainings, match=said):
        export(tmp_path / "trainings.parquet", filled)
    assert sorted(tmp_path.iterdir()) == before


def test_troubles_have_their_exit_codes(
    sqlite_url: str, run: TrainingRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(code: int, *words: str) -> str:
        with pytest.raises(SystemExit) as ended:
            command.app(list(words))
        assert ended.value.code == code
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        return error

    assert "no store at" in said(4, f"{tmp_path}/a.csv", sqlite_url)
    assert "ends in neither .csv nor .parquet" in said(2, f"{tmp_path}/a.txt", sqlite_url)
    assert "not a storage URL" in said(2, f"{tmp_path}/a.csv", "studies.db")
    with open_store(sqlite_url) as store:
        record(store.engine, [run])
    assert "its folder takes no files" in said(4, f"{tmp_path}/nowhere/a.csv", sqlite_url)
    (tmp_path / "folder.csv").mkdir()
    assert "cannot be written" in said(4, f"{tmp_path}/folder.csv", sqlite_url)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "studies.db"]


def test_a_full_disk_keeps_the_file_of_before(
    filled: str, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=64k")
    path = disk / "trainings.csv"
    path.write_text("of before")
    (disk / "other").write_bytes(bytes(60 * 1024))
    with pytest.raises(StoreError, match=f"disk full: {path}"):
        export(path, filled)
    assert path.read_text() == "of before"
    assert sorted(file.name for file in disk.iterdir()) == ["other", "trainings.csv"]


def test_an_export_beside_a_writer_reads_what_is_committed(
    sqlite_url: str, run: TrainingRun, tmp_path: Path
) -> None:
    path = tmp_path / "trainings.csv"
    with open_store(sqlite_url) as store:
        for number in range(3):
            record(store.engine, [replace(run, fingerprint=f"{number}" * 64)])
            export(path, sqlite_url)
            assert len(path.read_text().splitlines()) == number + 2
        assert len(recorded(store.engine, ["0" * 64])) == 1
    with path.open(newline="") as file:
        assert json.loads(next(csv.DictReader(file))["loss_curve"]) == [0.7, 1 / 3]
