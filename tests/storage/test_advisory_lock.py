"""Locks on a PostgreSQL server: by name, and lost with their connection."""

import os
from collections.abc import Callable
from subprocess import Popen

import pytest
from sqlalchemy import create_engine, make_url, text

from storage.advisory import advisory_lock
from storage.errors import StoreError, StoreInUse
from storage.lock import store_lock


def test_other_models_run_side_by_side(postgres_url: str) -> None:
    with store_lock(postgres_url, ["paper/MLP"]) as one:
        with store_lock(postgres_url, ["paper/CNN", "other/MLP"]) as other:
            one.check()
            other.check()


def test_a_refused_driver_keeps_nothing(postgres_url: str) -> None:
    with store_lock(postgres_url, ["paper/CNN"]):
        with pytest.raises(StoreInUse, match="paper/CNN in postgresql"):
            with store_lock(postgres_url, ["paper/MLP", "paper/CNN"]):
                pass
        with store_lock(postgres_url, ["paper/MLP"]):
            pass


def test_a_lost_lock_is_noticed_for_good(postgres_url: str) -> None:
    server = create_engine(postgres_url)
    with store_lock(postgres_url, ["paper/MLP", "paper/CNN"]) as lock:
        lock.check()
        with server.begin() as connection:
            connection.execute(
                text(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where datname = current_database() and pid <> pg_backend_pid()"
                )
            )
        for _ in range(3):
            with pytest.raises(StoreError, match=r"the lock of postgresql.* was lost"):
                lock.check()
        with store_lock(postgres_url, ["paper/MLP"]):
            pass
    server.dispose()


def test_a_database_has_its_own_locks(postgres_url: str, python: Callable[..., Popen[str]]) -> None:
    """And the loser names the holder of its own."""
    other = postgres_url.rpartition("/")[0] + "/template1"
    code = """
import sys
from storage.lock import store_lock
with store_lock(sys.argv[1], ["paper/MLP"]):
    print("runs", flush=True)
    sys.stdin.read()
"""
    holder = python(code, other)
    assert holder.stdout is not None and holder.stdout.readline() == "runs\n"
    with store_lock(postgres_url, ["paper/MLP"]):
        for url, pid in ((postgres_url, os.getpid()), (other, holder.pid)):
            with pytest.raises(StoreInUse, match=f"process {pid} "), store_lock(url, ["paper/MLP"]):
                pass


def test_a_name_may_be_given_twice(postgres_url: str) -> None:
    with store_lock(postgres_url, ["paper/MLP", "paper/MLP"]) as lock:
        lock.check()


def test_it_is_free_at_once_when_its_holder_leaves(postgres_url: str) -> None:
    """Not when the server notices, some milliseconds later, that a connection has ended."""
    held = text("select count(*) from pg_locks where locktype = 'advisory'")
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as watcher:
        for _ in range(20):
            with store_lock(postgres_url, ["paper/MLP"]):
                assert watcher.scalar(held) == 1
            assert watcher.scalar(held) == 0
            with advisory_lock(make_url(postgres_url), ["create"], wait=True):
                assert watcher.scalar(held) == 1
            assert watcher.scalar(held) == 0
    server.dispose()
