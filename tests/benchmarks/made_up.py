"""Stores of made-up results, with trials, attributes and trainings as a run writes them."""

import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import optuna
from optuna import Study
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial
from sqlalchemy import Column, ColumnElement, Integer, MetaData, func, insert, select

from digitcmp.training import Hyperparameters
from storage.schema import TrainingRun, record
from storage.store import Store
from studies.grid import Grid
from studies.paper import PAPER
from studies.protocol import Protocol
from studies.records import fingerprints
from studies.stages import Stage, chain, make_stage

FAR = 1_000_000
"""More than an experiment has of anything: how far apart copies are numbered."""


def fill(store: Store, experiment: str, complete: Callable[[Stage, Study], None]) -> None:
    """Write the studies of all models, 3,120 trainings; `complete` is told of each study."""
    for model, published in PAPER.items():
        won = None
        for name in chain(model, Protocol()):
            stage = make_stage(experiment, model, name, Protocol(), won)
            study = optuna.create_study(
                study_name=stage.study_name, storage=store.optuna, direction="maximize"
            )
            labels = {"experiment": experiment, "model": model, "stage": name, "parameters": 72268}
            for key, value in (labels | {"protocol": stage.protocol.stored("0" * 64)}).items():
                study.set_user_attr(key, value)
            study.add_trials(
                [trial(store, stage, cell) for cell in Grid(stage.search_space).cells()]
            )
            complete(stage, study)
            won = Hyperparameters(published.learning_rate, published.batch_size, published.alpha)


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


def trial(store: Store, stage: Stage, parameters: dict[str, float]) -> FrozenTrial:
    """A finished trial, its trainings recorded."""
    cell = stage.cell(parameters)
    # Data of its own for each experiment, as a search uses what is recorded.
    by_seed = fingerprints(stage, cell, stage.experiment)
    accuracies = [random.gauss(0.87, 0.01) for _ in cell.seeds]
    curve = tuple(3.5 / (1 + epoch) for epoch in range(25))
    record(
        store.engine,
        [
            TrainingRun(
                by_seed[seed], stage.model, **asdict(cell.hyperparameters), seed=seed, epochs=25,
                data="made up", status="ok", accuracy=accuracy, validation_accuracy=accuracy,
                train_seconds=2.0, cpu_seconds=2.0, threads=1, loss_curve=curve, host="here",
                started_at="2026-01-01T00:00:00+00:00", auxiliary=None,
            )
            for seed, accuracy in zip(cell.seeds, accuracies, strict=True)
        ],
    )  # fmt: skip
    mean = sum(accuracies) / len(accuracies)
    rerun = {"fingerprint": by_seed[cell.seeds[0]], "train_seconds": 2.0}
    return create_trial(
        params=parameters,
        distributions={
            name: IntDistribution(1, 128) if isinstance(value, int) else FloatDistribution(0, 1)
            for name, value in parameters.items()
        },
        value=mean,
        intermediate_values=dict(enumerate(curve if stage.is_rerun else accuracies)),
        user_attrs=rerun if stage.is_rerun else {"score": mean},
    )
