"""Write a file of a user's, whole or not at all."""

import errno
import os
from pathlib import Path

from storage.errors import unwritable


def write_whole(path: Path, content: bytes) -> None:
    """Write a file; what was there before stays until all is written. Raises `StoreError`."""
    if path.is_dir():
        raise unwritable(path, OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)))
    unfinished = path.with_name(path.name + ".tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)
