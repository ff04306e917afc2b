"""Errors of a store, each one sentence that names the store and what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url

from storage.causes import DISK_FULL, READ_ONLY, sentence


class StoreError(Exception):
    """The store is missing, unreadable, unwritable, full, damaged, or of another schema."""

    exit_code = 4


class NoStore(StoreError):
    """There is no store yet, where a run would make one."""


class OlderSchema(StoreError):
    """An older version of Optuna or of this program made the store: `storage.upgrade` helps."""


class StoreInUse(Exception):
    """Another driver holds the store; the message names its process and host."""

    exit_code = 3

    def __init__(self, what: str, pid: str, host: str) -> None:
        """Say that process `pid` on `host` uses `what`."""
        super().__init__(f"{what} is in use by process {pid} on host {host}: wait, or stop it")


class BadStoreURL(ValueError):
    """This is no URL of a store that can be used."""

    exit_code = 2


class BadTrainings(ValueError):
    """This file does not hold trainings as a report writes them."""

    exit_code = 2


class BadName(ValueError):
    """No column of a store can have this name."""

    exit_code = 2


def place(url: str | URL) -> str:
    """Return a name of the store for people: a path, or a server's URL without any secret."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return parsed.database or ""
    # A password may also stand among the options.
    return parsed.set(query={}).render_as_string(hide_password=True)


def without_secrets(url: str | URL) -> str:
    """Return the URL without passwords, for people who keep theirs elsewhere, as in ~/.pgpass."""
    parsed = make_url(url)
    harmless = {key: value for key, value in parsed.query.items() if "password" not in key}
    return parsed._replace(password=None).set(query=harmless).render_as_string()


def explain(error: BaseException, url: str | URL) -> StoreError | None:
    """Return what is wrong with the store at `url`; None where `error` is not the store's.

    Looks through causes and contexts: Optuna blames invalid data whatever happened.
    """
    for link in _chain(error):
        if isinstance(link, StoreError):
            return link
        explanation = sentence(link, place(url))
        if explanation is not None:
            return StoreError(explanation.format(place=place(url), reason=_reason(link, url)))
    return None


def unwritable(path: Path, error: OSError) -> StoreError:
    """Return the error that `path`, or a file beside it that it needs, could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(DISK_FULL.format(place=path))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(READ_ONLY.format(place=path))
    if error.errno == errno.ENOENT:
        return StoreError(
            f"{path} cannot be written: its folder takes no files, or is gone; name another one"
        )
    return StoreError(
        f"{path} cannot be written ({error.strerror}: {error.filename}): make way for it, "
        "or name another file"
    )


@contextmanager
def explained(url: str | URL) -> Iterator[None]:
    """Raise the store's errors as `StoreError`; let all others pass."""
    try:
        yield
    except Exception as error:
        explanation = explain(error, url)
        if explanation is None or explanation is error:
            raise
        raise explanation from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop()
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        context = None if link.__suppress_context__ else link.__context__
        waiting += [context, link.__cause__, getattr(link, "orig", None)]


def _reason(error: BaseException, url: str | URL) -> str:
    reason = str(error).rpartition("failed: ")[2].partition("\n")[0]
    parsed = make_url(url)
    for secret in (parsed.password, parsed.query.get("password")):
        reason = reason.replace(str(secret), "***") if secret else reason
    return reason
