"""Take the trainings of somebody's report as done: `python -m storage.load training_runs.csv URL`.

A search then trains only what the file lacks. Reruns stay out: each is to be timed afresh.
"""

import csv
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from storage.commands import exit_code
from storage.errors import BadTrainings
from storage.lock import store_lock
from storage.schema import COLUMNS, TrainingRun, record, training_run
from storage.store import open_store
from storage.urls import parse

_LARGEST = 2**31 - 1
"""What an integer column of PostgreSQL holds."""

_REQUIRED = [name for name in COLUMNS if name != "auxiliary"]
"""Columns that files have always had."""

_TYPES = {field.name: field.type for field in fields(TrainingRun)}


def load(path: str, url: str) -> None:
    """Record the searches' trainings that the file holds, all or none, and say how many.

    Those that the store has already stay as they are. Raises `BadTrainings` and `BadStoreURL`,
    which leave no store behind, `StoreInUse`, and `StoreError`.
    """
    parse(url)
    runs = list(trainings(Path(path)))
    with store_lock(url, ["load"]) as lock, open_store(url, lock) as store:
        record(store.engine, runs)
    print(f"{len(runs)} trainings of searches: what the store lacked of them, it has now")


def trainings(path: Path) -> Iterator[TrainingRun]:
    """Yield the trainings of searches in a report's file. Raises `BadTrainings`."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            missing = [name for name in (*_REQUIRED, "rerun_of") if name not in header]
            if missing:
                raise BadTrainings(f"{path} holds no trainings: it lacks {', '.join(missing)}")
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise BadTrainings(f"{place} has not {len(header)} columns, as the first has")
                if row["rerun_of"] == "":
                    yield _training(row, place)
    except (OSError, UnicodeError, csv.Error) as error:
        raise BadTrainings(f"{path} cannot be read: {error}") from error


def _training(row: Mapping[str, str], place: str) -> TrainingRun:
    try:
        values = {name: _value(_TYPES[name], row[name]) for name in _REQUIRED}
        # What there was before files had this column.
        older = "logits" if values["alpha"] else ""
        values["auxiliary"] = row.get("auxiliary", older) or None
        run = training_run(values)
    except (ValueError, TypeError) as error:
        raise BadTrainings(f"{place}: {error}") from error
    ends_well = run.status == "ok" and run.accuracy is not None and 0 <= run.accuracy <= 1
    if not ends_well and (run.status, run.accuracy) != ("diverged", None):
        raise BadTrainings(f"{place}: status {run.status!r} with accuracy {run.accuracy}")
    if not all(isinstance(loss, float) for loss in run.loss_curve):
        raise BadTrainings(f"{place}: {row['loss_curve']} is no list of losses")
    if not re.fullmatch("[0-9a-f]{64}", run.fingerprint):
        raise BadTrainings(f"{place}: {run.fingerprint!r} is no fingerprint")
    return run


def _value(kind: Any, text: str) -> Any:
    """A column's value, as the store holds it."""
    if kind == float | None:
        return None if text == "" else _value(float, text)
    if kind not in (int, float):
        return text
    value = kind(text)
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{text} is out of range")
    return value


def main(arguments: list[str]) -> int:
    """Load one file into one store; return the exit code."""
    return exit_code(load, "python -m storage.load training_runs.csv URL", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
