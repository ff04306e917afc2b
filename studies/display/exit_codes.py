"""Every way a command can end: one clear sentence and an exit code."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from storage.commands import SENTENCES, exit_codes
from storage.output import FAILED
from studies.display.errors import Interrupted, Terminated

__all__ = ["FAILED", "exit_codes", "interruptible"]

_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command in good order, and a second signal end it at once."""

    def first(number: int, _frame: FrameType | None) -> None:
        for signal_number in SENTENCES:
            signal.signal(signal_number, _leave_at_once)
        raise Terminated if number == signal.SIGTERM else Interrupted

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        kind = what.exc_type
        if not issubclass(kind, KeyboardInterrupt):
            hook(what)
            return
        # It came in a callback of the garbage collector, of which Python drops all that is raised.
        signal.signal(signal.SIGALRM, lambda *_: _raise(kind))
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    before = {number: signal.signal(number, first) for number in SENTENCES}
    hook, sys.unraisablehook = sys.unraisablehook, dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_at_once(number: int, _frame: FrameType | None) -> None:
    try:
        if os.isatty(1):  # the progress display hides it
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"\n{SENTENCES[number]}\n".encode())
    finally:
        os._exit(128 + number)


def _raise(kind: type[BaseException]) -> None:
    raise kind
