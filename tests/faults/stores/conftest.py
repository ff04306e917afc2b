"""Small searches from the command line, on workers that stay warm."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from distributed import LocalCluster
from leftovers import Rows, left
from small_searches import SMALL, Search
from typer.testing import CliRunner

from studies import run


@pytest.fixture(scope="session")
def workers() -> Iterator[str]:
    """The address of two real workers; those who find them warm are quick."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
        memory_limit=0, silence_logs=logging.CRITICAL,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


@pytest.fixture
def search(tmp_path: Path, cache: Path, workers: str, monkeypatch: pytest.MonkeyPatch) -> Search:
    """Call `python -m studies.run MLP --storage URL ...`, a small one, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))

    def call(url: str, *arguments: str, models: tuple[str, ...] = ("MLP",)) -> Result:
        words = [*models, *SMALL, "--cluster", workers, "--storage", url, *arguments]
        return CliRunner().invoke(run.app, words)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, cache: Path, workers: str) -> Path:
    """The store of such a search to which nothing happened. It is for reading."""
    path = tmp_path_factory.mktemp("finished") / "studies.db"
    words = ["MLP", *SMALL, "--cluster", workers, "--storage", f"sqlite:///{path}"]
    result = CliRunner(env={"DIGITCMP_CACHE": str(cache)}).invoke(run.app, words)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def uninterrupted(finished: Path) -> Rows:
    """What is left of such a search where nothing happens to it."""
    return left(f"sqlite:///{finished}")
