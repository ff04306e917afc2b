"""A small study whose driver kills itself just before or just after a commit of its choice."""

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from runs import Runs
from sqlalchemy.engine.default import DefaultDialect
from standin import StandIn

from studies.chain import open_study
from studies.driver import Driver
from studies.grid import fail_unfinished
from studies.protocol import Protocol
from studies.stages import Stage

PROTOCOL = Protocol(epochs=2, repeats=2, reruns=1)
SEARCH = Stage(
    "toy", "MLP", "lr-batch", PROTOCOL, {"learning_rate": [5e-3, 1e-3], "batch_size": [8]}
)
RERUN = Stage(
    "toy", "MLP", "rerun", PROTOCOL,
    {"learning_rate": [1e-3], "batch_size": [8], "seed": [10]},
)  # fmt: skip


class AtOnce:
    """Does each job at once in the driver's own process, in place of a cluster.

    Every commit is the driver's, between jobs: workers would add seconds to each life, and nothing
    to what is tested here.
    """

    def __init__(self) -> None:
        self._ended: list[tuple[object, Any]] = []

    def threads(self) -> int:
        return 1

    def submit(self, function: Callable[..., Any], *arguments: Any, same_worker: bool) -> object:
        job = object()
        self._ended.append((job, function(*arguments)))
        return job

    def finished(self, seconds: float) -> list[tuple[object, Any]]:
        ended, self._ended = self._ended, []
        return ended

    def cancel(self, jobs: list[object]) -> None:
        pass


def study(folder: Path, standin: StandIn, last: int) -> None:
    """Run a search and its reruns, till moment `last`: two are counted at each commit.

    Writes to `moments` how many there were.
    """
    moments = count(1)
    commit = DefaultDialect.do_commit

    def moment() -> None:
        number = next(moments)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(dialect: DefaultDialect, connection: Any) -> None:
        moment()
        commit(dialect, connection)
        moment()

    def work(driver: Driver) -> None:
        for stage in (SEARCH, RERUN):
            opened = open_study(driver, stage)
            fail_unfinished(opened)
            driver.run(stage, opened)

    DefaultDialect.do_commit = counted  # type: ignore[method-assign]
    runs = Runs(f"sqlite:///{folder / 'studies.db'}", AtOnce())  # type: ignore[arg-type]
    assert runs.drive(standin, work) == []
    (folder / "moments").write_text(str(next(moments) - 1))
