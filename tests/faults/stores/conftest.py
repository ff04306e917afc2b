"""Small searches from the command line, on workers that stay warm."""

from pathlib import Path

import pytest

from tests.faults.stores.leftovers import Rows, left
from tests.faults.stores.small_searches import Result, Search, search_here


@pytest.fixture
def search(tmp_path: Path, cache: Path, workers: str, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Call `python -m studies.run MLP --storage URL ...`, a small one, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))

    def call(url: str, *arguments: str, models: tuple[str, ...] = ("MLP",)) -> Result:
        return search_here(url, workers, *models, *arguments)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, cache: Path, workers: str) -> Path:
    """The store of such a search to which nothing happened. It is for reading."""
    path = tmp_path_factory.mktemp("finished") / "studies.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGITCMP_CACHE", str(cache))
        result = search_here(f"sqlite:///{path}", workers, "MLP")
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def uninterrupted(finished: Path) -> Rows:
    """What is left of such a search where nothing happens to it."""
    return left(f"sqlite:///{finished}")
