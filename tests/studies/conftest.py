"""Real stores, real workers, and small data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from runs import DATA, Runs
from small_mnist import write_small_mnist
from typer.testing import CliRunner

from digitcmp.data.pairs import PooledDigits, PooledImages
from storage.store import Store, open_store
from studies import run
from studies.cluster import Cluster
from studies.records import Data

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where no store is yet."""
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def data() -> Data:
    return DATA


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Two real workers, which start with the first job."""
    nothing = PooledImages(np.zeros((0, 14, 14), np.uint16), np.zeros(0, np.uint8))
    with Cluster(None, 2, PooledDigits(nothing, nothing, nothing, DATA.sha256)) as opened:
        yield opened


@pytest.fixture
def runs(url: str, cluster: Cluster) -> Runs:
    return Runs(url, cluster)


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """A folder with the four files of a very small MNIST."""
    folder = tmp_path / "digits"
    folder.mkdir()
    write_small_mnist(folder)
    return folder


@pytest.fixture
def ends(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Call a command in a folder of its own; what it says as it ends with `code`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))
    # Whoever looks for MNIST elsewhere finds nobody.
    monkeypatch.setenv("DIGITCMP_MNIST_URL", "http://127.0.0.1:9")

    def call(code: int, *arguments: str, command: Any = run) -> str:
        before = sorted(tmp_path.rglob("*"))
        result = CliRunner().invoke(command.app, arguments)
        assert result.exit_code == code, result.output
        assert isinstance(result.exception, SystemExit), result.exception
        assert sorted(tmp_path.rglob("*")) == before
        assert result.stdout == ""
        return result.stderr

    return call
