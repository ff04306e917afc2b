"""The share of the processors that others took is told, or nothing is."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from studies.workers import disturbance
from studies.workers.disturbance import (
    Reading,
    busy_ticks,
    is_disturbed,
    read,
    share_of_others,
)

STAT = """cpu  300 30 60 1000 50 7 8 9 40 4
cpu0 100 10 20 500 25 3 4 5 20 2
cpu1 200 20 40 500 25 4 4 4 20 2
intr 1 2 3
"""
BEFORE = Reading({0, 1}, wall=10.0, busy=5.0, own=1.0)
BURN = "while True: pass"
# A process that burns in a child of its own, and one that has ended it by the time it says so.
BURN_IN_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{BURN}'])"


def after(wall: float, busy: float, own: float) -> Reading:
    return Reading({0, 1}, 10.0 + wall, 5.0 + busy, 1.0 + own)


def test_idle_and_waiting_time_and_that_of_guests_twice_do_not_count() -> None:
    assert busy_ticks(STAT, {0}) == 100 + 10 + 20 + 3 + 4 + 5
    assert busy_ticks(STAT, {0, 1}) == 142 + 200 + 20 + 40 + 4 + 4 + 4


def test_a_core_that_is_not_counted_is_not_known() -> None:
    assert busy_ticks(STAT, {0, 2}) is None
    assert busy_ticks("", {0}) is None


@pytest.mark.parametrize(
    ("reading", "share"),
    [
        (after(wall=10, busy=15, own=15), 0.0),
        (after(wall=10, busy=17, own=15), 0.1),
        (after(wall=10, busy=14.9, own=15), 0.0),  # counted in ticks
        (after(wall=10, busy=20.5, own=0), 1.0),
        (after(wall=0.4, busy=0.8, own=0.4), None),  # too short
        (after(wall=10, busy=0, own=15), None),  # a container that counts nothing
        (replace(after(10, 15, 15), cores={0}), None),
        (None, None),
    ],
)
def test_the_share_of_others(reading: Reading | None, share: float | None) -> None:
    assert share_of_others(BEFORE, reading) == pytest.approx(share)
    assert share_of_others(None, reading) is None


@pytest.mark.parametrize(
    ("share", "cores", "disturbed"),
    [
        (None, 2, False),
        (0.05, 2, False),
        (0.06, 2, True),
        (0.5, 1, True),
        # One busy core of many keeps all threads waiting, too.
        (1 / 64, 64, True),
        (0.4 / 64, 64, False),
    ],
)
def test_when_a_timing_does_not_count(share: float | None, cores: int, disturbed: bool) -> None:
    assert is_disturbed(share, cores) is disturbed


@contextmanager
def burner(code: str = BURN) -> Iterator[None]:
    """Burn a core in another process."""
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        time.sleep(0.3)
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def measured(seconds: float = 1.0) -> float:
    """Return the share of others while this process sleeps."""
    before = read()
    time.sleep(seconds)
    share = share_of_others(before, read())
    assert share is not None
    return share


needs_linux = pytest.mark.skipif(read() is None, reason="this system does not count")


@needs_linux
def test_what_another_process_takes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of a child, were it not for this.
    monkeypatch.setattr(disturbance, "_of_children", lambda process: 0.0)
    with burner():
        one_core = 1 / len(os.sched_getaffinity(0))
        assert measured() > 0.4 * one_core


@needs_linux
def test_children_are_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with burner(BURN_IN_CHILD):
        own = share_of_own(1.0)
        assert own > 0.3
    # They still are when they are gone.
    before = read()
    subprocess.run([sys.executable, "-c", "sum(range(20_000_000))"], check=True)
    after = read()
    assert before is not None and after is not None
    assert after.own - before.own > 0.1


def share_of_own(seconds: float) -> float:
    """Return the processor seconds per second that this process and its children used."""
    before = read()
    time.sleep(seconds)
    after = read()
    assert before is not None and after is not None
    return (after.own - before.own) / (after.wall - before.wall)


def test_a_system_that_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disturbance, "_PROC", tmp_path)
    assert read() is None
    (tmp_path / "stat").write_text("cpu")
    assert read() is None
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert read() is None
