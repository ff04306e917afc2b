"""Every way a command can end: one clear sentence and an exit code."""

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from storage.commands import SENTENCES, exit_codes
from storage.output import FAILED
from studies.display.errors import Interrupted, Terminated

__all__ = ["FAILED", "OUT_OF_TIME", "exit_codes", "interruptible", "leaving", "raise_postponed"]
__all__ += ["signals_postponed"]

OUT_OF_TIME = 5
"""Exit code of a run whose deadline came before all was done."""

SIGNALLED = tuple(128 + number for number in SENTENCES)
"""Exit codes of a command that a signal ended."""

PATIENCE = 10.0
"""Seconds that a command has after a signal to end in good order."""

_LEAVING = threading.RLock()

_SHOW_CURSOR = b"\x1b[?25h"

_postponed: list[KeyboardInterrupt] | None = None
"""The signals that came while none may be raised; None where they are raised as they come."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the command in good order, within ten seconds.

    A second signal ends it at once.
    """

    def first(number: int, _frame: FrameType | None) -> None:
        for signal_number in SENTENCES:
            signal.signal(signal_number, lambda number, _: _leave_at_once(number))
        came = Terminated() if number == signal.SIGTERM else Interrupted()
        if _postponed is None:
            raise came
        _postponed.append(came)

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        kind = what.exc_type
        if not issubclass(kind, KeyboardInterrupt):
            hook(what)
            return
        # The signal came in a callback of the garbage collector, where Python drops exceptions.
        signal.signal(signal.SIGALRM, lambda *_: _raise(kind))
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    watched, woken = socket.socketpair()
    woken.setblocking(False)
    with woken:
        threading.Thread(target=_watch, args=(watched,), daemon=True).start()
        before_woken = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, first) for number in SENTENCES}
        hook, sys.unraisablehook = sys.unraisablehook, dropped
        try:
            yield
        finally:
            sys.unraisablehook = hook
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_woken)
            woken.shutdown(socket.SHUT_RDWR)


@contextmanager
def signals_postponed() -> Iterator[None]:
    """Let signals cut nothing short here: what comes is raised by `raise_postponed`, or at the end.

    Raised in the middle of a write, they would leave SQLAlchemy's session as it was then, in which
    nothing more can be written. In a script or a notebook, which has Python's own handler of
    Ctrl-C, a second one is raised at once.
    """
    global _postponed
    came: list[KeyboardInterrupt] = []
    _postponed = came

    def first(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        came.append(KeyboardInterrupt())

    is_pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    is_ours = is_pythons and threading.current_thread() is threading.main_thread()
    if is_ours:
        signal.signal(signal.SIGINT, first)
    try:
        yield
        raise_postponed()
    finally:
        _postponed = None
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def raise_postponed() -> None:
    """Raise the first signal that came where signals are postponed."""
    if _postponed:
        raise _postponed[0]


@contextmanager
def leaving() -> Iterator[None]:
    """Let a command that a signal ended end this process at once.

    Dask would wait for workers that have yet to start; these end with this process.
    """
    try:
        yield
    except SystemExit as ended:
        if ended.code in SIGNALLED:
            os._exit(int(ended.code))
        raise


def _watch(signals: socket.socket) -> None:
    """End this process at the second signal, or some seconds after the first.

    In a thread: handlers wait for the main thread, which may be busy, and then two signals of one
    kind are one for them.
    """
    with signals:
        numbers: list[int] = []
        while (
            len(numbers) < 2 and select.select([signals], [], [], PATIENCE if numbers else None)[0]
        ):
            received = signals.recv(1)
            if not received:
                return
            numbers += [number for number in received if number in SENTENCES]
    _leave_at_once(numbers[-1])


def _leave_at_once(number: int) -> NoReturn:
    """Print how to go on after a signal, and end this process."""
    # The watch and a handler may both be here.
    _LEAVING.acquire()
    try:
        if os.isatty(1):  # the progress display hides it
            os.write(1, _SHOW_CURSOR)
        os.write(2, f"\n{SENTENCES[number]}\n".encode())
    finally:
        os._exit(128 + number)


def _raise(kind: type[BaseException]) -> None:
    raise kind
