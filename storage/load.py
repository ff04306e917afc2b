"""Take the trainings of somebody's report as done: `python -m storage.load training_runs.csv URL`.

A search then trains only what the file lacks. Reruns stay out: each is to be timed afresh.
"""

import csv
import json
import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.columns import FIXED, ROLES, Value, csv_word, require_names, roles_by_place
from storage.commands import exit_code
from storage.errors import BadName, BadTrainings
from storage.lock import store_lock
from storage.store import open_store
from storage.trainings import TrainingRun, record
from storage.urls import parse

_LARGEST = 2**31 - 1
"""What an integer column of PostgreSQL holds."""

_INTEGER = r"[+-]?[0-9]{1,18}"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"


def load(path: str, url: str) -> None:
    """Record the searches' trainings that the file holds, all or none, and say how many.

    Those that the store has already stay as they are. Raises `BadTrainings` and `BadStoreURL`,
    which leave no store behind, `BadName`, `StoreInUse`, and `StoreError`.
    """
    parse(url)
    runs = list(trainings(Path(path)))
    with store_lock(url, ["load"]) as lock, open_store(url, lock) as store:
        record(store.engine, runs)
    print(f"{len(runs)} trainings of searches: what the store lacked of them, it has now")


def trainings(path: Path) -> Iterator[TrainingRun]:
    """Yield the trainings of searches in a report's file. Raises `BadTrainings`."""
    try:
        # Curves of any length.
        csv.field_size_limit(_LARGEST)
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            missing = [name for name in (*FIXED, "rerun_of") if name not in header]
            if missing:
                raise BadTrainings(f"{path} holds no trainings: it lacks {', '.join(missing)}")
            roles = roles_by_place(header)
            require_names([(role, name) for name, role in roles.items()])
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise BadTrainings(f"{place} has not {len(header)} columns, as the first has")
                if row["rerun_of"] == "":
                    yield _training(row, roles, place)
    except (OSError, UnicodeError, csv.Error, BadName) as error:
        raise BadTrainings(f"{path} cannot be read: {error}") from error


def _training(row: Mapping[str, str], roles: Mapping[str, str], place: str) -> TrainingRun:
    """Return the training of one row, a column's role being where it stands."""
    given: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    try:
        for name, role in roles.items():
            if row[name] != "":
                given[role][name] = _number(row[name]) if role == "number" else _value(row[name])
            elif role == "setting":
                given[role][name] = None
        words = ("fingerprint", "model", "status", "host", "started_at")
        fields: dict[str, Any] = {name: csv_word(row[name]) for name in words}
        fields |= {field: given[role] for role, field in ROLES.items()}
        run = TrainingRun(
            **fields,
            seed=_count(row["seed"]),
            data=csv_word(row["data"]) or None,
            train_seconds=_number(row["train_seconds"], least=0),
            cpu_seconds=_number(row["cpu_seconds"], least=0),
            threads=_count(row["threads"]),
            loss_curve=_curve(row["loss_curve"]),
        )
    except ValueError as error:
        raise BadTrainings(f"{place}: {error}") from error
    if run.status not in ("ok", "diverged") or (run.status == "ok") != bool(run.numbers):
        numbers = ", ".join(f"{name} {value}" for name, value in run.numbers.items())
        raise BadTrainings(f"{place}: status {run.status!r} with {numbers or 'no numbers'}")
    if not re.fullmatch("[0-9a-f]{64}", run.fingerprint):
        raise BadTrainings(f"{place}: {run.fingerprint!r} is no fingerprint")
    return run


def _value(text: str) -> Value:
    """Return a parameter or a setting as what it looks like: an integer, a number or a word."""
    if re.fullmatch(_INTEGER, text):
        return int(text)
    return _number(text) if re.fullmatch(_NUMBER, text, re.IGNORECASE) else csv_word(text)


def _number(text: str, least: float = -math.inf) -> float:
    value = float(text)
    if not math.isfinite(value) or value < least:
        raise ValueError(f"{text} is out of range")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{text} is out of range")
    return value


def _curve(text: str) -> tuple[float, ...]:
    """Return the losses of a JSON list, in which those that are not finite are null."""
    curve = json.loads(text)
    if not isinstance(curve, list) or not all(isinstance(x, float | None) for x in curve):
        raise ValueError(f"{text} is no list of losses")
    return tuple(math.nan if loss is None else loss for loss in curve)


def main(arguments: list[str]) -> int:
    """Load one file into one store; return the exit code."""
    return exit_code(load, "python -m storage.load training_runs.csv URL", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
