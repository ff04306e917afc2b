"""The scheduler of the user's cluster goes away."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from distributed import Client

from tests.faults import lives
from tests.faults.dask_processes import scheduler, worker
from tests.faults.stores.small_searches import Result, search_here
from tests.support.standin import StandIn
from tests.support.terminal import wait_for


def lose(
    folder: Path, standin: StandIn, cache: Path, search: tuple[str, ...], after: int, number: int
) -> tuple[int | None, float]:
    """Send a signal to the scheduler once some jobs are done; the driver's exit code, in how many
    seconds."""
    with scheduler(folder) as (address, process), worker(address, folder):
        life = lives.begin(folder, lives.run, standin, cache, *search, "--cluster", address)
        try:
            wait_for(lambda: len(standin.jobs()) >= after, f"{after} jobs")
            process.send_signal(number)
            sent = time.monotonic()
            life.join(60)
            return life.exitcode, time.monotonic() - sent
        finally:
            life.kill()


@pytest.mark.slow
@pytest.mark.parametrize(
    "instants", [[(1, signal.SIGKILL), (25, signal.SIGTERM), (31, signal.SIGKILL)]]
)
def test_cluster_lost(
    instants: list[tuple[int, int]],
    tmp_path: Path,
    cache: Path,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    wrong, seconds = list[str](), list[float]()
    for after, number in instants:
        folder = tmp_path / str(after)
        folder.mkdir()
        standin = StandIn(folder, seconds=0.2)
        code, taken = lose(folder, standin, cache, search, after, number)
        seconds.append(taken)
        said = (folder / "log").read_text()
        if code != 1 or taken > 30:
            wrong.append(f"exit code {code} after {taken:.0f} s")
        if said.splitlines()[-1] != "error: the Dask scheduler is gone: run again to go on":
            wrong.append(said)
        if "Traceback" in said:
            wrong.append(said)
        wrong += finish(folder, standin)
    reported(
        f"cluster lost: {len(instants)} times, ended within {max(seconds):.1f} s, "
        f"{len(wrong)} violations"
    )
    assert wrong == []


@pytest.fixture
def search_on(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Result]:
    """Call the command with the address of a cluster, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITCMP_CACHE", str(cache))
    return lambda address: search_here("sqlite:///studies.db", address, "MLP")


@pytest.mark.parametrize(
    ("address", "code", "said"),
    [
        ("nonsense", 2, "'nonsense' is no address of a Dask scheduler: give tcp://HOST:PORT"),
        ("tcp://host", 2, "'tcp://host' is no address of a Dask scheduler"),
        ("tcp://host:port", 2, "'tcp://host:port' is no address"),
        ("http://127.0.0.1:9", 2, "'http://127.0.0.1:9' is no address"),
        pytest.param(
            "tcp://127.0.0.1:9", 1, "no Dask scheduler answers at tcp://127.0.0.1:9",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "tcp://missing.invalid:9", 1, "no Dask scheduler answers at tcp://missing.invalid:9",
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_nobody_answers(
    address: str, code: int, said: str, tmp_path: Path, search_on: Callable[[str], Result]
) -> None:
    """And no new store is left behind."""
    result = search_on(address)
    assert result.exit_code == code, result.output
    assert f"error: {said}" in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_workers_without_this_package(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, search_on: Callable[[str], Result]
) -> None:
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "digitcmp.py").write_text("raise ModuleNotFoundError('No module named digitcmp')")
    path = os.pathsep.join([str(hidden), *filter(None, sys.path)])
    with scheduler(hidden) as (address, _), worker(address, hidden, PYTHONPATH=path):
        with Client(address) as client:
            client.wait_for_workers(1)
        result = search_on(address)
    said = result.output
    assert result.exit_code == 1, said
    assert "error: the cluster's workers lack this package, or another one that it needs" in said
    assert "No module named digitcmp" in said
    assert "Traceback" not in said
    assert not (tmp_path / "studies.db").exists()
