"""Trainings that a report has published count as done, or the file is refused as a whole."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.columns import FIXED
from storage.errors import BadTrainings
from storage.load import load, main
from storage.store import Store, open_store
from storage.trainings import TrainingRun, mean_seconds, record, recorded

Publish = Callable[..., str]

COLUMNS = """fingerprint model learning_rate batch_size alpha seed epochs auxiliary data status
accuracy validation_accuracy train_seconds cpu_seconds threads loss_curve host started_at
rerun_of""".split()  # noqa: SIM905
RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Write the file that a report writes of some trainings, and rerun ones; return its path."""

    def write(*runs: TrainingRun, columns: list[str] = COLUMNS) -> str:
        path = tmp_path / "training_runs.csv"
        rows = [_row(run) for run in runs]
        again = [row | {"rerun_of": "paper/MLP/rerun", "fingerprint": "b" * 64} for row in rows]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows + again)
        return str(path)

    return write


def _row(run: TrainingRun) -> dict[str, object]:
    row = {name: getattr(run, name) for name in FIXED}
    row |= {**run.parameters, **run.settings, **run.numbers}
    return row | {"loss_curve": json.dumps(run.loss_curve)}


@pytest.fixture
def published(run: TrainingRun) -> list[TrainingRun]:
    """One of each kind."""
    whole = replace(
        run,
        fingerprint="a" * 64,
        parameters={**run.parameters, "alpha": 0.3},
        settings={"epochs": 25, "auxiliary": "softmax"},
        numbers={"accuracy": 0.75, "validation_accuracy": 2 / 3},
    )
    diverged = replace(run, fingerprint="c" * 64, status="diverged", numbers={}, seed=4)
    return [
        replace(run, fingerprint="d" * 64, seed=5, numbers={"accuracy": 0.25}), whole, diverged
    ]  # fmt: skip


def test_columns_have_their_roles_by_where_they_stand(
    publish: Publish, published: list[TrainingRun], url: str
) -> None:
    """Files of before have `auxiliary` at their end; others have an experiment's own columns."""
    before = [name for name in COLUMNS if name != "auxiliary"]
    before.insert(-1, "auxiliary")
    renamed = {"learning_rate": "criterion", "alpha": "", "epochs": "folds", "accuracy": "loss"}
    own = [renamed.get(name, name) for name in COLUMNS if renamed.get(name, name)]
    tree = replace(
        published[0],
        fingerprint="e" * 64,
        parameters={"criterion": "gini", "batch_size": 8},
        settings={"folds": 5},
        numbers={"loss": 1e-05},
    )
    load(publish(*published, columns=before), url)
    load(publish(tree, columns=own), url)
    runs = {run.fingerprint: run for run in [*published, tree]}
    with open_store(url) as store:
        assert recorded(store.engine, runs) == runs


@pytest.mark.parametrize("name", ["training_runs", "as_published"])
def test_our_own_results_load(name: str, sqlite_url: str) -> None:
    path = RESULTS / f"{name}.csv"
    load(str(path), sqlite_url)
    with path.open(newline="") as file:
        rows = {row["fingerprint"]: row for row in csv.DictReader(file) if not row["rerun_of"]}
    with open_store(sqlite_url) as store:
        runs = recorded(store.engine, rows)
        assert {tuple(settings) for _, _, settings, _ in mean_seconds(store.engine)} <= {
            ("epochs",), ("epochs", "auxiliary"),
        }  # fmt: skip
    assert len(runs) == len(rows) > 500
    for fingerprint, row in rows.items():
        shown = {key: str(value) for key, value in _row(runs[fingerprint]).items()}
        assert shown.items() <= row.items()


def test_a_search_has_them_to_the_bit_and_no_rerun(
    publish: Publish, published: list[TrainingRun], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = replace(published[0], numbers={"accuracy": 0.9})
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
        ("mnist-sample,ok,0.25", "mnist-sample,ok,", "line 2: status 'ok' with no numbers"),
        ("mnist-sample,ok,0.25", "mnist-sample,diverged,0.3", "line 2: status 'diverged' with acc"),
        ("mnist-sample,ok,0.25", "mnist-sample,ok,nan", "line 2: nan is out of range"),
        (",5,25,", ",five,25,", "line 2: invalid literal for int"),
        ("c" * 64, "c" * 63, "line 4: 'ccc"),
        (",5,25,", ",100000000000,25,", "line 2: 100000000000 is out of range"),
        ("fingerprint,", "fingerprint,odd,", "odd has no place among columns"),
        ("learning_rate", "learning rate", "'learning rate' names no parameter"),
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
