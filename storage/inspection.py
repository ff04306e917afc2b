"""Check that a store can be used, before anything is written to it."""

import os
from collections.abc import Sequence, Set
from functools import cache
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy import URL, Connection, NullPool, create_engine, inspect, text

from storage.causes import DAMAGED, READ_ONLY
from storage.errors import OlderSchema, StoreError, place
from storage.reader import require_layout
from storage.urls import connect_args, sqlite_path


def require_usable(url: URL) -> None:
    """Raise `StoreError` for a store that is read-only, damaged, foreign or of another schema.

    Writes nothing, but lets SQLite finish what a killed driver left half-written.
    """
    path = sqlite_path(url)
    if path is not None:
        _require_writable(path)
        if not path.exists():
            return
    engine = create_engine(url, poolclass=NullPool, connect_args=connect_args(url))
    with engine.connect() as connection:
        if path is not None:
            _require_intact(connection, path)
        require_schema(connection, url)


def _require_writable(path: Path) -> None:
    # SQLite needs the folder too, for its journal.
    for needed in (path, path.parent):
        if needed.exists() and not os.access(needed, os.W_OK):
            raise StoreError(READ_ONLY.format(place=path))


def _require_intact(connection: Connection, path: Path) -> None:
    connection.execute(text("pragma query_only=on"))
    if connection.scalar(text("pragma quick_check(1)")) != "ok":
        raise StoreError(DAMAGED.format(place=path))


def require_schema(connection: Connection, url: URL) -> None:
    """Raise `StoreError` for a foreign database, or one of another schema than this Optuna's."""
    known, tables_of_optuna = _optuna_schema()
    tables = set(inspect(connection).get_table_names())
    version = None
    if "alembic_version" in tables:
        version = connection.scalar(text("select version_num from alembic_version"))
    here = f"schema {version}; Optuna {optuna.__version__} has {known[0]}"
    if version is None:
        # Without a version: new, or made by a driver that was killed meanwhile, or not ours.
        # A database on a server may well hold other tables.
        strange = tables - tables_of_optuna - {"training_runs", "training_columns"}
        if strange and url.get_backend_name() == "sqlite":
            raise StoreError(
                f"{place(url)} is the database of another program (it has a table "
                f"{min(strange)}): name another file"
            )
    elif version not in known:
        raise StoreError(
            f"{place(url)} was made by a newer Optuna ({here}): upgrade this program, "
            "or name another store"
        )
    elif version != known[0]:
        raise OlderSchema(
            f"{place(url)} was made by an older Optuna ({here}): "
            "`python -m storage.upgrade URL` brings it up to date"
        )
    require_layout(connection, url)


@cache
def _optuna_schema() -> tuple[Sequence[str], Set[str]]:
    """Return the schemas that this Optuna knows, newest first, and the tables of the newest."""
    # Alembic loads all migrations anew at each such question.
    current = RDBStorage("sqlite://")
    tables = set(inspect(current.engine).get_table_names())
    current.engine.dispose()
    return current.get_all_versions(), tables
