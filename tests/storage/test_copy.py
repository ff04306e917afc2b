"""A copy has every row and every figure of one moment, or there is none."""

import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import psycopg
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.trial import TrialState
from sqlalchemy import create_engine, text

from storage import copy as command
from storage.copy import copy
from storage.errors import BadStoreURL, StoreError, StoreInUse
from storage.lock import store_lock
from storage.queries import best_params, model_results
from storage.reader import connect_read_only
from storage.store import Store, open_store
from storage.trainings import TrainingRun, record, training_runs
from storage.urls import artifact_folder, parse
from tests.storage.conftest import Search
from tests.support.postgres import Server

TABLES = (
    "studies", "study_directions", "study_user_attributes", "study_system_attributes", "trials",
    "trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values",
    "trial_intermediate_values", "trial_heartbeats", "training_columns", "training_runs",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, where the figures of a server's store are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def other_database(postgres: Server) -> Iterator[str]:
    """A second, empty database on the server."""
    plain = postgres.url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("drop database if exists other")
        connection.execute("create database other")
    yield postgres.url.removesuffix("postgres") + "other"
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("drop database other with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Another store than `url`, still to be made."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("other_database"))
    return f"sqlite:///{tmp_path / 'copy.db'}"


@pytest.fixture
def filled(url: str, search: type[Search], run: TrainingRun) -> str:
    """A store of either kind with a bit of everything."""
    with open_store(url) as store:
        fill(store, search, run, artifact_folder(url))
    return url


@pytest.fixture
def file(sqlite_url: str, search: type[Search], run: TrainingRun) -> str:
    """The same in SQLite."""
    with open_store(sqlite_url) as store:
        fill(store, search, run, artifact_folder(sqlite_url))
    return sqlite_url


def fill(store: Store, search: type[Search], run: TrainingRun, figures: Path) -> None:
    study = search(store, guessing=0.6)
    study.add(0.0005, 8, values=(0.1 + 0.2, 0.4), train_seconds=1.5)
    study.add(0.001, 8, values=(0.5, float("inf")), value=0.5)
    study.add(0.005, 16, state=TrialState.FAIL, final_error="diverged \u2603 \udcff")
    study.add(0.005, None, state=TrialState.RUNNING)
    words = search(store, "forest/Tree/size", {"Depth": [1, 2], "criterion": ["gini", "entropy"]})
    words.add(None, None, values=(0.9,), more={"Depth": 2, "criterion": "entropy"})
    words.add(None, None, values=(0.8,), more={"Depth": 1}, space={"Depth": [1, 2]})
    reruns = search(store, "paper/MLP/rerun")
    reruns.add(0.0005, 8, seed=10, value=0.8, train_seconds=3.25, fingerprint="a2")
    diverged = replace(run, fingerprint="a3", status="diverged", numbers={}, data=None)
    record(
        store.engine,
        [
            run, replace(run, fingerprint="A2", processor="EPYC 'é' \u2603", disturbance=0.25),
            replace(diverged, loss_curve=(0.7, float("nan"))),
            replace(run, fingerprint="f", parameters={"Depth": 2, "criterion": "gini"}),
        ],
    )  # fmt: skip
    figures.mkdir()
    (figures / "curve.png").write_bytes(bytes(range(256)) * 999)
    kept = FileSystemArtifactStore(figures)
    for of in (study.study, words.study):
        upload_artifact(
            artifact_store=kept, file_path=str(figures / "curve.png"), study_or_trial=of
        )


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows by table, as the database has them."""
    engine = create_engine(parse(url))
    with engine.connect() as connection:
        rows = {}
        for table in TABLES:
            result = connection.execute(text(f"select * from {table}"))
            names = sorted(result.keys())
            plain = ([str(row[name]) for name in names] for row in result.mappings())
            rows[table] = sorted(map(tuple, plain))
    engine.dispose()
    return rows  # type: ignore[return-value]


def figures_of(url: str) -> dict[str, bytes]:
    folder = artifact_folder(url)
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.name != "curve.png"}


def test_a_copy_is_the_same_store(
    filled: str, target: str, search: type[Search], run: TrainingRun,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A run goes on with it."""
    copy(filled, target)
    said = capsys.readouterr().out
    assert said.endswith(
        "every row was compared: 3 studies, 7 trials, 4 trainings, 2 figures and weights\n"
    )
    assert len(figures_of(target)) == 2
    assert figures_of(target) == figures_of(filled)
    with open_store(filled) as store, open_store(target) as same:
        for read in (training_runs, best_params, model_results):
            assert repr(read(store.engine)) == repr(read(same.engine))
        names = optuna.get_all_study_names(store.optuna)
        assert names == optuna.get_all_study_names(same.optuna)
        for name in names:
            study, its_copy = (
                optuna.load_study(study_name=name, storage=either.optuna)
                for either in (store, same)
            )
            assert study.trials == its_copy.trials
            assert study.user_attrs == its_copy.user_attrs
            assert study.directions == its_copy.directions
            # Notes have links to studies and trials.
            assert study._study_id == its_copy._study_id
    with open_store(target) as store:
        study = search(store, "paper/CNN/lr-batch")
        study.add(0.0005, 8, values=(0.7,))
        record(store.engine, [replace(run, fingerprint="b1", parameters={"kernel": 3})])
        assert len(training_runs(store.engine)) == 5
        assert {row.model for row in best_params(store.engine)} == {"MLP", "Tree", "CNN"}


def test_there_and_back_changes_no_row(file: str, postgres_url: str, tmp_path: Path) -> None:
    back, last = f"sqlite:///{tmp_path / 'back.db'}", f"sqlite:///{tmp_path / 'last.db'}"
    copy(file, postgres_url)
    copy(postgres_url, back)
    copy(back, last)
    rows = contents(file)
    assert [table for table in TABLES if not rows[table]] == ["trial_heartbeats"]
    assert contents(back) == rows
    assert contents(last) == rows
    with closing(sqlite3.connect(tmp_path / "back.db")) as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_copy_beside_a_writer_is_of_one_moment(
    filled: str, tmp_path: Path, search: type[Search], run: TrainingRun
) -> None:
    """The writer records a training, then a trial, and is not hindered."""
    target = f"sqlite:///{tmp_path / 'copy.db'}"
    stop, written = threading.Event(), []

    def write() -> None:
        with open_store(filled) as store:
            study = search(store, "paper/ResNet/lr-batch")
            while not stop.is_set():
                number = len(written)
                record(store.engine, [replace(run, fingerprint=f"w{number}")])
                study.add(0.0005, 8, values=(0.7,))
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(written) < 20:
            stop.wait(0.01)
        first = len(written)
        copy(filled, target)
        during = len(written) - first
    finally:
        stop.set()
        writer.join()
    assert during > 0
    with open_store(target) as store, store.engine.connect() as connection:
        trainings = connection.scalar(
            text("select count(*) from training_runs where fingerprint like 'w%'")
        )
        trials = connection.scalar(
            text("select count(*) from trials join studies using (study_id)"
                 " where study_name = 'paper/ResNet/lr-batch'")
        )  # fmt: skip
    assert first <= trials <= trainings <= trials + 1


def test_a_store_that_has_something_is_refused(
    file: str, target: str, search: type[Search], run: TrainingRun
) -> None:
    with open_store(target) as store:
        search(store)
    before = contents(target)
    with pytest.raises(BadStoreURL, match="has studies or trainings already: name another store"):
        copy(file, target)
    assert contents(target) == before
    loaded = file.replace("studies.db", "loaded.db")
    with open_store(loaded) as store:
        record(store.engine, [run])
    with pytest.raises(BadStoreURL, match=r"loaded.db has studies or trainings already"):
        copy(file, loaded)


def test_a_row_that_comes_out_otherwise_is_found(file: str, target: str) -> None:
    """Here a trigger of the database changes what is written; nothing of it stays."""
    with open_store(target) as store, store.engine.begin() as connection:
        if target.startswith("sqlite"):
            connection.exec_driver_sql(
                "create trigger t after insert on trial_values begin "
                "update trial_values set value = value + 1e-16 * value where objective = 0; end"
            )
        else:
            connection.exec_driver_sql(
                "create function f() returns trigger language plpgsql as "
                "$$ begin new.value := new.value * 1.0000000000000002; return new; end $$"
            )
            connection.exec_driver_sql(
                "create trigger t before insert on trial_values for each row execute function f()"
            )
    with pytest.raises(StoreError, match=r"^row 1 of trial_values is not the same in"):
        copy(file, target)
    assert not any(contents(target).values())
    folders = [artifact_folder(url).resolve() for url in (file, target)]
    assert not figures_of(target) or folders[0] == folders[1]


def test_tables_of_others_stay_behind(postgres_url: str, tmp_path: Path) -> None:
    with open_store(postgres_url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("create table recipes (name text)")
    copy(postgres_url, f"sqlite:///{tmp_path / 'copy.db'}")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        names = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    assert ("training_runs",) in names
    assert ("recipes",) not in names


def test_figures_that_are_gone_are_counted(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = artifact_folder(file)
    for path in folder.iterdir():
        path.unlink()
    copy(file, "sqlite:///copy.db")
    assert f"0 figures and weights (2 have no file in {folder})" in capsys.readouterr().out


def test_folders_of_figures_can_be_named(
    sqlite_url: str, tmp_path: Path, search: type[Search], run: TrainingRun
) -> None:
    with open_store(sqlite_url) as store:
        fill(store, search, run, tmp_path / "mine")
    words = ("--artifact-dir", "mine", "--to-artifact-dir", "theirs")
    assert ends(0, sqlite_url, f"sqlite:///{tmp_path / 'copy.db'}", *words) == ""
    assert len(list((tmp_path / "theirs").iterdir())) == 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "studies.db", "copy.db", "mine", "theirs"
    }  # fmt: skip


def test_a_name_that_leads_elsewhere_is_no_figure(
    sqlite_url: str, tmp_path: Path, search: type[Search]
) -> None:
    (tmp_path / "secret").write_text("x")
    with open_store(sqlite_url) as store:
        study = search(store).study
        store.optuna.set_study_system_attr(study._study_id, "artifacts:../secret", "{}")
    copy(sqlite_url, f"sqlite:///{tmp_path / 'copy.db'}")
    assert not (tmp_path / "copy-artifacts").exists()


def ends(code: int, *words: str) -> str:
    """Type the command; what it says on stderr."""
    done = subprocess.run(
        ["python", "-m", "storage.copy", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stderr.count("\n") <= 1
    return done.stderr


def test_troubles_are_a_sentence_each(
    folder: Path, search: type[Search], run: TrainingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = "sqlite:///studies.db", "sqlite:///copy.db"

    def fails(code: int, *words: str) -> str:
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        with pytest.raises(SystemExit) as ended:
            command.app(list(words))
        assert ended.value.code == code
        assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
        return capsys_err()

    said: list[str] = []
    monkeypatch.setattr("builtins.print", lambda *words, **_: said.append(" ".join(words)))

    def capsys_err() -> str:
        return said.pop()

    assert "no store at" in fails(4, store, other)
    assert "not a storage URL" in fails(2, "studies.db", other)
    with open_store(store) as opened:
        fill(opened, search, run, Path("studies-artifacts"))
    assert "both URLs name" in fails(2, store, "sqlite:///./studies.db")
    assert "no folder" in fails(2, store, "sqlite:///nowhere/copy.db")
    assert "another program" in fails(4, foreign(folder / "foreign.db"), other)
    (folder / "copy-artifacts").write_text("in the way")
    assert "copy-artifacts" in fails(4, store, other)


def foreign(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table training_runs (name text)")
    return f"sqlite:///{path}"


def test_a_target_that_is_in_use_is_left_alone(file: str) -> None:
    with store_lock("sqlite:///busy.db", ["run"]), pytest.raises(StoreInUse):
        copy(file, "sqlite:///busy.db")


def test_a_value_that_postgresql_has_not_is_named(
    sqlite_url: str, postgres_url: str, run: TrainingRun
) -> None:
    with open_store(sqlite_url) as store:
        record(store.engine, [replace(run, host="a\0b")])
    with pytest.raises(StoreError, match=r"cannot hold what .*studies.db has in training_runs \("):
        copy(sqlite_url, postgres_url)
    assert not any(contents(postgres_url).values())


def test_a_full_disk_leaves_nothing_behind(
    sqlite_url: str, small_disk: Callable[[str], Path], search: type[Search], run: TrainingRun
) -> None:
    disk = small_disk("size=1m")
    with open_store(sqlite_url) as store:
        fill(store, search, run, artifact_folder(sqlite_url))
        record(store.engine, [replace(run, fingerprint="a9", loss_curve=(0.1,) * 300_000)])
    with pytest.raises(StoreError, match="disk full"):
        copy(sqlite_url, f"sqlite:///{disk}/copy.db")
    assert not list(disk.iterdir())


def test_a_copy_that_was_killed_can_be_made_again(file: str, target: str) -> None:
    code = (
        "import os, sys; from storage import copy, transfer; "
        f"transfer._compare = lambda *_: os.kill(os.getpid(), {signal.SIGKILL:d}); "
        "copy.copy(*sys.argv[1:])"
    )
    done = subprocess.run(["python", "-c", code, file, target], check=False)
    assert done.returncode == -signal.SIGKILL
    copy(file, target)
    with open_store(target) as store:
        assert len(training_runs(store.engine)) == 4


def test_a_plain_copy_beside_a_reader_is_stale_and_this_one_is_not(
    sqlite_url: str, tmp_path: Path, run: TrainingRun
) -> None:
    """As the manual says: the run has ended, and a dashboard is open."""
    with open_store(sqlite_url):
        pass
    with closing(connect_read_only(tmp_path / "studies.db")) as dashboard:
        with open_store(sqlite_url) as store:
            dashboard.execute("select 1 from studies").fetchall()
            record(store.engine, [run])
        (tmp_path / "plain.db").write_bytes((tmp_path / "studies.db").read_bytes())
        copy(sqlite_url, f"sqlite:///{tmp_path / 'copy.db'}")
    for name, count in (("plain", 0), ("copy", 1)):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as connection:
            rows = connection.execute("select count(*) from training_runs").fetchone()
            assert rows == (count,)
