"""What the commands of this package share: arguments by position, errors as exit codes."""

import sys
from collections.abc import Callable, Sequence
from inspect import signature

from storage.errors import BadStoreURL, BadTrainings, StoreError, StoreInUse

_CODES: dict[type[Exception], int] = {BadStoreURL: 2, BadTrainings: 2, StoreInUse: 3, StoreError: 4}


def exit_code(work: Callable[..., None], usage: str, arguments: Sequence[str]) -> int:
    """Call `work(*arguments)`; what goes wrong is one sentence on stderr. Return the exit code."""
    try:
        signature(work).bind(*arguments)
    except TypeError:
        print(f"usage: {usage}", file=sys.stderr)
        return 2
    try:
        work(*arguments)
    except tuple(_CODES) as error:
        print(error, file=sys.stderr)
        return next(code for kind, code in _CODES.items() if isinstance(error, kind))
    return 0
