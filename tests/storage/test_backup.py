"""The copy is whole, or the one of before."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.backup import backup
from storage.errors import StoreError
from storage.store import open_store
from storage.trainings import TrainingRun, record, recorded


def test_the_copy_of_a_store_in_use_is_consistent(
    tmp_path: Path, sqlite_url: str, run: TrainingRun
) -> None:
    """It holds what was committed, and none of what was not."""
    with open_store(sqlite_url) as store:
        record(store.engine, [run])
        with store.engine.begin() as connection:
            connection.execute(text("update training_runs set model = 'half'"))
            assert backup(sqlite_url) == tmp_path / "studies.db.bak"
    copy = f"{sqlite_url}.bak"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["studies.db", "studies.db.bak"]
    with open_store(copy) as store, store.engine.connect() as connection:
        assert recorded(store.engine, ["a1"]) == {"a1": run}
        assert connection.scalar(text("pragma integrity_check")) == "ok"


def test_the_copy_is_one_plain_file(tmp_path: Path, sqlite_url: str) -> None:
    with open_store(sqlite_url):
        copy = backup(sqlite_url)
        assert copy is not None
        # Byte 18 of a file in WAL mode is 2.
        assert copy.read_bytes()[18] == 1


def test_the_copy_follows_the_store(tmp_path: Path, sqlite_url: str, run: TrainingRun) -> None:
    (tmp_path / "studies.db.bak.tmp").write_text("of a run that was killed")
    for fingerprint in ("a1", "a2"):
        with open_store(sqlite_url) as store:
            record(store.engine, [replace(run, fingerprint=fingerprint)])
        backup(sqlite_url)
    with closing(sqlite3.connect(tmp_path / "studies.db.bak")) as copy:
        assert copy.execute("select count(*) from training_runs").fetchone() == (2,)
    assert not (tmp_path / "studies.db.bak.tmp").exists()


def test_a_copy_is_never_written_over(sqlite_url: str, run: TrainingRun) -> None:
    """Who is reading it, or cut off by a crash, has the one of before, whole."""
    with open_store(sqlite_url) as store:
        copy = backup(sqlite_url)
        assert copy is not None
        before = copy.read_bytes()
        with copy.open("rb") as reader:
            record(store.engine, [run])
            backup(sqlite_url)
            assert reader.read() == before != copy.read_bytes()


def test_a_failed_copy_keeps_the_one_of_before(
    small_disk: Callable[[str], Path], run: TrainingRun
) -> None:
    disk = small_disk("size=1m")
    url = f"sqlite:///{disk}/studies.db"
    with open_store(url) as store:
        record(store.engine, [run])
    backup(url)
    before = (disk / "studies.db.bak").read_bytes()
    with open_store(url) as store:
        record(store.engine, [replace(run, fingerprint="a2", loss_curve=(0.1,) * 100_000)])
        with pytest.raises(StoreError, match="disk full"):
            backup(url)
    assert (disk / "studies.db.bak").read_bytes() == before
    assert not list(disk.glob("*.tmp"))


def test_a_missing_store_is_not_made(tmp_path: Path, sqlite_url: str) -> None:
    with pytest.raises(StoreError):
        backup(sqlite_url)
    assert not list(tmp_path.iterdir())


def test_a_server_has_no_file_to_copy() -> None:
    assert backup("postgresql://db/studies") is None
