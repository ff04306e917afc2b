"""Real trainings on Dask processes that come and go."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from dask_processes import scheduler, worker
from terminal import Terminal

LONGER = ("AuxsiameseMLP", "--epochs", "8", "--repeats", "2", "--reruns", "2", "--experiment", "s")

pytestmark = pytest.mark.slow


def end(run: "subprocess.Popen[str]") -> None:
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said


@pytest.fixture
def local(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Terminal]:
    with closing(Terminal(tmp_path_factory.mktemp("local"), cache)) as terminal:
        end(terminal.start("studies.run", *LONGER))
        yield terminal


def test_workers_may_join_and_leave(
    terminal: Terminal, local: Terminal, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The results are those of a local run, to the bit."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler(folder) as (address, _), worker(address, folder) as first:
        run = terminal.start("studies.run", *LONGER, "--cluster", address)
        terminal.wait_for_trainings(4)
        with worker(address, folder):
            terminal.wait_for_trainings(12)
            first.kill()
            end(run)
    assert terminal.trained() == local.trained()
