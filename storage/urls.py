"""Which URLs name a store."""

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

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
    # SQLAlchemy drops those that have no value.
    options = [name for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)]
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite":
            return _sqlite(parsed, options)
        case "postgresql" | "postgresql+psycopg":
            return _postgresql(parsed, options)
    raise BadStoreURL(f"no store can be kept in {parsed.drivername}: give {ACCEPTED}")


def absolute(url: str) -> str:
    """Return a store's URL, with its password, so that it means the same in any current folder.

    Raises `BadStoreURL`.
    """
    return parse(url).render_as_string(hide_password=False)


def sqlite_path(url: URL) -> Path | None:
    """Return the file of a parsed SQLite URL, None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def is_new(url: str) -> bool:
    """Return whether a SQLite store would be made, as no file is there. Raises `BadStoreURL`."""
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


def _sqlite(url: URL, options: Sequence[str]) -> URL:
    name = url.database or ""
    if url.host is not None:
        raise BadStoreURL(
            "a file has no host, user or password: give sqlite:///PATH"
            if url.username is not None or "@" in url.host
            else f"did you mean sqlite:///{'/'.join(filter(None, [url.host, name]))}?"
        )
    if name in ("", ":memory:") or name.startswith("file:") or "\0" in name:
        raise BadStoreURL("a store needs a file that outlives the run: give sqlite:///PATH")
    if options:
        raise BadStoreURL(f"a file has no options such as {options[0]}: give sqlite:///PATH")
    path = Path(name)
    try:
        path = Path(os.path.realpath(path))
        if not path.parent.is_dir():
            raise BadStoreURL(f"no folder {path.parent} for the store: create it first")
        if path.exists() and not path.is_file():
            raise BadStoreURL(f"{path} is not a file: name the store's file")
    except OSError as error:
        raise BadStoreURL(
            f"{path} cannot be a store ({error.strerror}): check its folder, or name another file"
        ) from None
    return url.set(drivername="sqlite", database=str(path))


def _postgresql(url: URL, options: Sequence[str]) -> URL:
    if "@" in (url.host or ""):
        # Else the driver would look up, and print, half of the password as a host.
        raise BadStoreURL("write '@' in a user name or password as %40")
    try:
        from psycopg.pq import Conninfo
    except ImportError:
        raise BadStoreURL("PostgreSQL needs its driver: pip install 'psycopg[binary]'") from None
    known = [option.keyword.decode() for option in Conninfo.get_defaults()]
    for option in options:
        if option not in known:
            if "@" in option + "".join(map(str, url.query.values())):
                raise BadStoreURL("write '?' and '@' in a password as %3F and %40")
            nearest = get_close_matches(option, known, n=1, cutoff=0)[0]
            raise BadStoreURL(f"PostgreSQL has no option {option!r}: did you mean {nearest}?")
    return url.set(drivername="postgresql+psycopg")
