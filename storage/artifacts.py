"""The files that a store names: figures, weights, whatever studies and trials have attached."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid5

from sqlalchemy import Connection, text

from storage.errors import StoreError, explained, unwritable
from storage.files import replace_whole
from storage.rows import TrainingRun

_PREFIX = "artifacts:"
"""Of the attributes that Optuna keeps of an artifact; what follows names its file."""

_WEIGHTS = UUID("5f0c1b5e-6a1d-4d4e-9a53-0f2a7c1d9b11")


def artifact_names(connection: Connection) -> list[str]:
    """Return the names of all artifacts' files; one that leads out of their folder is none."""
    names: list[str] = []
    with explained(connection.engine.url):
        for owner in ("study", "trial"):
            keys = connection.scalars(
                text(f"select key from {owner}_system_attributes where key like '{_PREFIX}%'")
            )
            names += [key.removeprefix(_PREFIX) for key in keys]
    return [name for name in dict.fromkeys(names) if re.fullmatch(r"[0-9a-fA-F-]+", name)]


def weights_id(run: TrainingRun) -> str:
    """Return the id, which is the file's name, of the weights of a training.

    It follows from the row, so that weights are found whatever was killed between file, row and
    trial; and a training that was done twice, as it was not recorded, has two.
    """
    return str(uuid5(_WEIGHTS, f"{run.fingerprint} {run.started_at} {run.host}"))


def attribute(identifier: str, file_name: str) -> dict[str, str]:
    """Return an artifact of a trial as Optuna keeps it, by the name of its system attribute."""
    known = {
        "artifact_id": identifier, "filename": file_name, "mimetype": "application/octet-stream",
        "encoding": None,
    }  # fmt: skip
    return {f"{_PREFIX}{identifier}": json.dumps(known)}


@contextmanager
def copied_files(names: Iterable[str], source: Path, target: Path) -> Iterator[list[str]]:
    """Copy files from folder to folder, those that are there; yield their names.

    Where what follows fails, the files are deleted again. Raises `StoreError`.
    """
    there = [name for name in names if (source / name).is_file()]
    new = [name for name in there if not (target / name).exists()]
    is_made = bool(there) and not target.exists()
    try:
        for name in there:
            _copy(source / name, target / name)
        yield there
    except BaseException:
        for name in new:
            (target / name).unlink(missing_ok=True)
        if is_made and target.is_dir():
            target.rmdir()
        raise


def _copy(source: Path, target: Path) -> None:
    """Copy one file, whole or not at all, and compare."""
    try:
        content = source.read_bytes()
    except OSError as error:
        raise StoreError(f"{source} cannot be read ({error.strerror}): check the file") from error
    try:
        if target.exists() and target.samefile(source):
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(target, content)
        is_same = target.read_bytes() == content
    except OSError as error:
        raise unwritable(target, error) from error
    if not is_same:
        raise StoreError(f"{target} is not what was written: check its disk")
