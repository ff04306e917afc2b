"""Workers that are killed, that kill themselves, and that never come to an end."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.faults.invariants import ask
from tests.support.standin import StandIn
from tests.support.terminal import Terminal

FAILED = "select count(*) from trials where state = 'FAIL'"


def kill_workers(terminal: Terminal, run: "subprocess.Popen[str]", draw: Random) -> int:
    """Kill random workers until the run has ended; how many."""
    kills = 0
    while run.poll() is None:
        time.sleep(draw.uniform(0.3, 1.5))
        # Also one that is only starting; but six that die so end a run.
        if kills < 5 and (workers := sorted(terminal.workers())):
            os.kill(draw.choice(workers), signal.SIGKILL)
            kills += 1
    return kills


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [30])
def test_worker_killed(
    wanted: int,
    tmp_path: Path,
    cache: Path,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    draw = Random(wanted)
    kills, wrong = 0, list[str]()
    while kills < wanted:
        folder = tmp_path / str(kills)
        folder.mkdir()
        terminal = Terminal(folder, cache)
        run = terminal.start_standin(StandIn(folder, seconds=0.15), *search, "--workers", "2")
        killed = kill_workers(terminal, run, draw)
        kills += killed
        said, _ = run.communicate()
        if run.returncode != 0:
            wrong.append(f"exit code {run.returncode}: {said}")
        wrong += finish(folder, StandIn(folder))
        if (found := ask(terminal.store, FAILED)) != [(0,)]:
            wrong.append(f"failed trials: {found}")
        if left := terminal.processes():
            wrong.append(f"processes left: {left}")
        assert killed, "else this would never end"
    reported(f"worker killed: {kills} kills, {len(wrong)} violations")
    assert wrong == []


def wrong_with_bad_cells(
    terminal: Terminal, standin: StandIn, search: tuple[str, ...], bad: dict[tuple[float, int], str]
) -> Iterator[str]:
    """Run with trainings that end, or hang, each worker they are on.

    On a single worker: the job that waits behind such a training dies with it each time.
    """
    faulty = replace(standin, faults=bad, deadline=0.5)
    run = terminal.start_standin(faulty, *search, "--workers", "1")
    said, _ = run.communicate(timeout=180)
    if run.returncode != 1:
        yield f"exit code {run.returncode}: {said}"
    for rate, size in bad:
        attempts = sum(job[2:4] == [rate, size] for job in standin.jobs("begin"))
        if not 2 <= attempts <= 8:
            yield f"{attempts} attempts"
        for model, alpha in (("SiameseMLP", ""), ("AuxsiameseMLP", ", alpha 0")):
            study = f"failed: paper+epochs=2,repeats=2,reruns=2/{model}/lr-batch"
            cell = f"learning_rate {rate:g}, batch_size {size}{alpha}"
            reason = "its worker process died, or passed its deadline, in each of 4 attempts"
            if f"{study}, {cell}: {reason}" not in said:
                yield f"no reason: {said}"
    if "Traceback" in said:
        yield said
    states = ask(terminal.store, "select state, count(*) from trials group by 1 order by 1")
    if states != [("COMPLETE", 2 * (20 - len(bad))), ("FAIL", 2 * len(bad))]:
        yield f"others failed with it: {states}"
    if left := terminal.processes():
        yield f"processes left: {left}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "cells"),
    [
        ("die", [(1e-3, 16), (1e-4, 128), (5e-4, 32)]),
        ("hang", [(5e-3, 16), (1e-4, 8)]),
    ],
)
def test_a_training_that_ends_its_worker(
    fault: str,
    cells: list[tuple[float, int]],
    tmp_path: Path,
    cache: Path,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    wrong: list[str] = []
    for number, cell in enumerate(cells):
        folder = tmp_path / str(number)
        folder.mkdir()
        terminal, standin = Terminal(folder, cache), StandIn(folder)
        wrong += wrong_with_bad_cells(terminal, standin, search, {cell: fault})
        before = len(standin.jobs("end"))
        wrong += finish(folder, standin)
        if len(standin.jobs("end")) != before + 1 + 2 + 10 + 2:
            wrong.append("a later run did something else than the bad cell and what comes after")
    name = {"die": "poison", "hang": "hung training"}[fault]
    reported(f"{name}: {len(cells)} times, {len(wrong)} violations")
    assert wrong == []
