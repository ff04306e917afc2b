"""The views are there for any SQL client, and are only touched where their text has changed."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage.queries import best_params
from storage.store import Store, open_store
from storage.trainings import declare

COLUMNS = {
    "best_params": "experiment model learning_rate batch_size alpha mean_accuracy std_accuracy "
    "runs",
    "grid_cells": "experiment model stage learning_rate batch_size alpha mean_accuracy "
    "std_accuracy runs state dead",
    "model_results": "experiment model parameters learning_rate batch_size alpha mean_accuracy "
    "std_accuracy mean_train_seconds std_train_seconds reruns timed",
    "certainty": "experiment model stage repeats contenders win_again repeats_to_settle",
    "contenders": "experiment model stage learning_rate batch_size alpha mean_accuracy "
    "std_accuracy runs",
}
"""What users rely on."""


@pytest.mark.parametrize("view", COLUMNS)
def test_columns(store: Store, view: str) -> None:
    """Of an experiment with the parameters of the paper."""
    declare(store.engine, {"learning_rate": [5e-3], "batch_size": [8], "alpha": [0.5]}, "accuracy")
    with store.engine.connect() as connection:
        keys = connection.execute(text(f"select * from {view}")).keys()
    assert " ".join(keys) == COLUMNS[view]


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 command is installed")
def test_the_sqlite3_command_reads_them(
    tmp_path: Path, sqlite_url: str, search: Callable[..., Any]
) -> None:
    with open_store(sqlite_url) as store:
        search(store).add(5e-4, 8, values=[0.75, 0.25])
        command = ["sqlite3", tmp_path / "studies.db", "select * from best_params"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "paper|MLP|0.0005|8||0.5|0.353553390593274|2\n"


def schema(url: str) -> list[object]:
    """What changes when a view is made again."""
    query = {
        "sqlite": "pragma schema_version",
        "postgresql": "select oid from pg_class where relname in "
        "('best_params', 'grid_cells', 'model_results', 'certainty', 'contenders') order by oid",
    }
    with open_store(url) as store, store.engine.connect() as connection:
        return list(connection.scalars(text(query[store.engine.dialect.name])))


def test_views_of_this_version_are_kept(url: str) -> None:
    assert schema(url) == schema(url)


@pytest.mark.parametrize("view", COLUMNS)
def test_a_new_store_knows_accuracy_and_no_parameter(store: Store, view: str) -> None:
    parameters = {"learning_rate", "batch_size", "alpha"}
    with store.engine.connect() as connection:
        keys = connection.execute(text(f"select * from {view}")).keys()
    assert list(keys) == [name for name in COLUMNS[view].split() if name not in parameters]


def test_views_follow_what_is_declared(store: Store) -> None:
    for values in ([1], ["word"], ["word"]):
        declare(store.engine, {"depth": values}, "error")
        with store.engine.connect() as connection:
            keys = connection.execute(text("select * from best_params")).keys()
        assert list(keys) == ["experiment", "model", "depth", "mean_error", "std_error", "runs"]


def test_views_of_another_version_are_replaced(url: str, search: Callable[..., Any]) -> None:
    with open_store(url) as store:
        search(store).add(5e-4, 8, values=[0.5])
        with store.engine.begin() as connection:
            connection.execute(text("drop view best_params"))
            connection.execute(
                text("create view best_params as select 1 as experiment, 1 as model, 1 as runs")
            )
    with open_store(url) as store:
        assert best_params(store.engine)[0].mean == 0.5


def test_a_missing_view_is_made_again(url: str) -> None:
    with open_store(url) as store, store.engine.begin() as connection:
        connection.execute(text("drop view grid_cells"))
    with open_store(url) as store, store.engine.connect() as connection:
        assert connection.execute(text("select * from grid_cells")).all() == []


def test_no_name_of_a_file_shows_in_the_schema(tmp_path: Path, sqlite_url: str) -> None:
    """A store can be moved."""
    with open_store(sqlite_url):
        pass
    assert str(tmp_path).encode() not in (tmp_path / "studies.db").read_bytes()
