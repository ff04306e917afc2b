"""A folder in which commands are typed, and a small search of a real model."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import studies
from tests.support.standin import StandIn

SMALL = ("MLP", "--epochs", "2", "--repeats", "2", "--reruns", "2")
SMALL += ("--grid", "batch_size=16,64,128")
"""26 trainings: four learning rates, three batch sizes."""
DEFINITION = Path(__file__).with_name("standin_experiment.py")
NAME = "paper+epochs=2,repeats=2,reruns=2+batch_size=16,64,128"


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not {what} within {seconds} s")
        time.sleep(0.01)


@dataclass
class Terminal:
    """A folder in which commands are typed."""

    folder: Path
    cache: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    """In the environment of every process that descends from this terminal."""

    @property
    def store(self) -> Path:
        return self.folder / "studies.db"

    def start(self, module: str, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """Type a command; `more` goes into its environment."""
        environment = {"DIGITCMP_CACHE": str(self.cache), "MARK": self.mark} | more
        path = [str(Path(studies.__file__).parents[1]), *filter(None, sys.path)]
        environment["PYTHONPATH"] = os.pathsep.join(path)
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C reaches all processes of a terminal's group.
            start_new_session=True,
        )

    def start_standin(self, standin: StandIn, *arguments: str) -> "subprocess.Popen[str]":
        """Type the command that runs, with a stand-in for training."""
        more = {"STANDIN": str(pickled(standin))}
        return self.start("studies.run", "--define", str(DEFINITION), *arguments, **more)

    def run(self, module: str, *arguments: str) -> str:
        process = self.start(module, *arguments)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        assert "Traceback" not in output
        return output

    def query(self, statement: str) -> list[tuple[object, ...]]:
        store = f"file:{self.store}?mode=ro"
        with closing(sqlite3.connect(store, uri=True, timeout=60)) as connection:
            return connection.execute(statement).fetchall()

    def trained(self) -> list[tuple[object, ...]]:
        return self.query(
            "select fingerprint, model, learning_rate, batch_size, alpha, seed, status, accuracy, "
            "validation_accuracy, loss_curve from training_runs order by fingerprint"
        )

    def wait_for_trainings(self, count: int) -> None:
        def enough() -> bool:
            try:
                return len(self.query("select 1 from training_runs")) >= count
            except sqlite3.OperationalError:  # not made yet
                return False

        wait_for(enough, f"{count} trainings")

    def processes(self) -> list[int]:
        """All processes that descend from this terminal."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"MARK={self.mark}".encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:  # gone meanwhile
                pass
        return found

    def workers(self) -> list[int]:
        """Those of them that train."""
        return [pid for pid in self.processes() if _is_worker(pid)]

    def close(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)


def pickled(standin: StandIn) -> Path:
    """A file that holds a stand-in, for the file that defines its experiment."""
    path = standin.folder / "standin.pickle"
    path.write_bytes(pickle.dumps(standin))
    return path


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
