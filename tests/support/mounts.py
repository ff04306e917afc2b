"""File systems that are mounted for a test."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip a test for what this machine lacks; CI lacks nothing."""
    pytest.fail(what) if os.environ.get("CI") == "true" else pytest.skip(what)


@contextmanager
def mount_point(path: Path) -> Iterator[Callable[..., None]]:
    """Yields `mount` with its arguments but the last, `path`; unmounts it afterwards."""
    # It ends with its input, so also where the tests are killed. Lazily: a test that failed may
    # still hold files open.
    keeper = subprocess.Popen(
        ["sh", "-c", 'cat >/dev/null; ! mountpoint -q "$0" || umount --lazy "$0"', path],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )

    def mount(*arguments: str | Path) -> None:
        command = ["mount", *arguments, path]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lacking(f"no right to mount a file system: {done.stderr.strip()}")

    try:
        yield mount
    finally:
        keeper.communicate()
    assert keeper.returncode == 0
