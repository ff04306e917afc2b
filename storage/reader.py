"""Reading a store while a driver writes it, or long after."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, inspect

from storage.errors import OlderSchema, StoreError, explained, place
from storage.urls import connect_args, parse, sqlite_path


def open_reader(url: str) -> Engine:
    """Return an engine that cannot write and never makes a store.

    Raises `BadStoreURL`, and `StoreError` where there is no store that can be read.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is not None and not path.exists():
        raise StoreError(f"no store at {path}: check the path, or start a run to make one")
    engine = create_engine(parsed, **read_only(parsed))
    try:
        with explained(parsed), engine.connect() as connection:
            # SQLite opens the file itself at the first query only.
            require_layout(connection, parsed)
    except StoreError:
        engine.dispose()
        raise
    return engine


def require_layout(connection: Connection, url: URL) -> None:
    """Raise `OlderSchema` where the table of trainings is of before columns were registered."""
    if is_older(connection):
        raise OlderSchema(
            f"{place(url)} was made by an older version of this program: "
            "`python -m storage.upgrade URL` brings it up to date"
        )


def is_older(connection: Connection) -> bool:
    """Return whether trainings have no registry of their columns, as in older versions."""
    tables = inspect(connection).get_table_names()
    return "training_runs" in tables and "training_columns" not in tables


def read_only(url: URL) -> dict[str, Any]:
    """Return the settings of an engine whose connections refuse every write."""
    path = sqlite_path(url)
    if path is not None:
        return {"creator": lambda: connect_read_only(path)}
    settings = connect_args(url)
    settings["options"] += " -c default_transaction_read_only=on"
    return {"connect_args": settings}


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Connect to an existing file, without a right to write."""
    file = f"file:{quote(bytes(path))}?mode=ro"
    return sqlite3.connect(file, uri=True, timeout=60, check_same_thread=False)
