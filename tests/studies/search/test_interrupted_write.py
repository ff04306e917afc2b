"""A signal that comes while the store is written leaves a store as after any other moment."""

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from storage.store import open_store
from studies.display.errors import Interrupted
from studies.display.exit_codes import interruptible
from studies.experiment.study import GridStudy
from studies.search.chain import open_study
from tests.faults.at_commits import GRIDS, AtOnce
from tests.support.runs import Runs
from tests.support.standin import StandIn

MOMENTS = 12


@pytest.fixture
def statements() -> Iterator[list[int]]:
    """Counts the statements that are sent to any store, and sends Ctrl-C after one of them."""
    counted, numbers = [0, 0], count(1)

    def after(*_: Any) -> None:
        counted[0] = next(numbers)
        if counted[0] == counted[1]:
            os.kill(os.getpid(), signal.SIGINT)

    event.listen(Engine, "after_cursor_execute", after)
    yield counted
    event.remove(Engine, "after_cursor_execute", after)


def search(url: str, folder: Path, statements: list[int], after: int = 0) -> tuple[int, int]:
    """Search two cells, with Ctrl-C some statements after the search began.

    Returns how many were sent before it began, and until its end.
    """
    folder.mkdir(exist_ok=True)
    experiment = replace(StandIn(folder).experiment(epochs=2, repeats=2, reruns=1), name="toy")
    study = GridStudy(experiment, "MLP", "lr-batch", GRIDS["lr-batch"])
    with Runs(url, "").driver(experiment, AtOnce(experiment)) as driver:
        rounds = driver.rounds(study, open_study(driver, study))
        before = statements[0]
        statements[1] = before + after if after else 0
        driver.run([rounds])
        return before, statements[0]


@pytest.mark.parametrize("of_command", [True, False], ids=["command", "script"])
def test_a_signal_in_a_write_frees_all_cells(
    tmp_path: Path, statements: list[int], of_command: bool, request: pytest.FixtureRequest
) -> None:
    # Whatever started the tests may ignore it.
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before, end = search(f"sqlite:///{tmp_path / 'whole.db'}", tmp_path / "whole", statements)
    for moment in range(1, end - before, (end - before) // MOMENTS):
        url = f"sqlite:///{tmp_path / f'{moment}.db'}"
        handled = interruptible() if of_command else nullcontext()
        with pytest.raises(Interrupted if of_command else KeyboardInterrupt), handled:
            search(url, tmp_path / str(moment), statements, moment)
        with open_store(url) as store, store.engine.connect() as connection:
            running = text("select count(*) from trials where state = 'RUNNING'")
            assert connection.scalar(running) == 0
