"""Stores of made-up results, with trials, attributes and trainings as a run writes them."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from sqlalchemy import Column, ColumnElement, Integer, MetaData, func, insert, select

from storage.store import Store
from storage.trainings import TrainingRun, declare, record
from studies.experiment.study import GridStudy, chain, grid_study
from studies.paper import experiment as paper

FAR = 1_000_000
"""More than an experiment has of anything: how far apart copies are numbered."""


def fill(store: Store, experiment: str, complete: Callable[[GridStudy, Study], None]) -> None:
    """Write the studies of all models, 3,120 trainings; `complete` is told of each study."""
    chosen = replace(paper(), name=experiment)
    declare(store.engine, chosen.grid, chosen.objective)
    for model in chosen.models:
        won = None
        for name in chain(chosen, model):
            grid = grid_study(chosen, model, name, won)
            study = optuna.create_study(
                study_name=grid.study_name, storage=store.optuna, direction="maximize"
            )
            labels = {"experiment": experiment, "model": model, "stage": name, "parameters": 72268}
            for key, value in (labels | {"protocol": chosen.protocol("0" * 64)}).items():
                study.set_user_attr(key, value)
            cells = product(*grid.grid.values())
            trials = [trial(store, grid, dict(zip(grid.grid, c, strict=True))) for c in cells]
            study.add_trials(trials)
            complete(grid, study)
            won = chosen.published[model].parameters


def multiply(store: Store, experiment: str, copies: int) -> None:
    """Copy all that an experiment wrote to others, by statements: Optuna would take minutes."""
    tables = MetaData()
    tables.reflect(store.engine)
    with store.engine.begin() as connection:
        for number in range(1, copies + 1):
            for table in tables.sorted_tables:
                if not {"study_id", "trial_id", "fingerprint"} & set(table.columns.keys()):
                    continue
                (key,) = table.primary_key.columns
                is_first = key < FAR if isinstance(key.type, Integer) else func.length(key) == 64
                columns = [_copied(column, experiment, number) for column in table.columns]
                rows = select(*columns).where(is_first)
                connection.execute(insert(table).from_select(table.columns.keys(), rows))


def _copied(column: Column[Any], experiment: str, number: int) -> ColumnElement[Any]:
    match column.name:
        case "study_name" | "value_json":
            return func.replace(column, experiment, f"{experiment}-{number}")
        case "fingerprint":
            return column + f"-{number}"
        case _ if column.primary_key or column.name in ("study_id", "trial_id"):
            return column + number * FAR
        case _:
            return column


def trial(store: Store, study: GridStudy, parameters: dict[str, Any]) -> FrozenTrial:
    """A finished trial, its trainings recorded."""
    cell = study.cell(parameters)
    # Data of its own for each experiment, as a search uses what is recorded.
    by_seed = study.fingerprints(cell, study.experiment.name)
    accuracies = [random.gauss(0.87, 0.01) for _ in cell.seeds]
    curve = tuple(3.5 / (1 + epoch) for epoch in range(25))
    record(
        store.engine,
        [
            TrainingRun(
                fingerprint=by_seed[seed], model=study.model, parameters=cell.parameters, seed=seed,
                settings={"epochs": 25}, data="made up", status="ok",
                numbers={"accuracy": accuracy, "validation_accuracy": accuracy},
                train_seconds=2.0, cpu_seconds=2.0, threads=1, loss_curve=curve, host="here",
                started_at="2026-01-01T00:00:00+00:00",
            )
            for seed, accuracy in zip(cell.seeds, accuracies, strict=True)
        ],
    )  # fmt: skip
    mean = sum(accuracies) / len(accuracies)
    rerun = {"fingerprint": by_seed[cell.seeds[0]], "train_seconds": 2.0}
    search = {"score": mean, "place": 0, "fingerprints": list(by_seed.values())}
    return create_trial(
        params=parameters,
        distributions={
            name: IntDistribution(1, 128) if isinstance(value, int) else FloatDistribution(0, 1)
            for name, value in parameters.items()
        },
        value=mean,
        intermediate_values=dict(enumerate(curve if study.is_rerun else accuracies)),
        user_attrs=rerun if study.is_rerun else search,
    )
