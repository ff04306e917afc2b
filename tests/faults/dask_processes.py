"""Dask processes that are started by their own commands, as users start them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _dask(*arguments: str, folder: Path, **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A user's shell does not know the checkout: only what is installed, or on this path.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))} | more,
    )


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        # Its workers go with it.
        process.kill()
        process.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler's address and process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    with _ended(_dask("scheduler", *arguments, folder=folder)) as process:
        yield f"tcp://127.0.0.1:{port}", process


@contextmanager
def worker(
    address: str, folder: Path, count: int = 1, host: str = "127.0.0.1", **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The process that starts `count` workers; `more` goes into their environment."""
    arguments = ("--nthreads", "1", "--nworkers", str(count), "--host", host)
    started = _dask("worker", address, *arguments, "--no-dashboard", folder=folder, **more)
    with _ended(started) as process:
        yield process
