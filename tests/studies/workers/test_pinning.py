"""Threads of a timed training have a core each, and all cores again afterwards."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from studies.workers import pinning
from studies.workers.pinning import pinned_threads

CORES = sorted(getattr(os, "sched_getaffinity", lambda _: {0})(0))

pytestmark = pytest.mark.skipif(
    len(CORES) < 2 or pinning._openmp() is None, reason="needs two cores and GNU's OpenMP"
)


def pinned() -> dict[int, int]:
    """Return the threads of this process that may use one core alone, each with this core.

    Others, such as those that Dask left, come and go meanwhile.
    """
    cores = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):
            allowed = os.sched_getaffinity(int(task.name))
            if len(allowed) == 1:
                cores[int(task.name)] = min(allowed)
    return cores


def compute() -> None:
    torch.set_num_threads(2)
    torch.randn(1000, 1000) @ torch.randn(1000, 1000)


def test_two_threads_have_a_core_each_and_all_cores_afterwards() -> None:
    compute()
    assert not pinned()
    with pinned_threads(2) as is_pinned:
        compute()
        inside = pinned()
    assert is_pinned
    assert inside[threading.get_native_id()] == CORES[0]
    assert sorted(inside.values()) == CORES[:2]
    assert not pinned()
    assert os.sched_getaffinity(0) == set(CORES)


def test_they_compute_in_the_threads_that_are_pinned() -> None:
    """In a process of its own, where nothing else has threads."""
    code = """
import os, torch
from studies.workers.pinning import pinned_threads
torch.set_num_threads(2)
with pinned_threads(2):
    before = set(os.listdir("/proc/self/task"))
    torch.randn(2000, 2000) @ torch.randn(2000, 2000)
    torch.nn.functional.relu(torch.randn(1000, 1000))
    assert set(os.listdir("/proc/self/task")) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_training_that_raises_unpins_them() -> None:
    with pytest.raises(ZeroDivisionError), pinned_threads(2):
        raise ZeroDivisionError
    assert not pinned()


@pytest.mark.parametrize("count", [1, len(CORES) + 1])
def test_a_count_that_no_cores_are_for_changes_nothing(count: int) -> None:
    with pinned_threads(count) as is_pinned:
        assert not pinned()
    assert not is_pinned


def test_another_openmp_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinning, "_MAPS", tmp_path / "none")
    with pinned_threads(2) as is_pinned:
        assert os.sched_getaffinity(0) == set(CORES)
    assert not is_pinned
