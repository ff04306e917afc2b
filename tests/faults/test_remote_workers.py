"""Dask processes that come and go."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import lives
import pytest
from dask_processes import scheduler, worker
from standin import StandIn
from terminal import Terminal, wait_for

LONGER = ("AuxsiameseMLP", "--epochs", "8", "--repeats", "2", "--reruns", "2", "--experiment", "s")


def end(run: "subprocess.Popen[str]") -> None:
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said


@pytest.fixture
def local(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Terminal]:
    with closing(Terminal(tmp_path_factory.mktemp("local"), cache)) as terminal:
        end(terminal.start("studies.run", *LONGER))
        yield terminal


@pytest.mark.slow
def test_workers_may_join_and_leave(
    terminal: Terminal, local: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The results of real trainings are those of a local run, to the bit."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler(folder) as (address, _), worker(address, folder) as first:
        run = terminal.start("studies.run", *LONGER, "--cluster", address)
        terminal.wait_for_trainings(4)
        with worker(address, folder):
            terminal.wait_for_trainings(12)
            first.kill()
            end(run)
    assert terminal.trained() == local.trained()


def test_a_run_says_that_it_waits_for_workers(
    tmp_path: Path, cache: Path, standin: StandIn, search: tuple[str, ...]
) -> None:
    """Once, and goes on with the first that joins."""
    log = tmp_path / "log"
    with scheduler(tmp_path) as (address, _):
        life = lives.begin(tmp_path, lives.run, standin, cache, *search, "--cluster", address)
        wait_for(lambda: log.exists() and "no workers" in log.read_text(), "said")
        with worker(address, tmp_path):
            life.join(60)
    assert life.exitcode == 0, log.read_text()
    assert log.read_text().count("The cluster has no workers: this run waits until one joins.") == 1
