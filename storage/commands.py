"""What the commands of this package share: arguments by position, errors as exit codes."""

import sys
from collections.abc import Callable, Sequence
from inspect import signature


def exit_code(work: Callable[..., None], usage: str, arguments: Sequence[str]) -> int:
    """Call `work(*arguments)` and return the exit code of the command.

    An error whose class has an `exit_code` is one sentence on stderr; every other one is raised.
    """
    try:
        signature(work).bind(*arguments)
    except TypeError:
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    try:
        work(*arguments)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        print(error, file=sys.stderr)
        return code
    return 0
