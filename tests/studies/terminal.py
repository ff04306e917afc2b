"""A folder in which commands are typed, and a small search of a real model."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import studies

SMALL = ("MLP", "--epochs", "2", "--repeats", "2", "--reruns", "2")
NAME = "paper+epochs=2,repeats=2,reruns=2"


@dataclass
class Terminal:
    """A folder in which commands are typed."""

    folder: Path
    cache: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    """In the environment of every process that descends from this terminal."""

    def start(self, module: str, *arguments: str) -> "subprocess.Popen[str]":
        environment = {"DIGITCMP_CACHE": str(self.cache), "MARK": self.mark}
        environment["PYTHONPATH"] = str(Path(studies.__file__).parents[1])
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

    def run(self, module: str, *arguments: str) -> str:
        process = self.start(module, *arguments)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
        assert "Traceback" not in output
        return output

    def query(self, statement: str) -> list[tuple[object, ...]]:
        store = f"file:{self.folder / 'studies.db'}?mode=ro"
        with closing(sqlite3.connect(store, uri=True, timeout=60)) as connection:
            return connection.execute(statement).fetchall()

    def trained(self) -> list[tuple[object, ...]]:
        return self.query(
            "select fingerprint, model, learning_rate, batch_size, alpha, seed, status, accuracy, "
            "validation_accuracy, loss_curve from training_runs order by fingerprint"
        )

    def wait_for_trainings(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if len(self.trained()) >= count:
                    return
            except sqlite3.OperationalError:  # not made yet
                pass
            time.sleep(0.02)
        raise TimeoutError(f"no {count} trainings within a minute")

    def processes(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"MARK={self.mark}".encode() in path.read_bytes():
                    found.append(int(path.parent.name))
            except OSError:  # gone meanwhile
                pass
        return found

    def close(self) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
