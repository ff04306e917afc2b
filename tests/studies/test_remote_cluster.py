"""A run on Dask processes that were started by their own commands, as users start them."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SMALL = ["--epochs", "8", "--repeats", "2", "--reruns", "2", "--experiment", "small"]


def dask(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A user's shell does not know the checkout: only what is installed, or on this path.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


@contextmanager
def scheduler(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = dask(
        "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", folder=folder
    )
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def worker(address: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = dask(
        "worker", address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard",
        folder=folder,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


def run(store: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "studies.run", "AuxsiameseMLP", *SMALL]
    return subprocess.Popen(
        [*command, "--storage", f"sqlite:///{store}", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def trainings(store: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        return connection.execute(
            "select model, learning_rate, batch_size, alpha, seed, accuracy, loss_curve "
            "from training_runs order by 1, 2, 3, 4, 5"
        ).fetchall()


def wait_for_trainings(store: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if len(trainings(store)) >= count:
                return
        except sqlite3.OperationalError:  # not made yet
            pass
        time.sleep(0.05)
    raise TimeoutError(f"no {count} trainings within a minute")


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    store = tmp_path_factory.mktemp("local") / "studies.db"
    process = run(store)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    return trainings(store)


def test_workers_may_join_and_leave(tmp_path: Path, local: list[tuple[object, ...]]) -> None:
    """The results are those of a local run, to the bit."""
    store = tmp_path / "studies.db"
    with scheduler(tmp_path) as address, worker(address, tmp_path) as first:
        process = run(store, "--cluster", address)
        wait_for_trainings(store, 4)
        with worker(address, tmp_path):
            wait_for_trainings(store, 12)
            first.send_signal(signal.SIGKILL)
            output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert trainings(store) == local


@pytest.mark.slow
def test_a_scheduler_that_goes_ends_the_run_and_loses_nothing(
    tmp_path: Path, local: list[tuple[object, ...]]
) -> None:
    store = tmp_path / "studies.db"
    with scheduler(tmp_path) as address, worker(address, tmp_path):
        process = run(store, "--cluster", address)
        wait_for_trainings(store, 4)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1, output
    assert "scheduler is gone" in output
    assert "Traceback" not in output, output
    resumed = run(store)
    output, _ = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, output
    assert trainings(store) == local


@pytest.mark.slow
def test_nobody_answers(tmp_path: Path) -> None:
    process = run(tmp_path / "studies.db", "--cluster", "tcp://127.0.0.1:9")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: no Dask scheduler answers at tcp://127.0.0.1:9" in output
    assert "Traceback" not in output, output
