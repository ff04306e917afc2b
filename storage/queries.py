"""Typed reads of a store.

Each raises `StoreError` where the store cannot be read, or no driver has opened it yet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, bindparam, text

from storage.cells import RANKABLE, RANKING
from storage.errors import explained
from storage.schema import TrainingRun, training_run
from storage.views import GRID_CELLS

_CHUNK = 500
"""Values in one statement: SQLite once took no more than 999."""


@dataclass(frozen=True)
class BestParams:
    """The winner of an experiment's last search stage: a row of `best_params`."""

    experiment: str
    model: str
    learning_rate: float
    batch_size: int
    alpha: float | None
    mean_accuracy: float | None
    std_accuracy: float | None
    runs: int


@dataclass(frozen=True)
class GridCell:
    """A cell of a search: a row of `grid_cells`."""

    experiment: str
    model: str
    stage: str
    learning_rate: float
    batch_size: int
    alpha: float | None
    mean_accuracy: float | None
    std_accuracy: float | None
    runs: int
    state: str
    """Optuna's state of the trial, or DIVERGED."""
    dead: int | None
    """Of the runs, those that ended no better than guessing; None where an older version made the
    study, which does not say what guessing gives."""


@dataclass(frozen=True)
class ModelResult:
    """What the reruns of a winner gave: a row of `model_results`."""

    experiment: str
    model: str
    parameters: int
    learning_rate: float
    batch_size: int
    alpha: float | None
    mean_accuracy: float
    std_accuracy: float | None
    mean_train_seconds: float | None
    std_train_seconds: float | None
    reruns: int


def recorded(engine: Engine, fingerprints: Iterable[str]) -> dict[str, TrainingRun]:
    """Return the trainings that are in the store, of those asked for."""
    wanted = list(dict.fromkeys(fingerprints))
    statement = text("select * from training_runs where fingerprint in :chunk").bindparams(
        bindparam("chunk", expanding=True)
    )
    runs: dict[str, TrainingRun] = {}
    with explained(engine.url), engine.connect() as connection:
        for start in range(0, len(wanted), _CHUNK):
            chunk = {"chunk": wanted[start : start + _CHUNK]}
            for row in connection.execute(statement, chunk).mappings():
                runs[row["fingerprint"]] = training_run(dict(row))
    return runs


def best_params(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[BestParams]:
    """Return the winners, by experiment and model."""
    rows = _view(engine, "best_params", experiment=experiment, model=model)
    return [BestParams(**row) for row in rows]


def model_results(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[ModelResult]:
    """Return the results of reruns, by experiment and model."""
    rows = _view(engine, "model_results", experiment=experiment, model=model)
    return [ModelResult(**row) for row in rows]


def grid_cells(engine: Engine, experiment: str, model: str, stage: str) -> list[GridCell]:
    """Return the cells of a study, in any order."""
    rows = _view(engine, "grid_cells", experiment=experiment, model=model, stage=stage)
    return [GridCell(**row) for row in rows]


def best_cell(engine: Engine, experiment: str, model: str, stage: str) -> GridCell | None:
    """Return a study's best finished cell by the rule of `best_params`, None if there is none."""
    statement = f"""{GRID_CELLS}
        where {RANKABLE} and experiment = :experiment and model = :model and stage = :stage
        order by {RANKING} limit 1"""
    study = {"experiment": experiment, "model": model, "stage": stage}
    rows = _rows(engine, statement, study)
    return GridCell(**rows[0]) if rows else None


def mean_train_seconds(engine: Engine) -> dict[tuple[str, int, int], float]:
    """Return the mean wall time in seconds of finished trainings by model, batch size, epochs."""
    rows = _rows(
        engine,
        """select model, batch_size, epochs, avg(train_seconds) as seconds from training_runs
        where status = 'ok' group by model, batch_size, epochs""",
    )
    return {(row["model"], row["batch_size"], row["epochs"]): row["seconds"] for row in rows}


def _view(engine: Engine, view: str, **equal: str | None) -> list[dict[str, Any]]:
    given = {column: value for column, value in equal.items() if value is not None}
    condition = " and ".join(f"{column} = :{column}" for column in given) or "true"
    return _rows(
        engine, f"select * from {view} where {condition} order by experiment, model", given
    )


def _rows(engine: Engine, statement: str, values: Mapping[str, Any] = {}) -> list[dict[str, Any]]:
    with explained(engine.url), engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(statement), values).mappings()]
