"""PostgreSQL's locks: held by a connection of their own, and freed however that ends."""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import URL, Connection, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import StoreError, StoreInUse, explained, place
from storage.urls import connect_args

_HOLDER = """
select a.application_name
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and (cast(l.classid as bigint) << 32 | cast(l.objid as bigint)) = :key
"""

_HELD = """
select count(*) from pg_locks
where locktype = 'advisory' and granted and pid = pg_backend_pid()
"""


@contextmanager
def advisory_lock(
    url: URL, names: Sequence[str], wait: bool = False
) -> Iterator[Callable[[], None]]:
    """Hold `names` in the database at `url`, all or none; raise `StoreInUse` at once, or wait.

    Yields a check that raises `StoreError` where they were lost.
    """
    keys = {_key(name): name for name in names}
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    attempt = text(f"select {function}(:key)")
    with _connection(url) as connection:
        for key, name in keys.items():
            if connection.scalar(attempt, {"key": key}) is False:
                # None: the holder ended between the two questions.
                holder = connection.scalar(text(_HOLDER), {"key": key}) or "unknown@unknown"
                pid, _, host = holder.partition("@")
                raise StoreInUse(f"{name} in {place(url)}", pid, host)

        def check() -> None:
            lost = StoreError(f"the lock of {place(url)} was lost: run again to go on")
            try:
                # A connection that SQLAlchemy silently made anew holds no lock.
                held = connection.scalar(text(_HELD))
            except SQLAlchemyError as error:
                raise lost from error
            if held != len(keys):
                raise lost

        yield check


@contextmanager
def advisory_calls(url: URL) -> Iterator[Callable[[str, str], bool]]:
    """Yield a function that takes or frees the lock of a name by a function of PostgreSQL.

    What was taken is freed at the end, or when this process dies.
    """
    with _connection(url) as connection:

        def call(function: str, name: str) -> bool:
            return bool(connection.scalar(text(f"select {function}(:key)"), {"key": _key(name)}))

        yield call


@contextmanager
def _connection(url: URL) -> Iterator[Connection]:
    # AUTOCOMMIT: an open transaction would keep the server from cleaning up for days.
    engine = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args=connect_args(url)
        | {"application_name": f"{os.getpid()}@{socket.gethostname()}"},
    )
    with explained(url), engine.connect() as connection:
        try:
            yield connection
        finally:
            # The server notices the end of a connection only some milliseconds later.
            with suppress(SQLAlchemyError):
                connection.execute(text("select pg_advisory_unlock_all()"))


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
