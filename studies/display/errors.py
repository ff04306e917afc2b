"""Errors of a run beside its store and its task, with the exit code of the command they end."""

import signal


class UsageError(ValueError):
    """What was asked for makes no sense, or disagrees with what is stored."""

    exit_code = 2


class ClusterLost(Exception):
    """The Dask scheduler cannot be reached, or not any more."""

    exit_code = 1


class Interrupted(KeyboardInterrupt):
    """Ctrl-C came.

    KeyboardInterrupt itself, raised inside an `exec` of source text as dataclasses and SQLAlchemy
    have it, makes Python kill itself at its exit (-2), though the exception was handled.
    """


class Terminated(KeyboardInterrupt):
    """SIGTERM came: the run ends like after Ctrl-C."""

    number = signal.SIGTERM
