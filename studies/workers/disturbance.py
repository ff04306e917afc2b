"""How much of the processors others took while a training was timed.

Linux counts, for each core, the time that it was busy with any program, with interrupts, or held by
the hypervisor. What this process and its children used is taken off; the rest is others'.
"""

import os
import time
from collections.abc import Collection, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SHARE = 0.05
"""The largest share of the cores' time that others may take of a timing that counts.

Threads wait for the one that lost its core: on two cores, others that take 0.05 of both can make a
training a tenth longer. Measured on two cores (`tests/benchmarks/disturbance.py`, AuxsiameseCNN;
medians): seconds x 1.05 at shares of 0.03 to 0.05, x 1.2 at 0.06, x 1.35 at 0.07 to 0.09, x 1.6 at
0.14, x 2.6 at 0.26, where a core burns. With nothing else at work the share is 0.00 to 0.02.
"""

CORES = 0.5
"""The most cores that others may keep busy meanwhile: of 64, one that burns is only 0.016."""

SHORTEST = 0.5
"""Seconds below which nobody knows: the system counts in steps of up to 10 ms on each core."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Reading:
    """What the system has counted by one moment, in seconds."""

    cores: Set[int]
    """Those that this process may use."""
    wall: float
    busy: float
    """Time in which these cores were not idle."""
    own: float
    """Processor time of this process and its children."""


def read() -> Reading | None:
    """Return what the system has counted by now, None where it does not tell."""
    try:
        cores = os.sched_getaffinity(0)
        own = time.process_time() + _of_children(os.getpid())
        ticks = os.sysconf("SC_CLK_TCK")
        busy = busy_ticks((_PROC / "stat").read_text(), cores)
    except (AttributeError, OSError, ValueError):
        return None  # not Linux, or a container that hides it
    return None if busy is None else Reading(cores, time.perf_counter(), busy / ticks, own)


def busy_ticks(stat: str, cores: Collection[int]) -> int | None:
    """Return the ticks in which some cores were not idle, by the text of `/proc/stat`.

    None where it lacks one of the cores.
    """
    busy: dict[str, int] = {}
    for line in stat.splitlines():
        name, *counts = line.split()
        if name.startswith("cpu"):
            # Guests' time, which follows, is part of the user's.
            user, nice, system, _idle, _wait, interrupt, soft_interrupt, steal = counts[:8]
            busy[name] = sum(map(int, (user, nice, system, interrupt, soft_interrupt, steal)))
    names = [f"cpu{core}" for core in cores]
    return sum(busy[name] for name in names) if busy.keys() >= set(names) else None


def share_of_others(before: Reading | None, after: Reading | None) -> float | None:
    """Return the share, 0 to 1, that others took of the cores' time between two readings.

    None where the system does not tell: it counts nothing, other cores, or less than this process
    has used; or the time is too short.
    """
    if before is None or after is None or before.cores != after.cores:
        return None
    wall, busy, own = after.wall - before.wall, after.busy - before.busy, after.own - before.own
    if wall < SHORTEST or busy < own / 2:
        return None
    return min(max((busy - own) / (wall * len(before.cores)), 0.0), 1.0)


def is_disturbed(share: float | None, cores: int) -> bool:
    """Return whether others took too much of some cores for a timing to count."""
    return share is not None and share > min(SHARE, CORES / cores)


def _of_children(process: int) -> float:
    """Return the processor seconds of a process's children, and theirs, gone or alive."""
    times = os.times()
    ticks, parents = 0, {process}
    usage: dict[int, tuple[int, int]] = {}
    for folder in _PROC.iterdir():
        # A process may end at any time.
        with suppress(OSError, ValueError, IndexError):
            if folder.name.isdigit():
                # After the name, which may hold anything: state, parent, ... user, system and
                # those of its children that are gone.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                usage[int(folder.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    while parents:
        children = {child for child, (parent, _) in usage.items() if parent in parents}
        ticks += sum(usage[child][1] for child in children)
        parents = children
    gone = times.children_user + times.children_system
    return gone + ticks / os.sysconf("SC_CLK_TCK")
