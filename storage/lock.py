"""One driver at a time: the store's lock."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from storage.advisory import advisory_lock
from storage.errors import StoreError, StoreInUse, unwritable
from storage.hosts import HostLocks, shared, unshared
from storage.urls import parse, sqlite_path

_PATIENCE = 1.0
"""Seconds that a new holder gets to sign its lock, and one who just ended to be gone."""


@dataclass(frozen=True)
class Lock:
    """A lock that is held."""

    check: Callable[[], None]
    """Raise `StoreError` where the lock was lost. Call it before each batch of writes."""
    hosts: HostLocks = field(default_factory=unshared)
    """The locks of the hosts that train."""


@contextmanager
def store_lock(url: str, names: Sequence[str]) -> Iterator[Lock]:
    """Hold the store for this process alone, or raise `StoreInUse` at once.

    A SQLite file is locked whole. On PostgreSQL only `names` ("experiment/model") are, so that
    people can share a store. Take it before `open_store`: of two drivers that start together on
    a new store, one creates it. The kernel or the server frees it when the process dies.
    Raises `BadStoreURL`, and `StoreError` where no lock can be made.
    """
    parsed = parse(url)
    path = sqlite_path(parsed)
    if path is not None:
        with _file_lock(path) as check:
            yield Lock(check)
    else:
        with advisory_lock(parsed, names) as check, shared(parsed) as hosts:
            yield Lock(check, hosts)


def is_driven(url: str) -> bool | None:
    """Return whether a run holds a SQLite store; None where nobody knows, as on a server.

    Takes no lock, so that it cannot keep a run from starting. Raises `BadStoreURL`.
    """
    path = sqlite_path(parse(url))
    if path is None:
        return None
    # A holder deletes its file in good order; a killed one leaves it behind.
    return _alive(*_holder(path.with_name(path.name + ".lock")))


@contextmanager
def _file_lock(path: Path) -> Iterator[Callable[[], None]]:
    file = path.with_name(path.name + ".lock")
    # A lock that is only the existence of a file would outlive a killed driver.
    lock = FileLock(file, thread_local=False, fallback_to_soft=False)
    try:
        if path.exists() and path.stat().st_nlink > 1:
            # Each of its names has a lock of its own, and a journal.
            raise StoreError(
                f"{path} has other names (hard links), under which SQLite cannot keep writers "
                "apart: delete these, or name a copy"
            )
        # Where no file can be made, filelock would say that another process holds the lock.
        file.touch()
        _acquire(lock, path)
        file.write_text(f"{os.getpid()} {socket.gethostname()}\n")
        held = _identity(file)
    except OSError as error:
        _release(lock, file)
        raise unwritable(path, error) from error

    def check() -> None:
        if _identity(file) != held:
            raise StoreError(f"the lock of {path} was lost: {file} was deleted; run again to go on")

    try:
        yield check
    finally:
        # A lock file that somebody deleted may be another's by now.
        if _identity(file) == held:
            _release(lock, file)
        lock.release()


def _acquire(lock: FileLock, path: Path) -> None:
    holder = ("unknown", "unknown")

    def is_in_use() -> bool:
        # The file may name nobody yet, or a process that was killed.
        nonlocal holder
        holder = _holder(Path(lock.lock_file))
        return _alive(*holder)

    try:
        lock.acquire(_PATIENCE, poll_interval=0.01, cancel_check=is_in_use)
    except Timeout:
        raise StoreInUse(str(path), *holder) from None


def _release(lock: FileLock, file: Path) -> None:
    if lock.is_locked:
        # While held: filelock refuses to lock a file that is gone, so whoever opened this one
        # before now tries again, on a new file.
        file.unlink(missing_ok=True)
    lock.release()


def _holder(file: Path) -> tuple[str, str]:
    try:
        pid, host = file.read_text().split()
    except (OSError, ValueError):
        return "unknown", "unknown"
    return pid, host


def _alive(pid: str, host: str) -> bool:
    if host != socket.gethostname():
        return host != "unknown"
    try:
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError):
        return False
    return True


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
