"""A store of an older Optuna, or of an older version of ours, can be brought up to date."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text
from typer.testing import CliRunner

from storage.columns import ADDED
from storage.errors import OlderSchema, StoreError
from storage.lock import store_lock
from storage.queries import best_params, ranked_cells, studies
from storage.reader import open_reader
from storage.store import open_store, open_viewer
from storage.trainings import TrainingRun, record, recorded, training_runs
from storage.upgrade import app, upgrade

# As it was before experiments had columns of their own.
OLD_TABLE = """
create table training_runs (
    fingerprint text not null primary key, model text not null,
    learning_rate double precision not null, batch_size integer not null, alpha double precision,
    seed integer not null, epochs integer not null, data text not null,
    status text not null check (status in ('ok', 'diverged')),
    accuracy double precision check (accuracy between 0 and 1),
    validation_accuracy double precision, train_seconds double precision not null,
    cpu_seconds double precision not null, threads integer not null, loss_curve text not null,
    host text not null, started_at text not null, auxiliary text,
    check ((status = 'ok') = (accuracy is not null))
)
"""
OLD_INDEX = """
create index training_runs_seconds
on training_runs (status, model, batch_size, epochs, train_seconds)
"""
OLD_ROW = """
insert into training_runs values (:print, 'AuxMLP', :rate, 8, 0.3, :seed, 25, 'toy:ab', 'ok',
    :accuracy, 0.5, 1.5, 1.25, 1, '[0.5, null]', 'here', '2026-01-02', 'softmax')
