"""Lives of a driver that begin at once: forked from a process in which all is loaded.

Each is a process of its own, to be killed like any other.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from studies import run as command
from tests.support.standin import StandIn
from tests.support.terminal import DEFINITION, pickled

Life = ForkServerProcess


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.loaded"])
    with pytest.MonkeyPatch.context() as patch:
        # The server passes over what it cannot find, and then each life loads it anew.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context


def begin(folder: Path, work: Callable[..., object], *arguments: Any, log: str = "log") -> Life:
    """Start `work(*arguments)` in a folder; what it prints goes to a file there."""
    life = _context().Process(target=_live, args=(folder, log, work, arguments))
    life.start()
    return life


def _live(folder: Path, log: str, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    work(*arguments)


def run(standin: StandIn, cache: Path, *arguments: str) -> None:
    """The command `studies.run` with a stand-in for training."""
    os.environ |= {"DIGITCMP_CACHE": str(cache), "STANDIN": str(pickled(standin))}
    command.main(["--define", str(DEFINITION), *arguments])
