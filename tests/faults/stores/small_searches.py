"""A small search from the command line, and a fault in its midst."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from click.testing import Result
from leftovers import trained

SMALL = ("--epochs", "1", "--repeats", "2", "--reruns", "2")

Search = Callable[..., Result]
Record = Callable[[str, object], None]


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
