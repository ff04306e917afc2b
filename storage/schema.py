"""Our table beside Optuna's: every training, once."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Engine, inspect, text

from storage.errors import explained

# The same text for SQLite and PostgreSQL. `if not exists` and one statement each: a driver that
# is killed in between leaves what the next one completes.
_TABLE = """
create table if not exists training_runs (
    fingerprint text not null primary key,
    model text not null,
    learning_rate double precision not null,
    batch_size integer not null,
    alpha double precision,
    seed integer not null,
    epochs integer not null,
    data text not null,
    status text not null check (status in ('ok', 'diverged')),
    accuracy double precision check (accuracy between 0 and 1),
    validation_accuracy double precision,
    train_seconds double precision not null,
    cpu_seconds double precision not null,
    threads integer not null,
    loss_curve text not null,
    host text not null,
    started_at text not null,
    auxiliary text,
    check ((status = 'ok') = (accuracy is not null))
)
"""

# Holds all that time estimates read, so that they skip the long loss curves.
_INDEX = """
create index if not exists training_runs_seconds
on training_runs (status, model, batch_size, epochs, train_seconds)
"""


_OLDER_ROWS = """
update training_runs set auxiliary = 'logits' where alpha <> 0
"""


@dataclass(frozen=True)
class TrainingRun:
    """One training: a row of `training_runs`."""

    fingerprint: str
    """Hash of all that determines the result."""
    model: str
    learning_rate: float
    batch_size: int
    alpha: float | None
    """None for models without an auxiliary loss."""
    seed: int
    epochs: int
    data: str
    """Which data, by name and hash."""
    status: str
    """`ok` or `diverged`."""
    accuracy: float | None
    """On the test pairs, a fraction; None where diverged."""
    validation_accuracy: float | None
    train_seconds: float
    """Wall time."""
    cpu_seconds: float
    threads: int
    loss_curve: tuple[float, ...]
    """Mean training loss of each epoch. The store keeps no infinity: it comes back as NaN."""
    host: str
    started_at: str
    """UTC, ISO 8601."""
    auxiliary: str | None
    """What the auxiliary loss was made of, `softmax` or `logits`; None where it has no weight."""


COLUMNS = tuple(field.name for field in fields(TrainingRun))

_INSERT = f"""
insert into training_runs ({", ".join(COLUMNS)})
values ({", ".join(":" + column for column in COLUMNS)})
on conflict (fingerprint) do nothing
"""


def create_tables(engine: Engine) -> None:
    """Create what is missing; keep what is there."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # By itself, Python's driver begins no transaction before it changes a table.
            connection.exec_driver_sql("begin immediate")
        connection.execute(text(_TABLE))
        connection.execute(text(_INDEX))
        columns = {column["name"] for column in inspect(connection).get_columns("training_runs")}
        if "auxiliary" not in columns:
            connection.execute(text("alter table training_runs add column auxiliary text"))
            connection.execute(text(_OLDER_ROWS))


def record(engine: Engine, runs: Sequence[TrainingRun]) -> None:
    """Record trainings, all or none; one whose fingerprint is there already stays as it was.

    On return they are on disk. Raises `StoreError`.
    """
    if runs:
        with explained(engine.url), engine.begin() as connection:
            connection.execute(text(_INSERT), [_row(run) for run in runs])


def _row(run: TrainingRun) -> dict[str, Any]:
    # NaN is no JSON: SQLite's and PostgreSQL's functions would refuse the whole curve.
    curve = [loss if math.isfinite(loss) else None for loss in run.loss_curve]
    return asdict(run) | {"loss_curve": json.dumps(curve)}


def training_run(row: dict[str, Any]) -> TrainingRun:
    """Return the training that a row of `training_runs` holds."""
    curve = (math.nan if loss is None else loss for loss in json.loads(row["loss_curve"]))
    return TrainingRun(**row | {"loss_curve": tuple(curve)})
