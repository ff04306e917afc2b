"""Opening a store: for the one driver that writes it, and for those who only watch."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial

from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from sqlalchemy import URL, Connection, Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from storage.advisory import advisory_lock
from storage.causes import NO_STUDIES
from storage.errors import NoStore, StoreError, explained, place
from storage.inspection import require_schema, require_usable
from storage.lock import Lock
from storage.reader import is_unfinished, open_reader, read_only
from storage.tables import create_tables
from storage.urls import connect_args, parse, sqlite_path


@dataclass(frozen=True)
class Store:
    """An open store. Optuna and our own tables share one engine, for use by one thread."""

    url: str = field(repr=False)
    """With the password, if there is one: show `storage.errors.place(url)` instead."""
    optuna: RDBStorage

    @property
    def engine(self) -> Engine:
        """The engine of Optuna's storage."""
        return self.optuna.engine


@contextmanager
def open_store(url: str, lock: Lock | None = None) -> Iterator[Store]:
    """Open the store for writing, made if missing; hold its `store_lock` meanwhile.

    With that `lock`, nothing is written once a server that restarted has freed it. A store that
    cannot be used is left as it is, to the byte. Raises `BadStoreURL`, and `StoreError` for
    whatever goes wrong with the store until it is closed.
    """
    parsed = parse(url)
    on_sqlite = sqlite_path(parsed) is not None
    with explained(parsed), ExitStack() as opened:
        # On SQLite the store's lock, which comes first, excludes drivers of other models as well.
        alone = nullcontext() if on_sqlite else advisory_lock(parsed, ["create"], wait=True)
        with alone:
            require_usable(parsed)
            storage = opened.enter_context(_optuna_storage(parsed))
            with storage.engine.begin() as connection:
                create_tables(connection)
                _add_missing_indexes(connection)
        if lock is not None and not on_sqlite:
            event.listen(storage.engine, "connect", partial(_check, lock))
        yield Store(storage.url, storage)


@contextmanager
def _optuna_storage(url: URL) -> Iterator[RDBStorage]:
    on_sqlite = sqlite_path(url) is not None
    storage = RDBStorage(
        url.render_as_string(hide_password=False),
        engine_kwargs={"connect_args": connect_args(url)},
    )
    if on_sqlite:
        event.listen(storage.engine, "connect", _set_pragmas)
        # Optuna has connected already, without them.
        storage.engine.dispose()
    try:
        yield storage
    finally:
        storage.remove_session()
        if on_sqlite:
            _leave_one_file(storage.engine)
        storage.engine.dispose()


def _add_missing_indexes(connection: Connection) -> None:
    # On SQLite, Optuna commits a table before its index. If it was killed in between, it never adds
    # the index, and without that of the studies two of them can have one name.
    for table in models.BaseModel.metadata.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _check(lock: Lock, connection: DBAPIConnection, _record: object) -> None:
    # A restart ends every connection, and SQLAlchemy makes new ones without a word.
    try:
        lock.check()
    except StoreError:
        connection.close()
        raise


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # WAL: a slow reader, such as the dashboard, cannot block a write. A file system may refuse it.
    (mode,) = connection.execute("pragma journal_mode=WAL").fetchone()
    # NORMAL: only trainings wait for the disk, see `durability.durable`; without WAL it would risk
    # the order of what is lost.
    connection.execute(f"pragma synchronous={'NORMAL' if mode == 'wal' else 'FULL'}")
    connection.execute("pragma foreign_keys=ON")


def _leave_one_file(engine: Engine) -> None:
    # A closed store can then be copied, and read from where nothing can be written. While
    # someone reads it, it stays as it is.
    with suppress(SQLAlchemyError, sqlite3.Error), engine.connect() as connection:
        connection.execute(text("pragma busy_timeout=0"))
        connection.execute(text("pragma journal_mode=DELETE"))


def open_viewer(url: str) -> RDBStorage:
    """Return Optuna's storage of an existing store; every write to it fails.

    Any number of threads may use it, also while a driver writes the store. Raises `BadStoreURL`,
    and `StoreError` where there is no store that this Optuna can read: `NoStore` where there is no
    file, or a run has not made all tables and views yet.
    """
    reader = open_reader(url)
    with explained(reader.url):
        try:
            with reader.connect() as connection:
                require_schema(connection, reader.url)
                # Optuna would try to write its version into a store that has none.
                if is_unfinished(connection):
                    raise NoStore(NO_STUDIES.format(place=place(reader.url)))
        finally:
            reader.dispose()
        return RDBStorage(
            reader.url.render_as_string(hide_password=False),
            engine_kwargs=read_only(reader.url),
            skip_compatibility_check=True,
            skip_table_creation=True,
        )
