"""A small search from the command line, and a fault in its midst."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

from studies import run
from tests.faults.stores.leftovers import trained

SMALL = ("--epochs", "1", "--repeats", "2", "--reruns", "2")


@dataclass
class Result:
    """How a command ended."""

    exit_code: object
    output: str


Search = Callable[..., Result]
Record = Callable[[str, object], None]


def search_here(url: str, workers: str, *words: str) -> Result:
    """Call `python -m studies.run`, for a small search."""
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        try:
            run.main([*SMALL, "--cluster", workers, "--storage", url, *words])
        except SystemExit as ended:
            return Result(ended.code, output.getvalue())
    raise AssertionError("it did not end as a command does")


@contextmanager
def once_trained(url: str, count: int, fault: Callable[[], None]) -> Iterator[None]:
    """Meanwhile, as soon as `count` trainings are recorded, let a fault happen."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def watch() -> None:
        try:
            while trained(url) < count:
                assert not ended.wait(0.01), f"it ended before {count} trainings"
            fault()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]
