"""What the codes of SQLite and PostgreSQL mean to people."""

import re
import shutil
from pathlib import Path

DAMAGED = "{place} is damaged: put a copy in its place, such as {place}.bak, or name another file"
DISK_FULL = "disk full: {place} cannot be written; make room, then run again to go on"
NO_STUDIES = (
    "{place} has no tables or views of this version: start a run on it, or "
    "`python -m storage.upgrade URL`, to make them"
)
READ_ONLY = "{place} is read-only: make the file and its folder writable, or name another file"

# SQLite's extended result code where one needs its own words, else the primary code.
_SQLITE = {
    "SQLITE_FULL": DISK_FULL,
    "SQLITE_READONLY": READ_ONLY,
    "SQLITE_READONLY_ROLLBACK": "{place} was left half-written: start a run on it to repair it",
    "SQLITE_READONLY_DBMOVED": "{place} was moved or deleted while in use: put it back",
    "SQLITE_CANTOPEN": "{place} cannot be opened: check its folder and the permissions of both",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_NOTADB": "{place} is not an SQLite database (or its first page is damaged): "
    "put a copy in its place, such as {place}.bak, or name another file",
    "SQLITE_IOERR": "{place} cannot be read or written (input/output error): check the disk",
    "SQLITE_BUSY": "{place} stayed locked by another program: close that program, then run again",
    "SQLITE_ERROR no such table": NO_STUDIES,
    "SQLITE_ERROR no such column": NO_STUDIES,
}

# PostgreSQL's SQLSTATE, or its class; None is what the driver says when it has no connection.
_NO_CONNECTION = "no connection to {place} ({reason}): check it, then run again to go on"
_POSTGRESQL = {
    None: _NO_CONNECTION,
    "08": _NO_CONNECTION,
    "57": _NO_CONNECTION,
    "53": "{place} has no room for more ({reason}): run again later to go on",
    "53100": DISK_FULL,
    "25006": "{place} is read-only: name a server that can be written",
    "42501": "{place} refuses this user: ask for the right to create and read tables",
    "42P01": NO_STUDIES,
    "42703": NO_STUDIES,
}

_ALMOST_FULL = 1 << 20
"""Free bytes below which an input/output error of SQLite is the full disk's."""


def sentence(error: BaseException, place: str) -> str | None:
    """Return what one error of a database driver says of the store at `place`.

    The text has the fields `{place}` and `{reason}`. None: the error is not the store's.
    """
    return _sqlite(error, place) or _postgresql(error)


def _sqlite(error: BaseException, place: str) -> str | None:
    name = getattr(error, "sqlite_errorname", None)
    if not isinstance(name, str):
        return None
    if name in ("SQLITE_ERROR", "SQLITE_SCHEMA"):
        # SQLite has one code for all errors in a statement, and another one for the same errors
        # while a table is made.
        return _SQLITE.get(f"SQLITE_ERROR {str(error).partition(':')[0]}")
    primary = "_".join(name.split("_")[:2])
    if primary == "SQLITE_IOERR" and _free_bytes(place) < _ALMOST_FULL:
        return DISK_FULL
    return _SQLITE.get(name, _SQLITE.get(primary))


def _free_bytes(place: str) -> float:
    try:
        return shutil.disk_usage(Path(place).parent).free
    except OSError:
        return float("inf")


def _postgresql(error: BaseException) -> str | None:
    if not re.match(r"psycopg\b", type(error).__module__):
        return None
    state = getattr(error, "sqlstate", None)
    if state is None:
        operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
        return _POSTGRESQL[None] if operational else None
    return _POSTGRESQL.get(state, _POSTGRESQL.get(state[:2]))
