"""The disk is full, then it is not."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.stores.leftovers import Rows, completes
from tests.faults.stores.small_searches import Record, Search


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[400, 800, 1200, 1600, 2000]])
def test_a_disk_that_fills_up(
    sizes: list[int],
    search: Search,
    uninterrupted: Rows,
    small_disk: Callable[[str], Path],
    record_property: Record,
) -> None:
    wrong: list[str] = []
    for size in sizes:
        # Empty again, and as large as last time.
        path = small_disk("size=20m") / f"{size}.db"
        for other in path.parent.iterdir():
            shutil.rmtree(other) if other.is_dir() else other.unlink()
        small_disk(f"size={size}k")
        full = search(f"sqlite:///{path}")
        if full.exit_code != 4 or f"error: disk full: {path} cannot" not in full.output:
            wrong.append(full.output)
        small_disk("size=20m")
        wrong += completes(search, f"sqlite:///{path}", uninterrupted)
    record_property("fault", f"disk full: {len(sizes)} times, {len(wrong)} violations")
    assert wrong == []
