"""The threads of a timed training, each on a core of its own."""

import ctypes
import os
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from pathlib import Path

_MAPS = Path("/proc/self/maps")


@contextmanager
def pinned_threads(count: int) -> Iterator[bool]:
    """Keep the calling thread, and the `count - 1` that compute with it, each on one core.

    PyTorch's threads wait for each other by spinning. On cores of their own none can take the core
    of the one that it waits for, whatever else runs there. Threads and processes that start
    meanwhile inherit the calling thread's core. Afterwards all is as before. Yields False, and does
    nothing, where this is not Linux, PyTorch has another OpenMP than GNU's, or cores are too few.
    """
    # A thread alone waits for no other: no need to look for the library, which takes a millisecond.
    openmp = _openmp() if count > 1 else None
    cores = os.sched_getaffinity(0) if openmp is not None else set[int]()
    if openmp is None or count > len(cores):
        yield False
        return
    _set_affinities(openmp, [{core} for core in sorted(cores)[:count]])
    try:
        yield True
    finally:
        _set_affinities(openmp, [cores] * count)


def _openmp() -> ctypes.CDLL | None:
    """Return the GNU OpenMP library that this process computes with, None where there is none."""
    with suppress(OSError):
        for line in _MAPS.read_text().splitlines():
            path = line.partition("/")[2]
            if path.rpartition("/")[2].startswith("libgomp"):
                return ctypes.CDLL(f"/{path}")
    return None


def _set_affinities(openmp: ctypes.CDLL, cores: Sequence[Set[int]]) -> None:
    """Allow the threads of the calling thread's team these cores, by their number in the team."""

    def in_each_thread(_: None) -> None:
        with suppress(OSError):  # a core may be taken from this process at any time
            os.sched_setaffinity(0, cores[openmp.omp_get_thread_num()])

    # What compilers make of `#pragma omp parallel`: runs the function in each thread of the team.
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(in_each_thread)
    openmp.GOMP_parallel(function, None, len(cores), 0)
