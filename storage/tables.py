"""Our tables beside Optuna's, and their columns: a registry of columns, and the trainings."""

from sqlalchemy import Connection, inspect, text

from storage.columns import (
    ADDED,
    RESERVED,
    ROLES,
    TYPES,
    Columns,
    Wanted,
    lacking_columns,
    read_columns,
    require_names,
)
from storage.errors import StoreError, place
from storage.views import create_views

# The same text for SQLite and PostgreSQL. The registry comes first: trainings without it are of an
# older version.
_TABLES = (
    """
create table if not exists training_columns (
    name text not null,
    role text not null check (role in ('parameter', 'setting', 'number', 'objective')),
    kind text not null check (kind in ('integer', 'number', 'word')),
    place integer not null,
    primary key (name, role)
)
""",
    """
create table if not exists training_runs (
    fingerprint text not null primary key,
    model text not null,
    seed integer not null,
    data text,
    status text not null check (status in ('ok', 'diverged')),
    train_seconds double precision not null,
    cpu_seconds double precision not null,
    threads integer not null,
    loss_curve text not null,
    host text not null,
    started_at text not null
)
""",
)

_REGISTER = """
insert into training_columns (name, role, kind, place)
select :name, :role, :kind, coalesce(max(place) + 1, 0) from training_columns where true
on conflict (name, role) do nothing
"""


def create_tables(connection: Connection) -> None:
    """Create the tables, columns and views that are missing; keep what is there.

    Raises `StoreError` where a parameter, setting or number has a name that views need by now.
    """
    exclude_others(connection)
    for table in _TABLES:
        connection.execute(text(table))
    columns = read_columns(connection)
    for role, names in columns.items():
        for name in names:
            if name.lower() in RESERVED:
                raise StoreError(
                    f"{place(connection.engine.url)} has a {role} called {name}, which is by now "
                    "the name of a column of every store: go on with the older version, or begin "
                    "another store under another name of it"
                )
    there = {column["name"] for column in inspect(connection).get_columns("training_runs")}
    for name, kind in ADDED.items():
        if name not in there:
            connection.execute(text(f"alter table training_runs add column {name} {kind}"))
    create_views(connection, columns)


def exclude_others(connection: Connection) -> None:
    """Begin a transaction that no other driver can have in progress at the same time."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(hashtext('training_columns'))"))
    elif not getattr(connection.connection.driver_connection, "in_transaction", False):
        # By itself, Python's driver begins no transaction before it changes a table.
        connection.exec_driver_sql("begin immediate")


def add_columns(connection: Connection, wanted: Wanted) -> Columns:
    """Add the columns that are missing, widen those that are too narrow, and return them all.

    The views follow, all in the transaction of the connection. Raises `BadName`.
    """
    known = read_columns(connection)
    if not lacking_columns(known, wanted):
        return known
    exclude_others(connection)
    known = read_columns(connection)
    lacking = lacking_columns(known, wanted)
    require_names([*((role, name) for role in known for name in known[role]), *lacking])
    there = {name: kind for role in ROLES for name, kind in known[role].items()}
    for (role, name), kind in lacking.items():
        if role != "objective" and there.get(name) != kind:
            _add_column(connection, name, kind, is_there=name in there)
            there[name] = kind
        values = {"name": name, "role": role, "kind": kind}
        connection.execute(text(_REGISTER), values)
        connection.execute(
            text("update training_columns set kind = :kind where name = :name"), values
        )
    columns = read_columns(connection)
    create_views(connection, columns)
    return columns


def _add_column(connection: Connection, name: str, kind: str, is_there: bool) -> None:
    add = f'add column "{name}" {TYPES[kind]}'
    if not is_there:
        connection.execute(text(f"alter table training_runs {add}"))
        return
    # SQLite cannot change a column's type, on which depends how it stores a value.
    for change in (
        f'alter table training_runs rename column "{name}" to "narrow {name}"',
        f"alter table training_runs {add}",
        f'update training_runs set "{name}" = "narrow {name}"',
        f'alter table training_runs drop column "narrow {name}"',
    ):
        connection.execute(text(change))
