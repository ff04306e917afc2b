"""Worker processes on this machine, and the script that starts them."""

import os
import subprocess
import sys
from multiprocessing import spawn
from pathlib import Path

import pytest

from studies.bound import FOLDER
from studies.workers.local import _without_main

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
    with _without_main():
        assert "init_main_from_path" not in spawn.get_preparation_data("Dask Worker process (1)")
        assert "init_main_from_path" in spawn.get_preparation_data("of a user")
    assert "init_main_from_path" in spawn.get_preparation_data("Dask Worker process (1)")


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
        timeout=60,
        check=True,
    )
    assert (tmp_path / "died").exists()
    assert done.stdout.split() == ["runs", "6.0"]
    assert "Traceback" not in done.stderr
