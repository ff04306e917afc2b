"""Opening: what a store is made of, and what it withstands."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import RDBStorage
from sqlalchemy import Engine, event, text

from storage.queries import grid_cells
from storage.store import open_store
from storage.trainings import record, recorded

optuna.logging.set_verbosity(optuna.logging.WARNING)


def test_a_store_keeps_what_was_written(url: str, search: Callable[..., Any]) -> None:
    with open_store(url) as store:
        search(store).add(1e-3, 8, values=[0.5])
    with open_store(url) as store:
        (study,) = optuna.get_all_study_summaries(store.optuna)
        assert study.study_name == "paper/MLP/lr-batch"
        assert grid_cells(store.engine, "paper", "MLP", "lr-batch")[0].mean == 0.5


def test_sqlite_settings_hold_on_every_connection(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store:
        with store.engine.connect() as one, store.engine.connect() as other:
            for connection in (one, other):
                values = [
                    connection.scalar(text(f"pragma {name}"))
                    for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
                ]
                assert values == ["wal", 1, 1, 60_000]


def test_work_uses_one_connection(sqlite_url: str, search: Callable[..., Any]) -> None:
    """Several would checkpoint at once, which SQLite before 3.51.3 may not survive."""
    with open_store(sqlite_url) as store:
        search(store).add(1e-3, 8, values=[0.5])
        grid_cells(store.engine, "paper", "MLP", "lr-batch")
        record(store.engine, [])
        assert store.engine.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_a_closed_store_is_one_file(
    tmp_path: Path, sqlite_url: str, search: Callable[..., Any]
) -> None:
    with open_store(sqlite_url) as store:
        search(store).add(1e-3, 8, values=[0.5])
    assert [path.name for path in tmp_path.iterdir()] == ["studies.db"]


def test_a_reader_neither_blocks_a_write_nor_the_closing(
    tmp_path: Path, sqlite_url: str, search: Callable[..., Any]
) -> None:
    with closing(sqlite3.connect(tmp_path / "studies.db", isolation_level=None)) as reader:
        with open_store(sqlite_url) as store:
            study = search(store)
            reader.execute("begin")
            reader.execute("select * from trials").fetchall()
            start = time.monotonic()
            study.add(1e-3, 8, values=[0.5])
        assert time.monotonic() - start < 2
        assert reader.execute("select count(*) from trials").fetchone() == (0,)
        reader.execute("commit")
        assert reader.execute("select count(*) from trials").fetchone() == (1,)


def test_opening_waits_for_a_reader(tmp_path: Path, sqlite_url: str) -> None:
    """WAL can be switched on only while nobody reads."""
    with open_store(sqlite_url):
        pass
    with closing(
        sqlite3.connect(tmp_path / "studies.db", isolation_level=None, check_same_thread=False)
    ) as reader:
        reader.execute("begin")
        reader.execute("select * from trials").fetchall()
        timer = threading.Timer(0.5, lambda: reader.execute("commit"))
        timer.start()
        with open_store(sqlite_url):
            assert not timer.is_alive()


def test_an_empty_file_becomes_a_store(tmp_path: Path, sqlite_url: str) -> None:
    (tmp_path / "studies.db").touch()
    with open_store(sqlite_url) as store:
        assert recorded(store.engine, ["a"]) == {}


def test_creation_that_was_killed_at_any_statement_is_completed(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def schema(file: Path, statements: float = inf) -> set[str] | None:
        """Open a store and return what it is made of; none if that takes more statements."""
        done = count(1)

        def execute(_0: object, _1: object, statement: str, *_: object) -> None:
            if "CREATE" in statement.upper() and next(done) > statements:
                raise Killed

        event.listen(Engine, "before_cursor_execute", execute)
        try:
            with open_store(f"sqlite:///{file}"):
                pass
        except Killed:
            return None
        finally:
            event.remove(Engine, "before_cursor_execute", execute)
        with closing(sqlite3.connect(file)) as connection:
            return {name for (name,) in connection.execute("select name from sqlite_master")}

    whole = schema(tmp_path / "whole.db")
    for statements in count():
        file = tmp_path / f"{statements}.db"
        created = schema(file, statements)
        assert schema(file) == whole, statements
        if created:
            break
    assert statements > 15


@pytest.mark.parametrize("tables", [0, 5, 12])
def test_creation_that_was_killed_is_completed(
    tmp_path: Path, sqlite_url: str, tables: int, search: Callable[..., Any]
) -> None:
    RDBStorage(sqlite_url).engine.dispose()
    with closing(sqlite3.connect(tmp_path / "studies.db")) as connection, connection:
        connection.execute("delete from alembic_version")
        names = connection.execute("select name from sqlite_master where type = 'table'")
        for (name,) in names.fetchall()[tables:]:
            connection.execute(f"drop table {name}")
    with open_store(sqlite_url) as store:
        search(store).add(1e-3, 8, values=[0.5])
        assert len(grid_cells(store.engine, "paper", "MLP", "lr-batch")) == 1


def test_drivers_that_start_together_on_a_new_database(postgres_url: str) -> None:
    """Their locks are of other models, so they do not exclude each other."""
    errors: list[BaseException] = []

    def start() -> None:
        try:
            with open_store(postgres_url) as store:
                recorded(store.engine, ["a"])
        except BaseException as error:
            errors.append(error)

    drivers = [threading.Thread(target=start) for _ in range(4)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert not errors


def test_no_password_in_what_is_printed(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        assert store.url == postgres_url
        assert "canary" not in f"{store!r} {store.engine!r}"
