"""A report's file of trainings, `training_runs.csv`: what its rows must be to count as done."""

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.columns import FIXED, ROLES, Value, csv_word, require_names, roles_by_place
from storage.errors import BadName, BadTrainings
from storage.rows import TrainingRun

RERUN_OF, CHECK = "rerun_of", "check"
"""Columns of a file alone, its last ones."""

_LARGEST = 2**31 - 1
"""What an integer column of PostgreSQL holds."""

_SECONDS = (0.0, 30 * 24 * 3600.0)
"""Deadlines are made of recorded times: with a longer one, none would hold."""

_RANGES = {
    "train_seconds": _SECONDS,
    "cpu_seconds": _SECONDS,
    "disturbance": (0.0, 1.0),
}

_FRACTIONS = ("accuracy", "validation_accuracy")
"""Numbers that are from 0 to 1 in files of older versions; those of others may be percentages."""

_INTEGER = r"[+-]?[0-9]{1,18}"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?"


def row_check(header: Sequence[str], row: Sequence[str]) -> str:
    """Return the text of the column `check`: 16 hex digits of what the other columns hold."""
    return hashlib.sha256(json.dumps([header, row]).encode()).hexdigest()[:16]


def trainings(path: Path, unchecked: bool = False) -> list[TrainingRun]:
    """Return the trainings of searches in a report's file. Raises `BadTrainings`.

    An `unchecked` file need not have the column `check`, which is not compared; its rows must then
    give the same numbers for each model.
    """
    try:
        # Curves of any length.
        csv.field_size_limit(_LARGEST)
        # Spreadsheets put a mark of UTF-8 first.
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_trainings(path, csv.reader(file, strict=True), unchecked))
    except (OSError, UnicodeError, csv.Error, BadName) as error:
        raise BadTrainings(f"{path} cannot be read: {error}") from error


def _trainings(path: Path, reader: Any, unchecked: bool) -> Iterator[TrainingRun]:
    header: list[str] = next(reader, [])
    has_check = header[-2:] == [RERUN_OF, CHECK]
    names = header[:-1] if has_check else header
    missing = [name for name in (*FIXED, RERUN_OF) if name not in names]
    if missing:
        raise BadTrainings(f"{path} holds no trainings: it lacks {', '.join(missing)}")
    if not has_check and not unchecked:
        raise BadTrainings(
            f"{path} has no column {CHECK}: give --unchecked if an older version wrote the file"
        )
    roles = roles_by_place(names)
    require_names([(role, name) for name, role in roles.items()])
    lines: dict[str, tuple[int, list[str]]] = {}
    numbers: dict[object, set[str]] = {}
    for fields in reader:
        place = f"{path}, line {reader.line_num}"
        if len(fields) != len(header):
            raise BadTrainings(f"{place} has not {len(header)} columns, as the first has")
        texts = fields[: len(names)]
        if not unchecked and fields[-1] != row_check(names, texts):
            raise BadTrainings(
                f"{place} was changed after the report wrote it (see its {CHECK}): "
                "get the file again from where it comes"
            )
        row = dict(zip(names, texts, strict=True))
        line, first = lines.setdefault(row["fingerprint"], (reader.line_num, texts))
        if texts != first:
            raise BadTrainings(f"{place} and line {line} are two results of one training")
        if row[RERUN_OF] or line != reader.line_num:
            continue
        run = _training(row, roles, place)
        # Two versions of code may give other numbers: rows that have a check need not agree.
        if unchecked and run.numbers:
            for name in _FRACTIONS:
                if not 0 <= run.numbers.get(name, 0) <= 1:
                    raise BadTrainings(f"{place}: {name} {row[name]} is out of range")
            names_before = numbers.setdefault((run.model, *run.settings.items()), {*run.numbers})
            if names_before != {*run.numbers}:
                raise BadTrainings(
                    f"{place} gives {', '.join(run.numbers)}, but other trainings of {run.model} "
                    f"give {', '.join(sorted(names_before))}"
                )
        yield run


def _training(row: Mapping[str, str], roles: Mapping[str, str], place: str) -> TrainingRun:
    """Return the training of one row, a column's role being where it stands."""
    given: dict[str, dict[str, Any]] = {role: {} for role in ROLES}
    try:
        for name, role in roles.items():
            if row[name] != "":
                given[role][name] = _number(row, name) if role == "number" else _value(row, name)
            elif role == "setting":
                given[role][name] = None
        datetime.fromisoformat(row["started_at"])
        words = ("fingerprint", "model", "status", "host", "started_at")
        fields: dict[str, Any] = {name: csv_word(row[name]) for name in words}
        fields |= {field: given[role] for role, field in ROLES.items()}
        run = TrainingRun(
            **fields,
            seed=_count(row["seed"]),
            data=csv_word(row["data"]) or None,
            train_seconds=_number(row, "train_seconds"),
            cpu_seconds=_number(row, "cpu_seconds"),
            threads=_count(row["threads"]),
            loss_curve=_curve(row["loss_curve"]),
            # Files of older versions lack these.
            processor=csv_word(row.get("processor", "")) or None,
            disturbance=_number(row, "disturbance") if row.get("disturbance") else None,
            git_commit=csv_word(row.get("git_commit", "")) or None,
        )
    except ValueError as error:
        raise BadTrainings(f"{place}: {error}") from error
    if run.status not in ("ok", "diverged") or (run.status == "ok") != bool(run.numbers):
        numbers = ", ".join(f"{name} {value}" for name, value in run.numbers.items())
        raise BadTrainings(f"{place}: status {run.status!r} with {numbers or 'no numbers'}")
    if not re.fullmatch("[0-9a-f]{64}", run.fingerprint):
        raise BadTrainings(f"{place}: {run.fingerprint!r} is no fingerprint")
    return run


def _value(row: Mapping[str, str], name: str) -> Value:
    """Return a parameter or a setting as what it looks like: an integer, a number or a word."""
    text = row[name]
    if re.fullmatch(_INTEGER, text):
        return int(text)
    return _number(row, name) if re.fullmatch(_NUMBER, text, re.IGNORECASE) else csv_word(text)


def _number(row: Mapping[str, str], name: str) -> float:
    value = float(row[name])
    least, most = _RANGES.get(name, (-math.inf, math.inf))
    if not math.isfinite(value) or not least <= value <= most:
        raise ValueError(f"{name} {row[name]} is out of range")
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _LARGEST:
        raise ValueError(f"{text} is out of range")
    return value


def _curve(text: str) -> tuple[float, ...]:
    """Return the losses of a JSON list, in which those that are not finite are null."""
    try:
        curve = json.loads(text)
    except (ValueError, RecursionError):
        curve = None
    if not isinstance(curve, list) or not all(isinstance(x, float | None) for x in curve):
        raise ValueError("the loss curve is no list of losses")
    return tuple(math.nan if loss is None else loss for loss in curve)
