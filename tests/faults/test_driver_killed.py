"""kill -9 of the driver at random instants, several times over each run."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.faults import lives
from tests.support.standin import StandIn

Finish = Callable[[Path, StandIn], list[str]]

IN_FLIGHT = 4
"""Jobs at a time on two workers: one each, and as many that wait."""


def killed_often(folder: Path, cache: Path, arguments: tuple[str, ...], draw: Random) -> int:
    """Complete a run over many lives; how many of them were killed."""
    standin = StandIn(folder, seconds=0.05)
    kills = 0
    while True:
        life = lives.begin(folder, lives.run, standin, cache, *arguments)
        # Past the promise's five or more, nobody gains from more.
        life.join(draw.uniform(0.1, 1.2) if kills < 6 else None)
        life.kill()
        life.join()
        if life.exitcode == 0:
            return kills
        assert life.exitcode == -signal.SIGKILL, (folder / "log").read_text()
        kills += 1


@pytest.mark.slow
@pytest.mark.parametrize("runs", [20])
def test_driver_killed(
    runs: int,
    in_memory: Path,
    cache: Path,
    dask: str,
    search: tuple[str, ...],
    finish: Finish,
    reported: Callable[[str], None],
) -> None:
    arguments = (*search, "--cluster", dask)
    kills, wrong = 0, list[str]()
    for number in range(runs):
        folder = in_memory / str(number)
        folder.mkdir()
        killed = killed_often(folder, cache, arguments, Random(number))
        kills += killed
        standin = StandIn(folder)
        begun = Counter(map(str, standin.jobs("begin")))
        if (repeated := begun.total() - len(begun)) > killed * IN_FLIGHT:
            wrong.append(f"{repeated} jobs done again after {killed} kills")
        wrong += finish(folder, standin)
    reported(f"driver killed: {kills} kills in {runs} runs, {len(wrong)} violations")
    assert wrong == []
    assert kills >= 5 * runs
