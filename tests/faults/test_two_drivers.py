"""Two drivers that start together on one store: one runs, the other says who."""

import re
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from random import Random

import pytest

from tests.faults import lives
from tests.support.standin import StandIn


@pytest.mark.slow
@pytest.mark.parametrize("times", [20])
def test_two_drivers(
    times: int,
    tmp_path: Path,
    cache: Path,
    dask: str,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    wrong: list[str] = []
    for number in range(times):
        folder = tmp_path / str(number)
        folder.mkdir()
        standin = StandIn(folder, seconds=0.05)

        def begin(log: str, folder: Path = folder, standin: StandIn = standin) -> lives.Life:
            arguments = (standin, cache, *search, "--cluster", dask)
            return lives.begin(folder, lives.run, *arguments, log=log)

        pair = {each.sentinel: each for each in (begin("0"), begin("1"))}
        loser = pair.pop(wait(list(pair), timeout=60)[0])  # type: ignore[arg-type]
        (winner,) = pair.values()
        loser.join()
        said = [(folder / log).read_text() for log in ("0", "1")]
        named = f"is in use by process {winner.pid} on host {socket.gethostname()}"
        if loser.exitcode != 3 or not any(re.search(named, each) for each in said):
            wrong.append(f"exit code {loser.exitcode}: {said}")
        time.sleep(Random(number).uniform(0, 0.5))
        if winner.exitcode is not None:
            wrong.append(f"the winner ended with {winner.exitcode}")
        winner.kill()
        winner.join()
        # Free at once: the next one needs not wait for it.
        wrong += finish(folder, standin)
    reported(f"two drivers: {times} times, {len(wrong)} violations")
    assert wrong == []
