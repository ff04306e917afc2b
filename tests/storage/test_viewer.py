"""Optuna's view for those who only watch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy.exc import DBAPIError

from storage.errors import OlderSchema, StoreError
from storage.store import Store, open_store, open_viewer


def test_it_reads_what_is_written_meanwhile(
    store: Store, url: str, search: Callable[..., Any]
) -> None:
    study = search(store)
    viewer = open_viewer(url)
    study.add(1e-3, 8, values=[0.8])
    (seen,) = optuna.load_study(study_name="paper/MLP/lr-batch", storage=viewer).trials
    assert seen.value == 0.8
    viewer.engine.dispose()


def test_it_cannot_write(store: Store, url: str, search: Callable[..., Any]) -> None:
    search(store)
    viewer = open_viewer(url)
    with pytest.raises((DBAPIError, optuna.exceptions.StorageInternalError)):
        viewer.delete_study(1)
    assert [each.study_name for each in viewer.get_all_studies()] == ["paper/MLP/lr-batch"]
    viewer.engine.dispose()


def test_it_makes_no_store(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_viewer(sqlite_url)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_store(sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "studies.db").touch()
    with pytest.raises(StoreError, match="has no tables"):
        open_viewer(sqlite_url)


def test_an_older_store_says_how_to_upgrade(sqlite_url: str) -> None:
    with open_store(sqlite_url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = 'v3.0.0.d'")
    with pytest.raises(OlderSchema, match=r"storage\.upgrade"):
        open_viewer(sqlite_url)
