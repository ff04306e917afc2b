"""Trainings that a report has published count as done, or the file is refused as a whole."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.errors import BadTrainings
from storage.load import load, main
from storage.measurements import training_rows
from storage.queries import recorded
from storage.schema import TrainingRun, record
from storage.store import Store, open_store
from studies.report.trainings import csv_of

Publish = Callable[..., str]


@pytest.fixture
def publish(tmp_path: Path, run: TrainingRun) -> Publish:
    """Write the file that a report writes of some trainings, and rerun ones; return its path."""

    def write(*runs: TrainingRun, rerun: str = "b") -> str:
        path = tmp_path / "training_runs.csv"
        source = f"sqlite:///{tmp_path / 'source.db'}"
        with open_store(source) as store:
            record(store.engine, runs)
            rows = training_rows(store.engine)
        marked = [row | {"rerun_of": None} for row in rows]
        again = [row | {"rerun_of": "paper/MLP/rerun", "fingerprint": rerun * 64} for row in rows]
        path.write_bytes(csv_of(marked + again))
        return str(path)

    return write


@pytest.fixture
def published(run: TrainingRun) -> list[TrainingRun]:
    """One of each kind."""
    whole = replace(
        run, fingerprint="a" * 64, alpha=0.3, validation_accuracy=2 / 3, auxiliary="softmax"
    )
    diverged = replace(run, fingerprint="c" * 64, status="diverged", accuracy=None, seed=4)
    return [replace(run, fingerprint="d" * 64, seed=5, accuracy=0.25), whole, diverged]


def test_a_file_from_before_there_were_two_auxiliary_losses(
    publish: Publish, published: list[TrainingRun], url: str
) -> None:
    path = Path(publish(*published))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "auxiliary"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    assert main([str(path), url]) == 0
    with open_store(url) as store:
        found = recorded(store.engine, [letter * 64 for letter in "acd"])
    assert {name[0]: run.auxiliary for name, run in found.items()} == {
        "a": "logits", "c": None, "d": None,
    }  # fmt: skip


def test_a_search_has_them_to_the_bit_and_no_rerun(
    publish: Publish, published: list[TrainingRun], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = replace(published[0], accuracy=0.9)
    with open_store(url) as store:
        record(store.engine, [mine])
    assert main([publish(*published), url]) == 0
    assert capsys.readouterr().out.startswith("3 trainings of searches")
    with open_store(url) as store:
        assert recorded(store.engine, [letter * 64 for letter in "abcd"]) == {
            run.fingerprint: run for run in [mine, *published[1:]]
        }
        assert count(store) == 3


def count(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.scalar(text("select count(*) from training_runs")) or 0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fingerprint,", "print,", "it lacks fingerprint"),
        ("mnist-sample,ok,0.25", "mnist-sample,ok,1.3", "line 4: status 'ok' with accuracy 1.3"),
        ("mnist-sample,ok,0.25", "mnist-sample,diverged,0.3", "line 4: status 'diverged' with"),
        ("mnist-sample,ok,0.25", "mnist-sample,ok,nan", "line 4: nan is out of range"),
        (",8,", ",eight,", "line 2: invalid literal for int"),
        ("c" * 64, "c" * 63, "line 3: 'ccc"),
        (",8,", ",100000000000,", "line 2: 100000000000 is out of range"),
        ('"[0.7', '"0.7', "line 2: "),
        ('"[0.7, 0.3', '"[""a"", 0.3', "line 2: .* is no list of losses"),
        (",here,2026", ",2026", "line 2 has not 19 columns"),
        (",here,2026", ",here,2026,,", "line 2 has not 19 columns"),
        ("2026-01-02", '"2026-01-02', "cannot be read"),
    ],
)
def test_a_file_that_holds_something_else(
    publish: Publish,
    published: list[TrainingRun],
    tmp_path: Path,
    old: str,
    new: str,
    said: str,
) -> None:
    path = Path(publish(*published))
    before = path.read_text()
    # The first stays as it is, so that nothing is what must be loaded.
    assert old in before
    path.write_text(before.replace(old, new))
    url = f"sqlite:///{tmp_path / 'new.db'}"
    with pytest.raises(BadTrainings, match=said):
        load(str(path), url)
    assert not (tmp_path / "new.db").exists()


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert [main([]), main([url]), main(["missing.csv", url]), main([str(empty), url])] == [2] * 4
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "usage",
        "usage",
        "missing.csv cannot be read",
        f"{empty} holds no trainings",
    ]
    assert not (tmp_path / "new.db").exists()
