"""Write a file whole or not at all."""

import errno
import os
import tempfile
from pathlib import Path

from storage.errors import unwritable


def replace_whole(path: Path, content: bytes, is_synced: bool = False) -> None:
    """Write a file; what was there before stays until all is written, and on disk if `is_synced`.

    Somebody may be reading it meanwhile. Raises OSError.
    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".unfinished-") as folder:
        unfinished = Path(folder) / path.name
        with unfinished.open("wb") as file:
            file.write(content)
            if is_synced:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(path)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of a user's as `replace_whole` does. Raises `StoreError`."""
    if path.is_dir():
        raise unwritable(path, OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path)))
    try:
        replace_whole(path, content)
    except OSError as error:
        raise unwritable(path, error) from error
