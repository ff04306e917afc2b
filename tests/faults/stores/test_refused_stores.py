"""A store that cannot be used: the error says what to do, and not a byte is changed."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.stores.small_searches import Record, Search
from tests.support.damage import DAMAGES, execute
from tests.support.mounts import mount_point


@pytest.fixture
def make_read_only() -> Iterator[Callable[[Path], None]]:
    """Make a file or a folder one that cannot be written."""
    with ExitStack() as mounts:

        def make(path: Path) -> None:
            if os.getuid() != 0:
                path.chmod(0o444 if path.is_file() else 0o555)
                return
            # Root may write whatever the permissions say.
            mount = mounts.enter_context(mount_point(path))
            mount("--bind", path)
            mount("-o", "remount,bind,ro")

        yield make


@pytest.fixture
def refused(
    tmp_path: Path, finished: Path, search: Search
) -> Iterator[Callable[[Callable[[Path], None], str], list[str]]]:
    """Let something happen to a finished store, then run on it; the violations."""
    path = tmp_path / "store" / "studies.db"
    path.parent.mkdir()
    shutil.copy(finished, path)

    def run(happen: Callable[[Path], None], said: str) -> list[str]:
        happen(path)
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        result = search(f"sqlite:///{path}", "--reruns", "3")
        after = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        wrong = ["files were changed"] * (after != before)
        lines = result.output.splitlines()
        if result.exit_code != 4 or len(lines) != 1 or not re.match(f"error: {said}", lines[0]):
            wrong.append(f"exit {result.exit_code}: {result.output}")
        return wrong

    yield run


@pytest.mark.parametrize(("damage", "said"), DAMAGES)
def test_a_damaged_store(
    damage: Callable[[Path], None],
    said: str,
    refused: Callable[..., list[str]],
    record_property: Record,
) -> None:
    def happen(path: Path) -> None:
        # As a killed driver leaves it, so that a mere look makes files beside it.
        execute(path, "pragma journal_mode=WAL")
        damage(path)

    wrong = refused(happen, f".*studies.db.*{said}")
    record_property("fault", f"store with {damage.__name__}: 1 time, {len(wrong)} violations")
    assert wrong == []


@pytest.mark.parametrize("what", ["file", "folder", "folder without a store"])
def test_what_is_read_only(
    what: str,
    refused: Callable[..., list[str]],
    make_read_only: Callable[[Path], None],
    record_property: Record,
) -> None:
    def happen(path: Path) -> None:
        if what == "folder without a store":
            path.unlink()
        make_read_only(path if what == "file" else path.parent)

    wrong = refused(happen, r".*studies\.db is read-only: make the file and its folder writable")
    record_property("fault", f"read-only {what}: 1 time, {len(wrong)} violations")
    assert wrong == []
