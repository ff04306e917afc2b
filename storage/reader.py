"""Reading a store while a driver writes it, or long after."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    TextClause,
    bindparam,
    create_engine,
    inspect,
    text,
)

from storage.columns import FIXED, Columns, Value, read_columns
from storage.errors import NoStore, OlderSchema, StoreError, explained, place
from storage.urls import connect_args, parse, sqlite_path

_OURS = {
    "training_columns": ("table", ("name", "role", "kind", "place")),
    "training_runs": ("table", FIXED),
    "best_params": ("view", ("experiment", "model", "runs")),
    "grid_cells": ("view", ("experiment", "model", "stage", "runs", "state")),
    "model_results": ("view", ("experiment", "model", "parameters", "reruns")),
    "certainty": ("view", ("experiment", "model", "stage", "repeats", "contenders")),
    "contenders": ("view", ("experiment", "model", "stage", "runs")),
}
"""Tables and views under our names, each with columns that it has in every version."""

_CHUNK = 500
"""Values in one statement: SQLite once took no more than 999."""


def open_reader(url: str) -> Engine:
    """Return an engine that cannot write and never makes a store.

    Raises `BadStoreURL`, and `StoreError` where there is no store that can be read: `NoStore` where
    there is no file.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is not None and not path.exists():
        raise NoStore(f"no store at {path}: check the path, or start a run to make one")
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
    """Raise `StoreError` where a table or a view under a name of ours is somebody else's.

    Raises `OlderSchema` where the table of trainings is of before columns were registered.
    """
    for what in _foreign(connection):
        raise StoreError(
            f"{place(url)} has {what} of another program: rename it, or name another store"
        )
    if is_older(connection):
        raise OlderSchema(
            f"{place(url)} was made by an older version of this program: "
            "`python -m storage.upgrade URL` brings it up to date"
        )


def _foreign(connection: Connection) -> Iterator[str]:
    """Yield the tables and views under names of ours that lack what ours have."""
    inspected = inspect(connection)
    there = {"table": inspected.get_table_names(), "view": inspected.get_view_names()}
    for kind, names in there.items():
        for name in _OURS.keys() & names:
            own_kind, wanted = _OURS[name]
            columns = [column["name"] for column in inspected.get_columns(name)]
            if kind != own_kind or not set(wanted) <= set(columns):
                yield f"a {kind} {name}"


def is_older(connection: Connection) -> bool:
    """Return whether trainings have no registry of their columns, as in older versions."""
    tables = inspect(connection).get_table_names()
    return "training_runs" in tables and "training_columns" not in tables


def is_unfinished(connection: Connection) -> bool:
    """Return whether tables or views of ours are missing, and no study has begun.

    So it is while a run makes a store, which takes several transactions, and on a server without
    a store; without a study there is nothing to see yet.
    """
    inspected = inspect(connection)
    tables = set(inspected.get_table_names())
    if _OURS.keys() <= tables | set(inspected.get_view_names()):
        return False
    if not {"alembic_version", "studies"} <= tables:
        return True
    return connection.scalar(text("select 1 from studies limit 1")) is None


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


def rows_of(
    engine: Engine,
    pieces: Callable[[str, Columns], str],
    select: str,
    order: str = "",
    **asked: str | None,
) -> list[dict[str, Any]]:
    """Return the rows of a query, with the parameters of the trial that each is about.

    The query selects from `pieces`, and only where columns are as asked for; None asks for all.
    """
    given = {column: value for column, value in asked.items() if value is not None}
    where = "".join(f" and {column} = :{column}" for column in given)
    with explained(engine.url), engine.connect() as connection:
        columns = read_columns(connection)
        statement = f"with {pieces(engine.dialect.name, columns)} {select}{where} {order}"
        rows = connection.execute(text(statement), given).mappings().all()
        drawn = trial_parameters(connection, (row["trial_id"] for row in rows))
    names = columns["parameter"]
    ordered = {
        trial: {name: parameters[name] for name in names if name in parameters}
        for trial, parameters in drawn.items()
    }
    return [{**row, "parameters": ordered[row["trial_id"]]} for row in rows]


def trial_parameters(connection: Connection, trials: Iterable[int]) -> dict[int, dict[str, Value]]:
    """Return the parameters of some trials, a seed among them, as they were suggested."""
    # Not from a view, whose column holds the numbers of one experiment as words where another has
    # words.
    statement = """select trial_id, param_name, param_value, distribution_json
        from trial_params where trial_id in :chunk"""
    drawn: dict[int, dict[str, Value]] = {trial: {} for trial in trials}
    for row in in_chunks(connection, statement, drawn):
        value = _value(row["param_value"], row["distribution_json"])
        drawn[row["trial_id"]][row["param_name"]] = value
    return drawn


def _value(stored: float, distribution_json: str) -> Value:
    distribution = _distribution(distribution_json)
    if distribution["name"].startswith("Categorical"):
        choice: Value = distribution["attributes"]["choices"][int(stored)]
        return choice
    return int(stored) if distribution["name"].startswith("Int") else stored


_distribution = lru_cache(json.loads)


def in_chunks(connection: Connection, statement: str, wanted: Iterable[Any]) -> Iterable[Any]:
    """Yield the rows of a statement whose `:chunk` is some of the values, for all of them."""
    distinct = list(dict.fromkeys(wanted))
    query = _in_chunk(statement)
    for start in range(0, len(distinct), _CHUNK):
        chunk = {"chunk": distinct[start : start + _CHUNK]}
        yield from connection.execute(query, chunk).mappings()


@lru_cache(100)
def _in_chunk(statement: str) -> TextClause:
    return text(statement).bindparams(bindparam("chunk", expanding=True))
