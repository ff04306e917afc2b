"""All rows of a store: read as they are at one moment, written to another store, and compared."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import zip_longest
from typing import Any

from optuna.storages._rdb import models
from sqlalchemy import Connection, Table, collate, column, insert, inspect, select, table, text
from sqlalchemy.exc import StatementError
from sqlalchemy.sql.expression import TableClause

from storage.errors import BadStoreURL, StoreError, explain, explained, place
from storage.inspection import require_schema
from storage.reader import open_reader
from storage.tables import add_columns

_PART = 2000
"""Rows in memory at a time."""

_Row = dict[str, Any]

_OPTUNA: Sequence[Table] = [
    of_optuna
    for of_optuna in models.BaseModel.metadata.sorted_tables
    # Each store keeps the versions that made it.
    if of_optuna.name != "version_info"
]

_REGISTRY = table("training_columns", *map(column, ("name", "role", "kind", "place")))


@contextmanager
def snapshot(url: str) -> Iterator[Connection]:
    """Open a store as it is now, whatever a run writes meanwhile.

    Raises `BadStoreURL`, and `StoreError` where there is no store of this version to be read.
    """
    engine = open_reader(url)
    try:
        with explained(engine.url), engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                # By itself, Python's driver begins no transaction to read.
                connection.exec_driver_sql("begin")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            require_schema(connection, engine.url)
            yield connection
    finally:
        engine.dispose()


def require_empty(connection: Connection) -> None:
    """Raise `BadStoreURL` for a store in which there is something already."""
    for name in ("studies", "training_runs", "training_columns"):
        if connection.scalar(text(f"select 1 from {name} limit 1")) is not None:
            raise BadStoreURL(
                f"{place(connection.engine.url)} has studies or trainings already: name another "
                "store, which is made where there is none"
            )


def copy_rows(source: Connection, target: Connection) -> dict[str, int]:
    """Copy all rows to a store that is empty, and compare them; return how many, by table.

    Rows keep their identifiers, to which notes have links. Tables of other programs stay behind.
    Raises `StoreError`, also for a value that the target cannot hold.
    """
    kinds = _columns(source)
    with explained(target.engine.url):
        add_columns(target, kinds)
        target.execute(_REGISTRY.delete())
    copied = {}
    for rows_of in [*_OPTUNA, _REGISTRY, _trainings(source)]:
        with closing(_parts(source, rows_of)) as parts:
            for part in parts:
                _insert(source, target, rows_of, part)
        if target.dialect.name == "postgresql" and isinstance(rows_of, Table):
            _count_on(target, rows_of)
        copied[rows_of.name] = _compare(source, target, rows_of)
    return copied


def _columns(source: Connection) -> dict[tuple[str, str], str]:
    """Return the kinds of registered columns by role and name, in the order of their places."""
    with explained(source.engine.url):
        rows = source.execute(text("select role, name, kind from training_columns order by place"))
        return {(row.role, row.name): row.kind for row in rows}


def _trainings(source: Connection) -> TableClause:
    """Return the table of trainings, with the columns that the source has."""
    with explained(source.engine.url):
        names = [known["name"] for known in inspect(source).get_columns("training_runs")]
    return table("training_runs", *map(column, names))


def _parts(connection: Connection, rows_of: TableClause) -> Generator[list[_Row], None, None]:
    """Yield the rows of a table, some thousand at a time, in an order that all databases have."""
    query = select(rows_of).order_by(_order(connection, rows_of))
    try:
        with (
            explained(connection.engine.url),
            connection.execute(query, execution_options={"yield_per": _PART}) as result,
        ):
            for part in result.mappings().partitions():
                yield [dict(row) for row in part]
    except (LookupError, ValueError) as error:
        raise StoreError(
            f"{place(connection.engine.url)} has a row in {rows_of.name} that cannot be read "
            f"({error}): delete it, or copy a store of before"
        ) from error


def _order(connection: Connection, rows_of: TableClause) -> Any:
    if isinstance(rows_of, Table):
        return next(iter(rows_of.primary_key))
    if rows_of is _REGISTRY:
        return rows_of.c.place
    # Else a server sorts words by the rules of its language.
    key = rows_of.c.fingerprint
    return collate(key, "C") if connection.dialect.name == "postgresql" else key


def _insert(source: Connection, target: Connection, rows_of: TableClause, part: list[_Row]) -> None:
    try:
        target.execute(insert(rows_of), part)
    except StatementError as error:
        url = target.engine.url
        reason = str(error.orig).partition("\n")[0]
        raise explain(error, url) or StoreError(
            f"{place(url)} cannot hold what {place(source.engine.url)} has in {rows_of.name} "
            f"({reason})"
        ) from error


def _count_on(target: Connection, rows_of: Table) -> None:
    """Let PostgreSQL number new rows after those that were copied."""
    (key,) = rows_of.primary_key
    target.execute(
        text(f"""select setval(pg_get_serial_sequence('{rows_of.name}', '{key.name}'),
            max({key.name})) from {rows_of.name} having max({key.name}) is not null""")
    )


def _compare(source: Connection, target: Connection, rows_of: TableClause) -> int:
    """Return how many rows a table has; raise `StoreError` where they are not the same."""
    count = 0
    with closing(_rows(source, rows_of)) as rows, closing(_rows(target, rows_of)) as copies:
        for count, (row, copy) in enumerate(zip_longest(rows, copies), 1):
            if row != copy:
                raise StoreError(
                    f"row {count} of {rows_of.name} is not the same in {place(target.engine.url)} "
                    f"as in {place(source.engine.url)}: nothing was copied; check both disks"
                )
    return count


def _rows(connection: Connection, rows_of: TableClause) -> Generator[_Row, None, None]:
    with closing(_parts(connection, rows_of)) as parts:
        for part in parts:
            yield from part
