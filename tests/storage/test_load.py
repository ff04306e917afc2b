"""Trainings that a report has published count as done, or the file is refused as a whole."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from storage.columns import ADDED, FIXED
from storage.errors import BadTrainings
from storage.load import app, load
from storage.published import row_check
from storage.store import Store, open_store
from storage.trainings import TrainingRun, mean_seconds, record, recorded

Publish = Callable[..., str]

COLUMNS = """fingerprint model learning_rate batch_size alpha seed epochs auxiliary data status
accuracy validation_accuracy train_seconds cpu_seconds threads loss_curve host started_at
rerun_of""".split()  # noqa: SIM905
RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.fixture
def publish(tmp_path: Path) -> Publish:
    """Write the file that a report writes of some trainings and a rerun; return its path."""

    def write(*runs: TrainingRun, columns: list[str] = COLUMNS) -> str:
        path = tmp_path / "training_runs.csv"
        rows = [_row(run) for run in runs]
        rows.append(rows[0] | {"rerun_of": "paper/MLP/rerun", "fingerprint": "b" * 64})
        with path.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*columns, "check"])
            for row in rows:
                texts = [str(row.get(name, "")) for name in columns]
                writer.writerow([*texts, row_check(columns, texts)])
        return str(path)

    return write


def _row(run: TrainingRun) -> dict[str, object]:
    row = {name: getattr(run, name) for name in (*FIXED, *ADDED)}
    row = {name: value for name, value in row.items() if value is not None}
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


def test_our_own_results_load(sqlite_url: str) -> None:
    path = RESULTS / "training_runs.csv"
    load(str(path), sqlite_url)
    with path.open(newline="") as file:
        rows = {row["fingerprint"]: row for row in csv.DictReader(file) if not row["rerun_of"]}
    with open_store(sqlite_url) as store:
        runs = recorded(store.engine, rows)
        assert {tuple(mean.settings) for mean in mean_seconds(store.engine)} <= {
            ("epochs",), ("epochs", "auxiliary"),
        }  # fmt: skip
    assert len(runs) == len(rows) > 500
    for fingerprint, row in rows.items():
        shown = {key: str(value) for key, value in _row(runs[fingerprint]).items()}
        assert shown.items() <= row.items()


def test_a_search_has_them_to_the_bit_and_no_rerun(
    publish: Publish, published: list[TrainingRun], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = replace(published[0], host="there", train_seconds=7.0)
    with open_store(url) as store:
        record(store.engine, [mine])
    load(publish(*published, published[1]), url)
    said = "3 trainings of searches in the file, 2 of them new\n"
    assert capsys.readouterr().out == said
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
        ("mnist-sample,ok,0.25", "mnist-sample,ok,nan", "line 2: accuracy nan is out of range"),
        ("mnist-sample,ok,0.25", "mnist-sample,ok,7", "line 2: accuracy 7 is out of range"),
        (",0.6666666666666666,", ",-0.1,", "line 3: validation_accuracy -0.1 is out of range"),
        (",softmax,", ",,", "line 3 gives accuracy, validation_accuracy, but other trainings"),
        ("1.5,1.25", "2592001,1.25", "line 2: train_seconds 2592001 is out of range"),
        ("1.5,1.25", "1.5,2e9", "line 2: cpu_seconds 2e9 is out of range"),
        ("2026-01-02", "the 2nd", "line 2: Invalid isoformat"),
        ("c" * 64, "d" * 64, "line 4 and line 2 are two results of one training"),
        (",5,25,", ",five,25,", "line 2: invalid literal for int"),
        ("c" * 64, "c" * 63, "line 4: 'ccc"),
        (",5,25,", ",100000000000,25,", "line 2: 100000000000 is out of range"),
        ("fingerprint,", "fingerprint,odd,", "odd has no place among columns"),
        ("learning_rate", "learning rate", "'learning rate' names no parameter"),
        ('"[0.7', '"0.7', "line 2: "),
        ('"[0.7, 0.3', '"[""a"", 0.3', "line 2: the loss curve is no list of losses"),
        ('"[0.7, ', f'"{"[" * 100_000}0.7, ', "line 2: the loss curve is no list of losses"),
        (",here,2026", ",2026", "line 2 has not 20 columns"),
        (",here,2026", ",here,2026,,", "line 2 has not 20 columns"),
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
        load(str(path), url, unchecked=True)
    assert not (tmp_path / "new.db").exists()


def test_what_was_measured_of_the_machine_comes_along(
    publish: Publish, published: list[TrainingRun], sqlite_url: str
) -> None:
    first = replace(published[0], processor="=AMD", disturbance=0.25, git_commit="c0ffee")
    columns = [*COLUMNS[:-1], *ADDED, COLUMNS[-1]]
    load(publish(replace(first, processor="'=AMD"), published[1], columns=columns), sqlite_url)
    with open_store(sqlite_url) as store:
        stored = recorded(store.engine, ["d" * 64, "a" * 64])
    assert stored["d" * 64] == replace(first, fingerprint="d" * 64)
    assert stored["a" * 64] == published[1]


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan", "much"])
def test_a_disturbance_is_a_fraction(
    publish: Publish, published: list[TrainingRun], sqlite_url: str, share: str
) -> None:
    columns = [*COLUMNS[:-1], *ADDED, COLUMNS[-1]]
    with pytest.raises(BadTrainings, match="line 2: "):
        load(publish(replace(published[0], disturbance=share), columns=columns), sqlite_url)


def test_a_parameter_of_an_older_file_is_not_taken_for_the_processor(
    publish: Publish, published: list[TrainingRun], sqlite_url: str
) -> None:
    columns = [*COLUMNS[:2], "processor", *COLUMNS[2:]]
    with pytest.raises(BadTrainings, match="no parameter can be called processor"):
        load(publish(published[0], columns=columns), sqlite_url)


def test_a_row_that_was_changed_is_refused(
    publish: Publish, published: list[TrainingRun], sqlite_url: str
) -> None:
    """Also a rerun's, and one column that was shifted by a row."""
    path = Path(publish(*published))
    rows = list(csv.reader(path.read_text().splitlines()))
    place = rows[0].index("seed")
    seeds = [row[place] for row in rows[1:]]
    for line in (2, 5):
        changed = [list(row) for row in rows]
        for row, seed in zip(changed[line - 1 :], seeds[line - 2 :: -1] + seeds, strict=False):
            row[place] = f"{seed}0"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(changed)
        with pytest.raises(BadTrainings, match=f"line {line} was changed after the report"):
            load(str(path), sqlite_url)


