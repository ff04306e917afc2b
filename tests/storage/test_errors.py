"""Errors of databases become one sentence; a password never shows."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from storage.errors import StoreError, explain, explained, place, without_secrets
from storage.queries import best_params
from storage.reader import open_reader
from storage.store import open_store

URL = "sqlite:////data/studies.db"
SERVER = "postgresql+psycopg://me:canary@db/studies?options=canary&password=canary"


class Failure(sqlite3.OperationalError):
    """An error as SQLite raises it, with the code given."""

    def __init__(self, code: str, words: str = "in SQLite's words") -> None:
        super().__init__(words)
        self.sqlite_errorname = code


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SQLITE_FULL", "disk full: /data/studies.db"),
        ("SQLITE_READONLY_DIRECTORY", "is read-only"),
        ("SQLITE_READONLY_ROLLBACK", "half-written"),
        ("SQLITE_READONLY_DBMOVED", "moved or deleted"),
        ("SQLITE_CANTOPEN_ISDIR", "cannot be opened"),
        ("SQLITE_CORRUPT_INDEX", "is damaged"),
        ("SQLITE_NOTADB", "not an SQLite database"),
        ("SQLITE_IOERR_WRITE", "input/output error"),
        ("SQLITE_BUSY_SNAPSHOT", "locked by another program"),
    ],
)
def test_codes_of_sqlite(code: str, message: str) -> None:
    error = explain(DBAPIError("insert", {}, Failure(code)), URL)
    assert error is not None and message in str(error) and "/data/studies.db" in str(error)


@pytest.mark.parametrize("code", ["SQLITE_ERROR", "SQLITE_SCHEMA"])
def test_a_missing_table_has_two_codes(code: str) -> None:
    """The second one where another process makes the table meanwhile."""
    error = explain(Failure(code, "no such table: studies"), URL)
    assert error is not None and "has no tables or views of this version" in str(error)


@pytest.mark.parametrize("code", ["SQLITE_CONSTRAINT_CHECK", "SQLITE_ERROR", "SQLITE_MISUSE"])
def test_our_own_mistakes_are_not_the_stores(code: str) -> None:
    assert explain(Failure(code), URL) is None


def test_other_errors_are_not_the_stores() -> None:
    missing = FileNotFoundError(2, "No such file", "/data/train-images.gz")
    assert explain(missing, URL) is None
    with pytest.raises(FileNotFoundError), explained(URL):
        raise missing


def test_a_hidden_context_stays_hidden() -> None:
    try:
        try:
            raise Failure("SQLITE_FULL")
        except Failure:
            raise KeyError("x") from None
    except KeyError as error:
        assert explain(error, URL) is None


def test_an_input_output_error_of_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So SQLite says when it cannot enlarge its shared memory."""
    monkeypatch.setattr("storage.causes._ALMOST_FULL", float("inf"))
    error = explain(Failure("SQLITE_IOERR_SHMSIZE"), f"sqlite:///{tmp_path / 'studies.db'}")
    assert "disk full" in str(error)


def test_optuna_blames_the_data_but_the_disk_is_full(
    sqlite_url: str, search: Callable[..., Any]
) -> None:
    with open_store(sqlite_url) as store:
        study = search(store).study
        with store.engine.connect() as connection:
            connection.execute(text("pragma max_page_count=1"))
        with pytest.raises(optuna.exceptions.StorageInternalError) as caught:
            study.set_user_attr("protocol", "x" * 1_000_000)
        assert "disk full" in str(explain(caught.value, sqlite_url))


def test_explained_keeps_what_is_explained_already() -> None:
    first = StoreError("first")
    with pytest.raises(StoreError) as caught, explained(URL), explained(URL):
        raise first
    assert caught.value is first


def test_a_store_of_plain_optuna_says_what_it_lacks(tmp_path: Path, sqlite_url: str) -> None:
    optuna.storages.RDBStorage(sqlite_url).engine.dispose()
    reader = open_reader(sqlite_url)
    with pytest.raises(StoreError, match=r"studies\.db has no tables or views of this version"):
        best_params(reader)
    reader.dispose()
    with closing(sqlite3.connect(tmp_path / "studies.db")) as connection:
        connection.execute("create view best_params as select 1 as old")
    with pytest.raises(StoreError, match="a view best_params of another program"):
        open_reader(sqlite_url)


def test_place_has_no_secret() -> None:
    """A password may also stand among the options."""
    assert place(SERVER) == "postgresql+psycopg://me:***@db/studies"


def test_a_url_without_its_password_leads_to_the_same_store() -> None:
    url = "postgresql+psycopg://me:canary@/studies?host=/run/postgresql&sslpassword=canary"
    assert without_secrets(url) == "postgresql+psycopg://me@/studies?host=%2Frun%2Fpostgresql"
    assert without_secrets("sqlite:///studies.db") == "sqlite:///studies.db"
    assert place(URL) == "/data/studies.db"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("canary-5ecret", "canary-wrong"), "password authentication failed"),
        (("tester", "nobody"), "password authentication failed"),
        (("/postgres", "/nowhere"), "does not exist"),
        (("127.0.0.1", "127.0.0.2"), "Connection refused"),
    ],
)
@pytest.mark.parametrize("opened", [open_store, open_reader])
def test_servers_that_cannot_be_used(
    postgres_url: str, change: tuple[str, str], message: str, opened: Callable[[str], Any]
) -> None:
    url = postgres_url.replace(*change)
    with pytest.raises(StoreError, match=rf"^no connection to postgresql.*{message}") as caught:
        opened(url).__enter__()
    assert "canary" not in str(caught.value)


def test_a_driver_that_repeats_the_password() -> None:
    class OperationalError(Exception):
        """As psycopg raises it, on two lines."""

    OperationalError.__module__ = "psycopg"
    error = explain(OperationalError("connection failed: bad option canary\nhint"), SERVER)
    assert str(error) == (
        "no connection to postgresql+psycopg://me:***@db/studies (bad option ***): "
        "check it, then run again to go on"
    )


def test_a_connection_that_ends(postgres_url: str, search: Callable[..., Any]) -> None:
    with pytest.raises(StoreError, match=r"no connection to postgresql.*run again to go on"):
        with open_store(postgres_url) as store:
            study = search(store)
            server = create_engine(postgres_url)
            with server.begin() as connection:
                connection.execute(
                    text(
                        "select pg_terminate_backend(pid) from pg_stat_activity"
                        " where datname = current_database() and pid <> pg_backend_pid()"
                    )
                )
            server.dispose()
            study.study.set_user_attr("protocol", {})


def test_a_database_without_studies(postgres_url: str) -> None:
    reader = open_reader(postgres_url)
    with pytest.raises(StoreError, match="no tables or views"):
        best_params(reader)
    reader.dispose()
