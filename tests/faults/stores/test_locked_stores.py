"""Somebody else holds a transaction on the store for long: no error."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.faults.stores.leftovers import Rows, completes
from tests.faults.stores.small_searches import Record, Search, once_trained

# As a stranger does, with another program.
HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[3:]:
    connection.execute(statement).fetchall()
print("held", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("rollback")
"""
STATEMENTS = {
    "slow reader": ["begin", "select * from trials", "select * from training_runs"],
    "other writer": ["begin immediate", "create table theirs (x)"],
}


@pytest.fixture
def hold() -> Iterator[Callable[..., None]]:
    """Let a process hold a transaction on the file for some seconds; on return it does."""
    with ExitStack() as started:

        def start(path: Path, seconds: float, *statements: str) -> None:
            process = subprocess.Popen(
                [sys.executable, "-c", HOLDER, path, str(seconds), *statements],
                stdout=subprocess.PIPE,
                text=True,
            )
            started.enter_context(process)
            started.callback(process.kill)
            assert process.stdout is not None and process.stdout.readline() == "held\n"

        yield start


@pytest.mark.parametrize("who", STATEMENTS)
@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "times"), [(10, 3)])
def test_a_transaction_of_others_is_no_error(
    seconds: float,
    times: int,
    who: str,
    hold: Callable[..., None],
    search: Search,
    uninterrupted: Rows,
    tmp_path: Path,
    record_property: Record,
) -> None:
    wrong: list[str] = []
    for number in range(times):
        path = tmp_path / f"{number}.db"
        url = f"sqlite:///{path}"
        with once_trained(url, 5 + 10 * number, partial(hold, path, seconds, *STATEMENTS[who])):
            result = search(url)
        wrong += [result.output] * (result.exit_code != 0)
        wrong += completes(search, url, uninterrupted)
    record_property("fault", f"{who}, {seconds} s: {times} times, {len(wrong)} violations")
    assert wrong == []
