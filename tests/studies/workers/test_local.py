"""Worker processes on this machine, and the script that starts them."""

import os
import resource
import subprocess
import sys
from multiprocessing import spawn
from pathlib import Path
from types import SimpleNamespace

import pytest
from distributed import Status

from studies.bound import FOLDER
from studies.display.errors import ClusterLost
from studies.workers import local
from studies.workers.local import LocalWorkers

SCRIPT = """
import os

import studies

print("runs")

class Heights:
    def __init__(self, heights):
        self.heights = heights

def load():
    return Heights([1, 2])

def grown(heights):
    return sum(heights)

def train(parameters, seed, data):
    if not os.path.exists("died"):
        open("died", "w").close()
        os._exit(1)
    return {"accuracy": grown(data.heights) * parameters["depth"]}

experiment = studies.Experiment(
    "mine", {"tree": train}, [studies.Stage("size", depth=[2])], repeats=1, reruns=1, data=load
)
print(studies.run_model("tree", define=experiment).mean)
"""


def test_workers_are_told_of_no_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "script.py", raising=False)
    assert "init_main_from_path" not in spawn.get_preparation_data("Dask Worker process (1)")
    assert "init_main_from_path" in spawn.get_preparation_data("SpawnProcess-1")


def test_workers_that_were_stopped_for_long_are_kept() -> None:
    workers = LocalWorkers(1)
    try:
        assert workers.cluster.scheduler.worker_ttl is None
    finally:
        workers.close()


@pytest.mark.slow
def test_a_script_may_run_a_model_at_its_top_level(tmp_path: Path) -> None:
    """With what it defines, also on a worker that is started again."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    assert (tmp_path / "died").exists()
    assert done.stdout.split() == ["runs", "6.0"]
    assert "Traceback" not in done.stderr


class Dying:
    """A cluster whose workers die as they start."""

    def __init__(self) -> None:
        self.worker_spec: dict[int, object] = {}
        self.started = 0

    @property
    def workers(self) -> dict[int, object]:
        return dict.fromkeys(self.worker_spec, SimpleNamespace(status=Status.failed))

    def scale(self, count: int) -> None:
        while len(self.worker_spec) < count:
            self.worker_spec[self.started] = object()
            self.started += 1

    def close(self) -> None:
        pass


def test_workers_that_die_as_they_start_end_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Dying()
    monkeypatch.setattr(local, "_cluster", lambda: cluster)
    started = LocalWorkers(2)
    with pytest.raises(ClusterLost, match=r"^all of 12 worker processes died as they started"):
        for _ in range(10):
            started.look_after(0)
    started.close()


def test_workers_that_die_after_one_was_alive_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Dying()
    monkeypatch.setattr(local, "_cluster", lambda: cluster)
    started = LocalWorkers(2)
    started.look_after(1)
    for _ in range(10):
        started.look_after(0)
    assert cluster.started == 24
    started.close()


def test_a_limit_of_memory_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (10**9, 10**9))
    with pytest.raises(ClusterLost, match=r"^a limit of 1.0 GB of memory per process \(`ulimit"):
        LocalWorkers(2)
