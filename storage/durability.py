"""Transactions by how long their commits wait: for the disk, or for nothing.

A database that comes back after a power cut holds the transactions up to some point of its log and
none after it. A commit that waits for the disk takes all earlier ones along.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text

_WAIT = """
select set_config('synchronous_commit', 'on', true)
where current_setting('synchronous_commit') = 'off'
"""


@contextmanager
def durable(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that is on disk, with all before it, when its commit returns."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            with connection.begin():
                # A server may wait for more than its own disk: only what waits for less is changed.
                connection.execute(text(_WAIT))
                yield connection
            return
        # By the driver: to SQLAlchemy a transaction would have begun, in which SQLite refuses it.
        sqlite = connection.connection.cursor()
        before = sqlite.execute("pragma synchronous").fetchone()[0]
        sqlite.execute("pragma synchronous=FULL")
        try:
            with connection.begin():
                yield connection
        finally:
            sqlite.execute(f"pragma synchronous={before}")
            sqlite.close()


@contextmanager
def deferred(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that reaches the disk by itself, or with the next `durable` one.

    For what follows from trainings that are recorded: whatever a power cut takes is made again.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("set local synchronous_commit = off"))
        yield connection
