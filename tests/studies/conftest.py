"""Real stores, real workers, and small data."""

import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from runs import DATA, Runs
from standin import StandIn
from terminal import SMALL, Terminal
from typer.testing import CliRunner

from digitcmp.pairs import PooledDigits, PooledImages
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
def standin(tmp_path: Path) -> StandIn:
    """Nothing goes wrong with it; `dataclasses.replace` changes that."""
    folder = tmp_path / "standin"
    folder.mkdir()
    return StandIn(folder)


@pytest.fixture
def runs(url: str, cluster: Cluster) -> Runs:
    return Runs(url, cluster)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that is not the user's."""
    return tmp_path_factory.mktemp("cache")


def _idx(items: NDArray[np.uint8]) -> bytes:
    return struct.pack(f">BBBB{items.ndim}I", 0, 0, 8, items.ndim, *items.shape) + items.tobytes()


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[tuple[Terminal, str]]:
    """A small search from the command line with two workers, and what it said."""
    with closing(Terminal(tmp_path_factory.mktemp("whole"), cache)) as terminal:
        yield terminal, terminal.run("studies.run", *SMALL, "--workers", "2")


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """A folder with the four files of a very small MNIST."""
    folder = tmp_path / "digits"
    folder.mkdir()
    for prefix, count in (("train", 60), ("t10k", 20)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(_idx(pixels))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(_idx(labels))
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
