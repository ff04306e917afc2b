"""A clock that jumps: durations are measured with one that does not."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.dask_processes import scheduler, worker
from tests.faults.invariants import Results, violations
from tests.support.terminal import SMALL, Terminal

DURATIONS = "select min(train_seconds), min(cpu_seconds), max(train_seconds) from training_runs"
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def jumping_clock(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A library that makes the wall clock jump by an hour, forth and back."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        reason = "no C compiler is installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return str(library)


def test_the_clock_jumps(jumping_clock: str) -> None:
    """Else the test below would show nothing."""
    code = (
        "import threading, time\n"
        "def look():\n"
        "    steps, before = [], time.time()\n"
        "    while not (steps and min(steps) < -3599 and max(steps) > 3599):\n"
        "        now = time.time(); steps.append(now - before); before = now\n"
        "thread = threading.Thread(target=look); thread.start(); thread.join()\n"
    )
    environment = os.environ | {"LD_PRELOAD": jumping_clock}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("times", [2])
def test_clock_jumps(
    times: int,
    tmp_path: Path,
    cache: Path,
    jumping_clock: str,
    whole: tuple[Terminal, str],
    reported: Callable[[str], None],
) -> None:
    """Nor do they change a result."""
    wrong: list[str] = []
    for number in range(times):
        folder = tmp_path / str(number)
        folder.mkdir()
        terminal = Terminal(folder, cache)
        with (
            scheduler(tmp_path) as (address, _),
            worker(address, tmp_path, count=2, LD_PRELOAD=jumping_clock),
        ):
            terminal.run("studies.run", *SMALL, "--cluster", address)
        ((wall, cpu, longest),) = terminal.query(DURATIONS)
        if not (0 < wall <= longest < 600 and cpu > 0):
            wrong.append(f"durations from {wall} to {longest} s, {cpu} s of the processor")
        starts = terminal.query("select min(started_at), max(started_at) from training_runs")
        if datetime.fromisoformat(starts[0][1]) - datetime.fromisoformat(starts[0][0]) < HOUR:
            wrong.append(f"the clock did not jump: {starts}")
        wrong += violations(terminal.store, Results.of(whole[0].store))
    reported(f"clock jumps: {times} times, {len(wrong)} violations")
    assert wrong == []