def test_files_of_older_versions_need_an_option(
    publish: Publish, published: list[TrainingRun], sqlite_url: str, tmp_path: Path
) -> None:
    path = Path(publish(*published))
    rows = list(csv.reader(path.read_text().splitlines()))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(row[:-1] for row in rows)
    with pytest.raises(BadTrainings, match="has no column check: give --unchecked if an older"):
        load(str(path), sqlite_url)
    result = CliRunner().invoke(app, [str(path), sqlite_url, "--unchecked"])
    assert result.stdout == "3 trainings of searches in the file, 3 of them new\n"


def test_a_file_that_a_spreadsheet_saved(
    publish: Publish, published: list[TrainingRun], sqlite_url: str
) -> None:
    path = Path(publish(*published))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    load(str(path), sqlite_url)


def test_another_result_of_a_training_is_refused(
    publish: Publish, published: list[TrainingRun], url: str
) -> None:
    with open_store(url) as store:
        record(store.engine, [replace(published[1], numbers={"accuracy": 0.5})])
    said = "training aaaaaaaaaaaa of MLP has accuracy 0.75 in .*, but 0.5 in the store: load the"
    with pytest.raises(BadTrainings, match=said):
        load(publish(*published), url)
    with open_store(url) as store:
        assert count(store) == 1


def test_exit_codes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    empty = tmp_path / "empty.csv"
    empty.touch()
    ends = {
        (): "Error: Missing argument 'FILE.csv'.",
        (url,): "Error: Missing argument 'URL'.",
        ("missing.csv", url): "error: missing.csv cannot be read",
        (str(empty), url): f"error: {empty} holds no trainings",
        (str(empty), "sqlite://"): "error: a store needs a file",
    }
    for words, said in ends.items():
        result = CliRunner().invoke(app, words)
        assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "new.db").exists()


def test_help_is_no_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Take the trainings that a report has published as done." in result.stdout
