"""Real stores, real workers, and small data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from storage.store import Store, open_store
from studies import run
from tests.support.runs import Runs
from tests.support.small_mnist import write_small_mnist

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
def runs(url: str, workers: str) -> Runs:
    return Runs(url, workers)


@pytest.fixture
def digits_folder(tmp_path: Path) -> Path:
    """A folder with the four files of a very small MNIST."""
    folder = tmp_path / "digits"
    folder.mkdir()
    write_small_mnist(folder)
    return folder


@pytest.fixture
def ends(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Call a command in a folder of its own; what it says as it ends with `code`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))
    # Whoever looks for MNIST elsewhere finds nobody.
    monkeypatch.setenv("DIGITCMP_MNIST_URL", "http://127.0.0.1:9")

    def call(code: int, *arguments: str, command: Any = run) -> str:
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            (command.main if command is run else command.app)(list(arguments))
        said = capsys.readouterr()
        assert ended.value.code == code, said
        assert sorted(tmp_path.rglob("*")) == before
        assert said.out == ""
        return said.err

    return call
