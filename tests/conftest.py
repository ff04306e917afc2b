"""What tests of several packages need: a small search, a stand-in, a server, a small disk."""

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

import studies
from tests.support.mounts import lacking, mount_point
from tests.support.postgres import Server

if TYPE_CHECKING:  # the process that hands out tests would load torch for nothing
    from tests.support.standin import StandIn
    from tests.support.terminal import Terminal

# Commands that tests start import what the tests import.
os.environ["PYTHONPATH"] = str(Path(studies.__file__).parents[1])
# Dask looks a hundred times a second what its workers do, which is half of what they cost idle.
os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "false"


# What is loaded stays: to look through it for garbage takes a fifth of the time to load it, and a
# twelfth of that of the tests.
gc.disable()


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
    gc.enable()


TOGETHER = ("tests/faults/", "tests/studies/search/", "tests/studies/test_report_command.py")
"""Where tests share processes that take seconds to start: Dask workers, and a finished search."""


class ByFile(LoadScopeScheduling):
    """Gives an xdist worker all tests of a file, or of the files that share processes."""

    def _split_scope(self, nodeid: str) -> str:
        return "together" if nodeid.startswith(TOGETHER) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def schema_scripts() -> None:
    """Read the scripts that describe Optuna's tables once, not three times for each new store."""
    from optuna.storages._rdb.storage import _VersionManager

    read, scripts = _VersionManager._create_alembic_script, []

    def read_once(manager: _VersionManager) -> Any:
        if not scripts:
            scripts.append(read(manager))
        return scripts[0]

    _VersionManager._create_alembic_script = read_once


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Numbers as they are again after a training in this process, which does without denormals."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw figures, but paint no pictures of them: what these look like is tested elsewhere."""
    from matplotlib.figure import Figure

    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(b"picture"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that is not the user's; its images are parsed once for all xdist workers."""
    from digitcmp.data import sample

    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with FileLock(folder / "cache.lock"):
        sample.arrays(folder / "cache")
    return folder / "cache"


@pytest.fixture(scope="session")
def whole(
    tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[tuple["Terminal", str]]:
    """A small search from the command line with two workers, and what it said."""
    from tests.support.terminal import SMALL, Terminal

    with closing(Terminal(tmp_path_factory.mktemp("whole"), cache)) as terminal:
        yield terminal, terminal.run("studies.run", *SMALL, "--workers", "2")


@pytest.fixture
def standin(tmp_path: Path) -> "StandIn":
    """Nothing goes wrong with it; `dataclasses.replace` changes that."""
    from tests.support.standin import StandIn

    folder = tmp_path / "standin"
    folder.mkdir()
    return StandIn(folder)


@pytest.fixture(scope="session")
def workers() -> Iterator[str]:
    """The address of two real workers; those who find them warm are quick."""
    from studies.workers.local import LocalWorkers

    with closing(LocalWorkers(2)) as started:
        yield started.cluster.scheduler_address


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server that runs; who stops it starts it again."""
    found = [Path(which).parent for which in [shutil.which("initdb")] if which]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not found:
        lacking("no PostgreSQL server is installed (initdb)")
    server = Server(found[-1])
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove()


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """An empty database."""
    import psycopg

    with psycopg.connect(postgres.url.replace("+psycopg", ""), autocommit=True) as connection:
        # Ten times as fast as a new database.
        connection.execute("drop schema public cascade")
        connection.execute("create schema public")
    return postgres.url


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A file system of its own: `small_disk("size=1m")` mounts it or changes its options."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mount_point(disk) as mount:

        def change(options: str) -> Path:
            if disk.is_mount():
                mount("-o", f"remount,{options}")
            else:
                mount("-t", "tmpfs", "-o", options, "tmpfs")
            return disk

        yield change
