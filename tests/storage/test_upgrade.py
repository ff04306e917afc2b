"""A store of an older Optuna can be brought up to date."""

import os
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage.errors import OlderSchema
from storage.lock import store_lock
from storage.queries import best_params
from storage.store import open_store
from storage.upgrade import main, upgrade

HOST = socket.gethostname()


def make_older(url: str, search: Callable[..., Any]) -> None:
    """Make a store two schemas back; what it lacks is an index."""
    with open_store(url) as store:
        search(store).add(1e-3, 8, values=[0.5])
        with store.engine.begin() as connection:
            connection.execute(text("update alembic_version set version_num = 'v3.0.0.c'"))


def test_it_is_upgraded_in_place(url: str, search: Callable[..., Any]) -> None:
    make_older(url, search)
    with pytest.raises(OlderSchema), open_store(url):
        pass
    upgrade(url)
    with open_store(url) as store:
        assert best_params(store.engine)[0].mean_accuracy == 0.5


def test_a_copy_of_before_is_kept(
    tmp_path: Path, sqlite_url: str, search: Callable[..., Any]
) -> None:
    make_older(sqlite_url, search)
    upgrade(sqlite_url)
    with closing(sqlite3.connect(tmp_path / "studies.db.bak")) as copy:
        assert copy.execute("select * from alembic_version").fetchone() == ("v3.0.0.c",)


def test_a_store_of_this_schema_needs_no_upgrade(tmp_path: Path, sqlite_url: str) -> None:
    with open_store(sqlite_url):
        pass
    assert main([sqlite_url]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["studies.db"]


def test_exit_codes(tmp_path: Path, sqlite_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main([sqlite_url, sqlite_url]) == main(["studies.db"]) == 2
    assert main([sqlite_url]) == 4
    with store_lock(sqlite_url, []):
        assert main([sqlite_url]) == 3
    said = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in said] == [
        "usage",
        "usage",
        "not a storage URL",
        f"no store at {tmp_path / 'studies.db'}",
        f"{tmp_path / 'studies.db'} is in use by process {os.getpid()} on host {HOST}",
    ]
    assert not list(tmp_path.iterdir())
