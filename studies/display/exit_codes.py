"""Every way a command can end: one clear sentence and an exit code."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from studies.display.errors import Interrupted, Terminated

FAILED = 1

SENTENCES: dict[int, str] = {
    signal.SIGINT: "interrupted: the same command goes on from here",
    signal.SIGTERM: "terminated: the same command goes on from here",
}

SHORTAGES = ("can't start new thread", "Cannot allocate memory", "failed to map segment")
"""What Python and the system's loader say of them, beside MemoryError."""

_SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command in one sentence at a signal, or an error whose class has an `exit_code`.

    So it ends where memory or threads run out, too. Raises every other error as it is: that is a
    mistake of this program.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT
        _leave(SENTENCES[number], 128 + number)
    except Exception as error:
        # Of the class, as typer.Exit carries one itself.
        code = getattr(type(error), "exit_code", None)
        if isinstance(error, MemoryError) or any(words in f"{error}" for words in SHORTAGES):
            _leave(
                f"error: too little memory, or too few processes, are left ({error!r}): "
                "close other programs, or raise the limits that `ulimit -a` shows",
                FAILED,
            )
        if not isinstance(code, int):
            raise
        _leave(f"error: {error}", code)


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


def _leave(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)