"""
HOST = socket.gethostname()


def make_older(url: str, search: Callable[..., Any]) -> None:
    """Make a store two schemas back; what it lacks is an index."""
    with open_store(url) as store:
        search(store).add(1e-3, 8, values=[0.5])
        with store.engine.begin() as connection:
            connection.execute(text("update alembic_version set version_num = 'v3.0.0.c'"))


def test_it_is_upgraded_in_place(url: str, search: Callable[..., Any]) -> None:
    make_older(url, search)
    with pytest.raises(OlderSchema), open_store(url):
        pass
    upgrade(url)
    with open_store(url) as store:
        assert best_params(store.engine)[0].mean == 0.5


def make_old_layout(url: str, search: Callable[..., Any]) -> None:
    """Make a store of an older version: two cells, of which one has its trainings recorded."""
    space = {"alpha": [0.3], "batch_size": [8, 16], "learning_rate": [5e-3, 1e-3]}
    with open_store(url) as store:
        study = search(store, "paper/AuxMLP/lr-batch", data="toy:ab")
        protocol = {"search": "two-stage", "epochs": 25, "auxiliary": "softmax", "repeats": 2}
        study.study.set_user_attr("protocol", protocol)
        study.add(1e-3, 8, 0.3, values=[0.1 + 0.2, 0.7], space=space)
        study.add(5e-3, 8, 0.3, values=[0.25, 0.75], space=space)
        search(store, "paper/AuxMLP/rerun").add(
            1e-3, 8, 0.3, seed=0, value=0.7, fingerprint="rerun", space={"seed": [0], **space}
        )
        with store.engine.begin() as connection:
            for statement in (
                "drop table training_columns", "drop table training_runs", OLD_TABLE, OLD_INDEX
            ):  # fmt: skip
                connection.execute(text(statement))
            for name, rate, seed, accuracy in (
                ("rerun", 1e-3, 0, 0.1 + 0.2),
                ("first", 1e-3, 0, 0.1 + 0.2),
                ("other method's", 1e-3, 1, 0.6),
                ("second", 1e-3, 1, 0.7),
                ("third", 5e-3, 0, 0.25),
            ):
                row = {"print": name, "rate": rate, "seed": seed, "accuracy": accuracy}
                connection.execute(text(OLD_ROW), row)


@pytest.mark.parametrize("opened", [open_store, open_reader, open_viewer])
def test_a_store_of_an_older_version_says_how_to_upgrade(
    url: str, search: Callable[..., Any], opened: Callable[[str], Any]
) -> None:
    make_old_layout(url, search)
    with pytest.raises(OlderSchema, match=r"older version of this program.*storage\.upgrade"):
        opened(url).__enter__()


def test_trainings_of_an_older_version_get_their_registry(
    url: str, search: Callable[..., Any]
) -> None:
    make_old_layout(url, search)
    upgrade(url)
    upgrade(url)
    with open_store(url) as store:
        first = recorded(store.engine, ["first"])["first"]
        assert first.parameters == {"learning_rate": 1e-3, "batch_size": 8, "alpha": 0.3}
        assert first.settings == {"epochs": 25, "auxiliary": "softmax"}
        assert first.numbers == {"accuracy": 0.1 + 0.2, "validation_accuracy": 0.5}
        (row,) = best_params(store.engine)
        assert (row.objective, row.mean) == ("accuracy", pytest.approx(0.5))
        assert studies(store.engine)[0].attributes["protocol"]["search"] == "stages"
        with store.engine.connect() as connection:
            query = "select number, value_json from trials join trial_user_attributes"
            query += " using (trial_id) where key = 'place' order by number"
            assert connection.execute(text(query)).all() == [(0, "2"), (1, "0")]


def test_a_trial_names_its_trainings_where_all_are_there(
    url: str, search: Callable[..., Any]
) -> None:
    """Not a rerun with the same seed, and none of an older method, which gave another value."""
    make_old_layout(url, search)
    upgrade(url)
    with open_store(url) as store:
        cells = {c.parameters["learning_rate"]: c for c in ranked_cells(store.engine)}
        assert cells[1e-3].fingerprints == ("first", "second")
        assert cells[5e-3].fingerprints == ()


def test_an_older_version_is_upgraded_whole_or_not_at_all(
    url: str, search: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_old_layout(url, search)
    with monkeypatch.context() as patched:
        patched.setattr("storage.layout._set_fingerprints", lambda connection: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            upgrade(url)
    with pytest.raises(OlderSchema):
        open_reader(url)
    upgrade(url)
    with open_store(url) as store:
        assert len(training_runs(store.engine)) == 5


def take_added_columns(url: str, run: TrainingRun) -> None:
    """Make a store of before trainings had their processor and disturbance."""
    with open_store(url) as store:
        record(store.engine, [run])
        with store.engine.begin() as connection:
            for name in ADDED:
                connection.execute(text(f"alter table training_runs drop column {name}"))


def test_a_store_without_the_added_columns_is_read_as_it_is(url: str, run: TrainingRun) -> None:
    take_added_columns(url, run)
    reader = open_reader(url)
    assert training_runs(reader) == [run]
    assert recorded(reader, ["a1"]) == {"a1": run}
    with reader.connect() as connection:
        names = {column["name"] for column in inspect(connection).get_columns("training_runs")}
    reader.dispose()
    assert not names & ADDED.keys()


def test_a_driver_adds_the_columns_that_a_store_lacks(url: str, run: TrainingRun) -> None:
    take_added_columns(url, run)
    timed = replace(run, fingerprint="b2", processor="AMD EPYC", disturbance=0.25, git_commit="c")
    with open_store(url) as store:
        record(store.engine, [timed])
        assert recorded(store.engine, ["a1", "b2"]) == {"a1": run, "b2": timed}


@pytest.mark.parametrize("name", ["processor", "timed", "Disturbance"])
def test_a_parameter_with_the_name_of_an_added_column_is_told(url: str, name: str) -> None:
    with open_store(url) as store, store.engine.begin() as connection:
        connection.execute(
            text("insert into training_columns values (:name, 'parameter', 'word', 0)"),
            {"name": name},
        )
    with pytest.raises(StoreError, match=f"has a parameter called {name}, which is by now"):
        open_store(url).__enter__()


def test_a_copy_of_before_is_kept(
    tmp_path: Path, sqlite_url: str, search: Callable[..., Any]
) -> None:
    make_older(sqlite_url, search)
    upgrade(sqlite_url)
    with closing(sqlite3.connect(tmp_path / "studies.db.bak")) as copy:
        assert copy.execute("select * from alembic_version").fetchone() == ("v3.0.0.c",)


def test_a_store_of_this_schema_needs_no_upgrade(tmp_path: Path, sqlite_url: str) -> None:
    with open_store(sqlite_url):
        pass
    upgrade(sqlite_url)
    assert [path.name for path in tmp_path.iterdir()] == ["studies.db"]


def test_exit_codes(tmp_path: Path, sqlite_url: str) -> None:
    store = tmp_path / "studies.db"
    with store_lock(sqlite_url.replace("studies", "other"), []):
        ends = [
            ((), 2, "Error: Missing argument 'URL'."),
            ((sqlite_url, sqlite_url), 2, "Error: Got unexpected extra argument"),
            (("studies.db",), 2, "error: not a storage URL"),
            ((sqlite_url,), 4, f"error: no store at {store}"),
            (
                (sqlite_url.replace("studies", "other"),),
                3,
                f"error: {tmp_path / 'other.db'} is in use by process {os.getpid()} on host {HOST}",
            ),
        ]
        for words, code, said in ends:
            result = CliRunner().invoke(app, words)
            assert (result.exit_code, said in result.stderr) == (code, True), result.stderr
    assert not list(tmp_path.iterdir())


def test_help_is_no_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Bring a store of an older version up to date" in result.stdout
