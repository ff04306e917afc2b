"""A search that was interrupted again and again ends like one that was not, to the bit."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.invariants import Results, violations
from tests.support.terminal import SMALL, Terminal

pytestmark = pytest.mark.slow


@dataclass
class Life:
    """One run of several on a store, and what was left a little after its end."""

    code: int
    said: str
    seconds_to_end: float
    trainings: int
    running: int
    processes: list[int]


def live(terminal: Terminal, trainings: int, number: int, group: bool) -> Life:
    """Run until some trainings are recorded, then send a signal."""
    process = terminal.start("studies.run", *SMALL, "--workers", "1")
    terminal.wait_for_trainings(trainings)
    sent = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    said, _ = process.communicate(timeout=60)
    seconds = time.monotonic() - sent
    deadline = time.monotonic() + 2
    while terminal.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    ((running,),) = terminal.query("select count(*) from trials where state = 'RUNNING'")
    return Life(
        process.returncode, said, seconds, len(terminal.trained()), running, terminal.processes()
    )


@pytest.fixture(scope="module")
def lives(
    tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> Iterator[tuple[Terminal, list[Life]]]:
    with closing(Terminal(tmp_path_factory.mktemp("interrupted"), cache)) as terminal:
        yield (
            terminal,
            [
                live(terminal, 6, signal.SIGINT, group=True),
                live(terminal, 14, signal.SIGKILL, group=False),
            ],
        )


def test_ctrl_c_ends_a_run_in_good_order(lives: tuple[Terminal, list[Life]]) -> None:
    life = lives[1][0]
    assert life.code == 130
    assert life.said.splitlines()[-1] == "interrupted: the same command goes on from here"
    assert "Traceback" not in life.said
    assert life.running == 0
    assert life.seconds_to_end < 30


def test_they_were_interrupted_midway(lives: tuple[Terminal, list[Life]]) -> None:
    """Else the tests here would show nothing."""
    counts = [life.trainings for life in lives[1]]
    assert counts == sorted(set(counts))
    assert counts[-1] < 26
    assert lives[1][1].code == -signal.SIGKILL


def test_no_process_is_left_behind(lives: tuple[Terminal, list[Life]]) -> None:
    assert [life.processes for life in lives[1]] == [[], []]


def test_it_ends_like_one_that_was_not_interrupted(
    lives: tuple[Terminal, list[Life]], whole: tuple[Terminal, str]
) -> None:
    """Nor does the number of workers make a difference."""
    terminal = lives[0]
    said = terminal.run("studies.run", *SMALL, "--workers", "1")
    assert f"{lives[1][1].trainings} of them are recorded already" in said
    assert list(violations(terminal.store, Results.of(whole[0].store))) == []
    assert sorted(path.name for path in terminal.folder.iterdir()) == [
        "studies-artifacts", "studies.db", "studies.db.bak",
    ]  # fmt: skip
