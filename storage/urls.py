"""Which URLs name a store."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from storage.errors import BadStoreURL

DEFAULT_STORAGE = "sqlite:///studies.db"

ACCEPTED = "sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"


def parse(url: str) -> URL:
    """Return the URL of a store, a SQLite path made absolute and free of links.

    Touches no file. Raises `BadStoreURL`, which never repeats what may be a password.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise BadStoreURL(f"not a storage URL: give {ACCEPTED}") from None
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _sqlite(parsed)
        case "postgresql" | "postgresql+psycopg":
            return _postgresql(parsed)
    raise BadStoreURL(f"no store can be kept in {parsed.drivername}: give {ACCEPTED}")


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a parsed SQLite URL, None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def is_new(url: str) -> bool:
    """Whether a store would be made here: no SQLite file is there yet. Raises `BadStoreURL`."""
    path = sqlite_path(parse(url))
    return path is not None and not path.exists()


def artifact_folder(url: str) -> Path:
    """Return the default folder of a store's figures: `studies-artifacts` beside `studies.db`.

    A server's store has none beside it: there it is in the current folder. Raises `BadStoreURL`.
    """
    path = sqlite_path(parse(url))
    return Path("studies-artifacts") if path is None else path.with_name(f"{path.stem}-artifacts")


def connect_args(url: URL) -> dict[str, Any]:
    """Return the driver's settings, whose timeouts are in seconds."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": 60}
    # PostgreSQL takes five times as long to compile our views as to run them.
    return {"connect_timeout": 10, "options": f"{url.query.get('options', '')} -c jit=off"}


def _sqlite(url: URL) -> URL:
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:") or url.query or "\0" in name:
        raise BadStoreURL("a store needs a file that outlives the run: give sqlite:///PATH")
    path = Path(os.path.realpath(name))
    try:
        if not path.parent.is_dir():
            raise BadStoreURL(f"no folder {path.parent} for the store: create it first")
        if path.exists() and not path.is_file():
            raise BadStoreURL(f"{path} is not a file: name the store's file")
    except OSError as error:
        raise BadStoreURL(f"{path} cannot be a store: {error.strerror}") from None
    return url.set(drivername="sqlite", database=str(path))


def _postgresql(url: URL) -> URL:
    if "@" in (url.host or ""):
        # Else the driver would look up, and print, half of the password as a host.
        raise BadStoreURL("write '@' in a user name or password as %40")
    if find_spec("psycopg") is None:
        raise BadStoreURL("PostgreSQL needs its driver: pip install 'psycopg[binary]'")
    return url.set(drivername="postgresql+psycopg")
