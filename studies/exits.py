"""Every way a command can end: one clear sentence and an exit code."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from digitcmp.data.idx import DataError
from storage.errors import BadStoreURL, StoreError, StoreInUse
from studies.errors import ClusterLost, Interrupted, Terminated, UsageError

FAILED = 1
CODES: dict[type[BaseException], int] = {
    ClusterLost: FAILED,
    UsageError: 2,
    DataError: 2,
    BadStoreURL: 2,
    StoreInUse: 3,
    StoreError: 4,
}

SAID: dict[int, str] = {
    signal.SIGINT: "interrupted: the same command goes on from here",
    signal.SIGTERM: "terminated: the same command goes on from here",
}

_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command with a sentence and a code for every error that has one."""
    try:
        yield
    except tuple(CODES) as error:
        _leave(
            f"error: {error}", next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
        )
    except Terminated:
        _leave(SAID[signal.SIGTERM], 128 + signal.SIGTERM)
    except KeyboardInterrupt:
        _leave(SAID[signal.SIGINT], 128 + signal.SIGINT)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command in good order, and a second one end it at once."""

    def first(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, _leave_at_once)
        raise Terminated if number == signal.SIGTERM else Interrupted

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        kind = what.exc_type
        if not issubclass(kind, KeyboardInterrupt):
            hook(what)
            return
        # It came in a callback of the garbage collector, of which Python drops all that is raised.
        signal.signal(signal.SIGALRM, lambda *_: _raise(kind))
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    before = {each: signal.signal(each, first) for each in (signal.SIGINT, signal.SIGTERM)}
    hook, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)


def _leave_at_once(number: int, _frame: FrameType | None) -> None:
    try:
        if os.isatty(1):  # the progress display hides it
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"\n{SAID[number]}\n".encode())
    finally:
        os._exit(128 + number)


def _raise(kind: type[BaseException]) -> None:
    raise kind


def _leave(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)
