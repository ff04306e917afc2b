"""Our table beside Optuna's: every training, once."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Connection, Engine, inspect, text

from storage.columns import (
    ADDED,
    FIXED,
    RESERVED,
    ROLES,
    Columns,
    Value,
    Wanted,
    kind_of,
    read_columns,
    typed_values,
)
from storage.durability import durable
from storage.errors import explained
from storage.reader import in_chunks
from storage.rows import TrainingRun
from storage.tables import add_columns

__all__ = ["RESERVED", "TrainingRun", "Value", "declare", "mean_seconds"]
__all__ += ["record", "recorded", "training_runs"]

_WHICH = "select fingerprint from training_runs where fingerprint in :chunk"


_COMPLETE: WeakSet[Engine] = WeakSet()
"""Engines of stores that have all added columns; nothing takes these away."""


def declare(engine: Engine, parameters: Mapping[str, Sequence[Value]], objective: str) -> None:
    """Make columns for the parameters and the objective of an experiment, also in the views.

    Raises `StoreError`, and `BadName` for a name that no column can have.
    """
    wanted = {("parameter", name): kind_of(values) for name, values in parameters.items()}
    wanted |= {("objective", objective): "number", ("number", objective): "number"}
    with explained(engine.url), engine.begin() as connection:
        add_columns(connection, wanted)


def record(engine: Engine, runs: Sequence[TrainingRun]) -> None:
    """Record trainings, all or none; one whose fingerprint is there already stays as it was.

    Numbers that it lacks are filled in, and columns that are missing are added. On return all is on
    disk. Raises `StoreError`, and `BadName` for a name that no column can have.
    """
    if not runs:
        return
    with explained(engine.url), durable(engine) as connection:
        columns = add_columns(connection, _columns_of(runs))
        names = _names(columns)
        filled = ", ".join(
            f'"{name}" = coalesce(training_runs."{name}", excluded."{name}")'
            for name in columns["number"]
        )
        then = f"update set {filled} where training_runs.status = excluded.status"
        statement = f"""
            insert into training_runs ({_quoted(names)})
            values ({", ".join(f":c{number}" for number in range(len(names)))})
            on conflict (fingerprint) do {then if filled else "nothing"}"""
        rows = [_row(run, columns) for run in runs]
        connection.execute(
            text(statement),
            [{f"c{number}": row.get(name) for number, name in enumerate(names)} for row in rows],
        )


def recorded(engine: Engine, fingerprints: Iterable[str]) -> dict[str, TrainingRun]:
    """Return the trainings that are in the store, of those asked for. Raises `StoreError`."""
    with explained(engine.url), engine.connect() as connection:
        # Fingerprints alone first: a driver asks for each cell, and of a new one nothing is stored.
        rows = in_chunks(connection, _WHICH, fingerprints)
        stored = [row["fingerprint"] for row in rows]
        if not stored:
            return {}
        columns = read_columns(connection)
        statement = f"{_select(connection, columns)} where fingerprint in :chunk"
        rows = in_chunks(connection, statement, stored)
        return {row["fingerprint"]: _training_run(row, columns) for row in rows}


def training_runs(engine: Engine) -> list[TrainingRun]:
    """Return all trainings, by model, start, seed and fingerprint. Raises `StoreError`."""
    with explained(engine.url), engine.connect() as connection:
        columns = read_columns(connection)
        statement = f"{_select(connection, columns)} order by model, started_at, seed, fingerprint"
        rows = connection.execute(text(statement)).mappings()
        return [_training_run(row, columns) for row in rows]


class MeanSeconds(NamedTuple):
    """How long finished trainings took that differ in nothing but their seeds."""

    model: str
    parameters: dict[str, Value]
    settings: dict[str, Value]
    threads: int | None
    processor: str | None
    seconds: float
    """Wall time, the mean."""


def mean_seconds(engine: Engine) -> list[MeanSeconds]:
    """Return how long finished trainings took, also of a store that nobody may write.

    Raises `StoreError`.
    """
    with explained(engine.url), engine.connect() as connection:
        columns = read_columns(connection)
        parameters, settings = columns["parameter"], columns["setting"]
        there = {column["name"] for column in inspect(connection).get_columns("training_runs")}
        # A store of before may lack it, and a reader cannot add it.
        processor = "processor" if "processor" in there else "null"
        key = _quoted(dict.fromkeys(["model", *parameters, *settings, "threads"]))
        group = f"{key}, processor" if processor in there else key
        statement = f"""select {key}, {processor} as of_processor,
            avg(train_seconds) as seconds_of_training
            from training_runs where status = 'ok' group by {group}"""
        return [
            MeanSeconds(
                row["model"],
                typed_values(parameters, row),
                typed_values(settings, row),
                row["threads"],
                row["of_processor"],
                row["seconds_of_training"],
            )
            for row in connection.execute(text(statement)).mappings()
        ]


def _columns_of(runs: Iterable[TrainingRun]) -> Wanted:
    wanted: dict[tuple[str, str], list[Value | None]] = {}
    for run in runs:
        for role, field in ROLES.items():
            for name, value in getattr(run, field).items():
                number = float(value) if role == "number" else value
                wanted.setdefault((role, name), []).append(number)
    return {key: kind_of(values) for key, values in wanted.items()}


def _row(run: TrainingRun, columns: Columns) -> dict[str, Any]:
    numbers = {name: value for name, value in run.numbers.items() if not math.isnan(value)}
    if (run.status == "ok") != bool(numbers):
        raise ValueError(f"status {run.status!r} with {dict(run.numbers)}")
    # NaN is no JSON: SQLite's and PostgreSQL's functions would refuse the whole curve.
    curve = [loss if math.isfinite(loss) else None for loss in run.loss_curve]
    row = {name: getattr(run, name) for name in (*FIXED, *ADDED)}
    row["loss_curve"] = json.dumps(curve)
    given = {"parameter": run.parameters, "setting": run.settings, "number": numbers}
    for role, of_role in given.items():
        row |= typed_values(columns[role], of_role)
    return row


def _training_run(row: Mapping[Any, Any], columns: Columns) -> TrainingRun:
    curve = (math.nan if loss is None else loss for loss in json.loads(row["loss_curve"]))
    given: dict[str, Any] = {name: row.get(name) for name in (*FIXED, *ADDED)}
    given["loss_curve"] = tuple(curve)
    given |= {field: typed_values(columns[role], row) for role, field in ROLES.items()}
    return TrainingRun(**given)


def _names(columns: Columns) -> list[str]:
    """Return the columns of `training_runs`; roles may share some."""
    own = (name for role in ROLES for name in columns[role])
    return list(dict.fromkeys([*FIXED, *ADDED, *own]))


def _select(connection: Connection, columns: Columns) -> str:
    """Return a query of all columns; those that a store of an older version lacks are left out."""
    names = _names(columns)
    if connection.engine not in _COMPLETE:
        there = {column["name"] for column in inspect(connection).get_columns("training_runs")}
        if there >= ADDED.keys():
            _COMPLETE.add(connection.engine)
        names = [name for name in names if name in there]
    # By name: a column that another driver adds meanwhile must not change the result.
    return f"select {_quoted(names)} from training_runs"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
