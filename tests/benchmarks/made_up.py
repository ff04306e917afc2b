"""Stores of made-up results, with trials, attributes and trainings as a run writes them."""

import random
from collections.abc import Callable
from dataclasses import asdict

import optuna
from optuna import Study
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, create_trial

from digitcmp.training import Hyperparameters
from storage.schema import TrainingRun, record
from storage.store import Store
from studies.grid import Grid
from studies.paper import PAPER
from studies.protocol import Protocol
from studies.records import fingerprints
from studies.stages import Stage, chain, make_stage


def fill(store: Store, experiment: str, complete: Callable[[Stage, Study], None]) -> None:
    """Write the studies of all models, 3,180 trainings; `complete` is told of each study."""
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
                started_at="2026-01-01T00:00:00+00:00",
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
