"""Dask processes that come and go."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from distributed import Client

from studies import bound
from studies import run as command
from tests.faults import lives
from tests.faults.dask_processes import scheduler, worker
from tests.support.standin import StandIn
from tests.support.terminal import Terminal, wait_for

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


@pytest.mark.slow
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


MINE = """
from beside_only_here import grown
from studies import Experiment, Stage

class Heights:
    def __init__(self, heights):
        self.heights = heights

def load():
    return Heights([1, 2, 3])

def train(parameters, seed, data):
    return {"accuracy": grown(data.heights, parameters["depth"]) + seed / 1000}

experiment = Experiment(
    "mine", {"tree": train}, [Stage("size", depth=[2, 4])], repeats=2, reruns=1, data=load
)
"""


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("cluster", ["workers", pytest.param("dask", marks=pytest.mark.slow)])
def test_what_a_file_defines_travels_to_workers_that_lack_it(
    cluster: str,
    terminal: Terminal,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the file beside it, and with data of its own kind."""
    address = request.getfixturevalue(cluster)
    monkeypatch.chdir(terminal.folder)
    # The command adds the folder of the file, and imports what lies there.
    monkeypatch.setattr(sys, "path", [*sys.path])
    (terminal.folder / "only_here.py").write_text(MINE)
    grown = "def grown(heights, by): return sum(heights) * by\n"
    (terminal.folder / "beside_only_here.py").write_text(grown)
    with Client(address) as client:
        client.wait_for_workers(2)
        for module in ("only_here", "beside_only_here"):
            monkeypatch.delitem(sys.modules, module, raising=False)
            assert list(client.run(importlib.util.find_spec, module).values()) == [None, None]

    def run() -> str:
        with pytest.raises(SystemExit) as ended:
            command.main(["tree", "--define", "only_here.py", "--cluster", address])
        said = capsys.readouterr()
        assert ended.value.code == 0, said
        return said.out + said.err

    assert "5 trainings" in run()
    assert terminal.query("select depth, seed, accuracy from training_runs order by 1, 2") == [
        (2, 0, 12.0), (2, 1, 12.001), (4, 0, 24.0), (4, 1, 24.001), (4, 10, 24.01),
    ]  # fmt: skip
    assert "nothing is left to train" in run()


WHERE = """
import os
import time

from studies import Experiment, Stage

def train(parameters, seed):
    time.sleep(0.3)  # so that a worker has time to join
    return {"accuracy": 0.5, "process": os.getpid()}

experiment = Experiment("where", {"tree": train}, [Stage("size", depth=[*range(50)])], repeats=2)
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> str:
    """The path of workers that have another copy of this package, of which one file differs."""
    copy = tmp_path / "copy"
    for package in bound.PACKAGES:
        shutil.copytree(bound.FOLDER / package, copy / package)
    with (copy / "digitcmp" / "models.py").open("a") as models:
        models.write("METHODS = {}\n")
    return os.pathsep.join([str(copy), *filter(None, sys.path)])


@pytest.mark.slow
@pytest.mark.parametrize("is_late", [False, True])
def test_a_worker_of_another_version_does_not_train(
    is_late: bool, terminal: Terminal, tmp_path: Path, elsewhere: str
) -> None:
    """Whether it joins before or later, and it is told once."""
    (terminal.folder / "where.py").write_text(WHERE)
    command = ("studies.run", "tree", "--define", "where.py", "--cluster")
    with (
        scheduler(tmp_path) as (address, _),
        worker(address, tmp_path),
        Client(address) as client,
    ):
        client.wait_for_workers(1)
        (process,) = client.run(os.getpid).values()
        if is_late:
            run = terminal.start(*command, address)
            terminal.wait_for_trainings(4)
        with worker(address, tmp_path, PYTHONPATH=elsewhere):
            client.wait_for_workers(2)
            if not is_late:
                run = terminal.start(*command, address)
            said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert said.count("does not train: it has code of this package ") == 1
    assert "Traceback" not in said
    assert terminal.query("select process, count(*) from training_runs group by 1") == [
        (process, 110)
    ]


@pytest.mark.slow
def test_without_any_other_workers_a_run_ends(
    terminal: Terminal, tmp_path: Path, elsewhere: str
) -> None:
    (terminal.folder / "where.py").write_text(WHERE)
    with scheduler(tmp_path) as (address, _), worker(address, tmp_path, PYTHONPATH=elsewhere):
        with Client(address) as client:
            client.wait_for_workers(1)
        run = terminal.start("studies.run", "all", "--define", "where.py", "--cluster", address)
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 1, said
    assert said.startswith("error: no worker trains as this driver would, such as tcp://127")
    assert said.count("\n") == 1
    assert not terminal.store.exists()
