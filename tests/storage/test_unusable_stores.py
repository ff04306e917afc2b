"""A store that cannot be used: one clear error, and not a byte changed."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from storage.errors import OlderSchema, StoreError
from storage.lock import store_lock
from storage.queries import best_params
from storage.reader import open_reader
from storage.store import open_store
from storage.trainings import TrainingRun, record, recorded
from tests.support.damage import DAMAGES, execute, older


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_it_is_refused_and_left_as_it_is(
    tmp_path: Path, sqlite_url: str, damage: Callable[[Path], None], message: str
) -> None:
    with open_store(sqlite_url):
        pass
    path = tmp_path / "studies.db"
    # As a killed driver leaves it, so that a mere look makes files beside it.
    execute(path, "pragma journal_mode=WAL")
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=message) as caught, open_store(sqlite_url):
        pass
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, OlderSchema) == (damage is older)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["studies.db"]


@pytest.mark.parametrize(
    ("version", "message"), [("v9.0.0.a", "newer Optuna"), ("v3.0.0.d", "older Optuna")]
)
def test_other_schemas_on_postgresql(postgres_url: str, version: str, message: str) -> None:
    with open_store(postgres_url) as store, store.engine.begin() as connection:
        connection.execute(text(f"update alembic_version set version_num = '{version}'"))
    with pytest.raises(StoreError, match=message) as caught, open_store(postgres_url):
        pass
    assert "canary" not in str(caught.value)


def test_a_read_only_disk(small_disk: Callable[[str], Path], search: Callable[..., Any]) -> None:
    """Reading works, writing says why not."""
    url = f"sqlite:///{small_disk('size=4m')}/studies.db"
    with open_store(url) as store:
        search(store).add(1e-3, 8, values=[0.5])
    disk = small_disk("ro")
    before = (disk / "studies.db").read_bytes()
    with pytest.raises(StoreError, match=r"studies\.db is read-only"), open_store(url):
        pass
    with pytest.raises(StoreError, match=r"new\.db is read-only"):
        with open_store(f"sqlite:///{disk}/new.db"):
            pass
    assert (disk / "studies.db").read_bytes() == before
    reader = open_reader(url)
    assert best_params(reader)[0].mean == 0.5
    reader.dispose()


def test_a_full_disk(small_disk: Callable[[str], Path], run: TrainingRun) -> None:
    """What fitted is kept; with more room the store goes on."""
    disk = small_disk("size=1m")
    url = f"sqlite:///{disk}/studies.db"
    runs = [
        replace(run, fingerprint=str(number), loss_curve=(0.1,) * 1000) for number in range(200)
    ]
    recorded_before = 0
    with pytest.raises(StoreError, match=f"disk full: {disk}/studies.db"), open_store(url) as store:
        for each in runs:
            record(store.engine, [each])
            recorded_before += 1
    assert recorded_before > 10
    small_disk("size=20m")
    with open_store(url) as store:
        assert len(recorded(store.engine, map(str, range(200)))) == recorded_before
        record(store.engine, runs)
        assert len(recorded(store.engine, map(str, range(200)))) == 200
        with store.engine.connect() as connection:
            assert connection.scalar(text("pragma integrity_check")) == "ok"


@pytest.mark.parametrize("free", [0, 4, 40])
def test_a_start_on_a_full_disk(small_disk: Callable[[str], Path], free: int) -> None:
    """With 4 KiB blocks free for a part of what a new store takes."""
    disk = small_disk("size=1m")
    url = f"sqlite:///{disk}/studies.db"
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
    os.truncate(disk / "filler", (disk / "filler").stat().st_size - free * 4096)
    with pytest.raises(StoreError, match=f"disk full: {disk}/studies.db"):
        with store_lock(url, []), open_store(url):
            pass
    assert not (disk / "studies.db.lock").exists()
    (disk / "filler").unlink()
    with store_lock(url, []), open_store(url) as store:
        assert recorded(store.engine, ["a"]) == {}
