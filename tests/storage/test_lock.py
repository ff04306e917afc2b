"""One driver at a time: real processes, killed for real."""

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from storage.errors import StoreError, StoreInUse
from storage.lock import store_lock
from storage.reader import open_reader
from storage.store import open_store

NAMES = ["paper/MLP", "paper/CNN"]

# Tells how it went, then holds on until its input is closed.
DRIVER = """
import sys
from storage.errors import StoreInUse
from storage.lock import store_lock
from storage.reader import open_reader
from storage.store import open_store
try:
    with store_lock(sys.argv[1], sys.argv[2:]) as lock:
        print("runs", flush=True)
        sys.stdin.read()
except StoreInUse as error:
    print(error, flush=True)
"""
HOST = socket.gethostname()


def test_the_loser_names_the_holder(url: str, python: Callable[..., Popen[str]]) -> None:
    holder = python(DRIVER, url, *NAMES)
    assert holder.stdout.readline() == "runs\n"
    with pytest.raises(StoreInUse, match=f"process {holder.pid} on host {HOST}") as caught:
        with store_lock(url, NAMES):
            pass
    assert "canary" not in str(caught.value)
    holder.communicate()
    with store_lock(url, NAMES):
        pass


def test_of_drivers_that_start_together_one_runs(
    url: str, python: Callable[..., Popen[str]]
) -> None:
    drivers = [python(DRIVER, url, *NAMES) for _ in range(4)]
    said = {driver.pid: driver.stdout.readline() for driver in drivers}
    (runs,) = [pid for pid, line in said.items() if line == "runs\n"]
    for pid, line in said.items():
        assert pid == runs or f"is in use by process {runs} on host {HOST}" in line


def test_it_is_free_at_once_after_kill(url: str, python: Callable[..., Popen[str]]) -> None:
    for _ in range(3):
        holder = python(DRIVER, url, *NAMES)
        assert holder.stdout.readline() == "runs\n"
        holder.kill()
        holder.wait()
        start = time.monotonic()
        while time.monotonic() < start + 1:
            try:
                with store_lock(url, NAMES):
                    break
            except StoreInUse:
                time.sleep(0.01)
        else:
            pytest.fail("still locked after a second")


def test_children_do_not_inherit_it(sqlite_url: str, python: Callable[..., Popen[str]]) -> None:
    code = DRIVER.replace(
        'print("runs", flush=True)',
        "import os, subprocess, time\n"
        '        print(subprocess.Popen(["sleep", "60"]).pid, flush=True)\n'
        "        child = os.fork()\n"
        "        if child == 0: time.sleep(60)\n"
        "        print(child, flush=True)\n",
    )
    holder = python(code, sqlite_url)
    children = [int(holder.stdout.readline()) for _ in range(2)]
    holder.kill()
    holder.wait()
    try:
        with store_lock(sqlite_url, []):
            for child in children:
                os.kill(child, 0)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)


def test_the_lock_file_goes_with_the_lock(tmp_path: Path, sqlite_url: str) -> None:
    with store_lock(sqlite_url, []):
        assert [path.name for path in tmp_path.iterdir()] == ["studies.db.lock"]
        with pytest.raises(StoreInUse), store_lock(sqlite_url, []):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["studies.db.lock"]
    assert not list(tmp_path.iterdir())


def test_a_deleted_lock_file_is_noticed(tmp_path: Path, sqlite_url: str) -> None:
    """And the lock file of whoever took over is left alone."""
    file = tmp_path / "studies.db.lock"
    with store_lock(sqlite_url, []) as lock:
        lock.check()
        file.unlink()
        with pytest.raises(StoreError, match=r"studies\.db\.lock was deleted"):
            lock.check()
        file.write_text("another's")
        with pytest.raises(StoreError, match="was lost"):
            lock.check()
    assert file.read_text() == "another's"


def test_a_folder_that_cannot_be_written(small_disk: Callable[[str], Path]) -> None:
    small_disk("size=1m")
    url = f"sqlite:///{small_disk('ro')}/studies.db"
    with pytest.raises(StoreError, match=r"studies\.db is read-only: make the file and"):
        with store_lock(url, []):
            pass


def test_a_folder_that_takes_no_files() -> None:
    with pytest.raises(StoreError, match=r"^/proc/x\.db cannot be written: its folder takes no"):
        with store_lock("sqlite:////proc/x.db", []):
            pass


def test_a_store_of_two_names_is_only_read(tmp_path: Path, sqlite_url: str) -> None:
    """Each name has a lock of its own: two drivers would write, and one lose all."""
    with open_store(sqlite_url):
        pass
    (tmp_path / "other.db").hardlink_to(tmp_path / "studies.db")
    for url in (sqlite_url, f"sqlite:///{tmp_path / 'other.db'}"):
        with pytest.raises(StoreError, match=r"db has other names \(hard links\), under which"):
            with store_lock(url, []):
                pass
        open_reader(url).dispose()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "studies.db"]
