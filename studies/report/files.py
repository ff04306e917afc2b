"""Writing a report's files: whole, or not at all."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from studies.errors import UsageError


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, made if missing, in place of those of the same names.

    What else lies there stays. Raises UsageError where it cannot be written; no file is ever
    half-written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # On the same disk, so that a file is there at once or not at all.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".unfinished-") as unfinished:
            for name, content in files.items():
                path = Path(unfinished) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            for name in files:
                (folder / name).parent.mkdir(exist_ok=True)
                (Path(unfinished) / name).replace(folder / name)
    except OSError as error:
        raise UsageError(
            f"the report cannot be written to {folder} ({error.strerror}): "
            "name another folder with --out"
        ) from None
