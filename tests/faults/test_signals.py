"""A driver that is killed or told to end: no process of ours outlives it by two seconds."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from tests.support.standin import StandIn
from tests.support.terminal import Terminal, wait_for

SAID = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}


@dataclass
class Ending:
    """How a driver ended."""

    code: int
    said: str
    seconds: float
    """From the last signal on."""
    left: list[int]
    """Our processes two seconds later."""


def end(terminal: Terminal, driver: "subprocess.Popen[str]") -> Ending:
    signalled = time.monotonic()
    # Orphans may hold its output open: they must not hold us.
    code = driver.wait(60)
    ended = time.monotonic()
    while (left := terminal.processes()) and time.monotonic() - ended < 2:
        time.sleep(0.02)
    terminal.close()
    said, _ = driver.communicate()
    return Ending(code, said, ended - signalled, left)


def start(terminal: Terminal, standin: StandIn, search: tuple[str, ...]) -> subprocess.Popen[str]:
    """A driver that has begun to work."""
    driver = terminal.start_standin(standin, *search, "--workers", "2")
    lock = terminal.folder / "studies.db.lock"
    wait_for(lambda: lock.exists() and lock.read_text().startswith(f"{driver.pid} "), "begun")
    return driver


def send(terminal: Terminal, driver: "subprocess.Popen[str]", number: int) -> None:
    """As a terminal sends Ctrl-C, to the whole group; the others to the driver alone."""
    (os.killpg if number == signal.SIGINT else os.kill)(driver.pid, number)


def wrong_endings(ending: Ending, number: int) -> Iterator[str]:
    if ending.left:
        yield f"{len(ending.left)} processes left"
    if number == signal.SIGKILL:
        if ending.code != -number:
            yield f"it was not killed, but ended with {ending.code}: {ending.said}"
        return
    code, said = SAID[signal.Signals(number)]
    if ending.code != code:
        yield f"exit code {ending.code}: {ending.said}"
    if f"{said}: the same command goes on from here" not in ending.said.splitlines():
        yield f"it did not say how to go on: {ending.said}"
    if "Traceback" in ending.said:
        yield ending.said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "times"),
    [(signal.SIGKILL, 10), (signal.SIGTERM, 10), (signal.SIGINT, 5)],
)
def test_one_signal(
    number: int,
    times: int,
    terminal: Terminal,
    standin: StandIn,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    draw = Random(number)
    wrong, seconds = list[str](), list[float]()
    slow = replace(standin, seconds=2.0)  # so that there is enough to do for all times
    for _ in range(times):
        driver = start(terminal, slow, search)
        time.sleep(draw.uniform(0, 6))
        send(terminal, driver, number)
        ending = end(terminal, driver)
        seconds.append(ending.seconds)
        wrong += wrong_endings(ending, number)
    wrong += finish(terminal.folder, standin)
    reported(
        f"{signal.Signals(number).name}: {times} times, ended within {max(seconds):.1f} s, "
        f"{len(wrong)} violations"
    )
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "times"),
    [(signal.SIGINT, 5), (signal.SIGTERM, 5)],
)
def test_two_signals(
    number: int,
    times: int,
    terminal: Terminal,
    standin: StandIn,
    search: tuple[str, ...],
    finish: Callable[[Path, StandIn], list[str]],
    reported: Callable[[str], None],
) -> None:
    """The second ends it within two seconds, whatever the first has begun."""
    draw = Random(number)
    wrong, seconds = list[str](), list[float]()
    for _ in range(times):
        begun = len(standin.diary())
        driver = start(terminal, replace(standin, seconds=3.0), search)
        wait_for(lambda begun=begun: len(standin.diary()) > begun, "training")
        send(terminal, driver, number)
        time.sleep(draw.uniform(0, 0.5))
        send(terminal, driver, number)
        ending = end(terminal, driver)
        seconds.append(ending.seconds)
        if ending.seconds > 2:
            wrong.append(f"{ending.seconds:.1f} s after the second signal")
        wrong += wrong_endings(ending, number)
    wrong += finish(terminal.folder, standin)
    reported(
        f"two {signal.Signals(number).name}: {times} times, ended within {max(seconds):.1f} s "
        f"of the second, {len(wrong)} violations"
    )
    assert wrong == []
