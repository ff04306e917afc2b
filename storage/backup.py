"""A consistent copy of a SQLite store."""

import sqlite3
from contextlib import closing
from pathlib import Path

from storage.errors import explained, unwritable
from storage.reader import connect_read_only
from storage.urls import parse, sqlite_path


def backup(url: str) -> Path | None:
    """Copy a SQLite store to PATH.bak, whole or not at all; return that path.

    PATH may be in use. A server's store has no file to copy: returns None. The copy is one plain
    file. Raises `StoreError`; the copy of before is kept then.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is None:
        return None
    copy = path.with_name(path.name + ".bak")
    unfinished = path.with_name(path.name + ".bak.tmp")
    try:
        with explained(parsed):
            unfinished.unlink(missing_ok=True)
            _copy(path, unfinished)
            unfinished.replace(copy)
    except OSError as error:
        raise unwritable(copy, error) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return copy


def _copy(path: Path, copy: Path) -> None:
    with closing(connect_read_only(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        # Else a reader of the copy would need a folder that can be written.
        target.execute("pragma journal_mode=DELETE")
