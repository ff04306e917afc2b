"""Stores filled with results that are known beforehand, as a driver leaves them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from storage.store import Store
from storage.trainings import TrainingRun, Value, declare, record
from studies.experiment.definition import Experiment, Stage
from studies.experiment.study import GridStudy, chain, grid_study
from studies.experiment.training import Training
from studies.paper import PairTraining
from studies.paper import experiment as paper
from studies.search.provenance import Data, study_attributes


def small(name: str = "paper", **options: Any) -> Experiment:
    """The paper's experiment with these options, on a small grid."""
    repeats = {} if options.get("search") == "published" else {"repeats": 2}
    return replace(
        paper(**{"reruns": 4, **repeats, **options}),
        name=name,
        stages=(
            Stage("lr-batch", learning_rate=[0.005, 0.001], batch_size=[8, 16], alpha=[0.0]),
            Stage("alpha", alpha=[0.0, 0.5, 1.0]),
        ),
    )


PAPER = small()
WINNER = {"learning_rate": 0.001, "batch_size": 16, "alpha": 0.5}
NOISE = (0.005, -0.010, 0.0025, 0.0025)
"""Of a seed, for all models."""


def _train(parameters: Mapping[str, Value], seed: int) -> Mapping[str, float]:
    raise NotImplementedError


def _renamed(training: Training) -> Training:
    """That of an architecture of somebody's own."""
    assert isinstance(training, PairTraining)
    return replace(training, spec=replace(training.spec, name="LeNet", architecture="LeNet"))


VARIANTS = ("", "Siamese", "Aux", "Auxsiamese")
LENET = replace(
    PAPER,
    models={f"{variant}LeNet": _renamed(PAPER.training(f"{variant}MLP")) for variant in VARIANTS},
    published={},
    no_better=(),
    without={"LeNet": ("alpha",), "SiameseLeNet": ("alpha",)},
    factors={
        f"{variant}LeNet": {**PAPER.factors[f"{variant}MLP"], "architecture": "LeNet"}
        for variant in VARIANTS
    },
)
"""A fourth architecture, of which nothing is published."""

FOREST = Experiment(
    name="forest",
    models={"Forest": _train, "Boost": _train, "Stump": _train},
    stages=(
        Stage("shape", depth=[4, 8, 16], criterion=["gini", "entropy"], rate=[0.5]),
        Stage("rate", rate=[0.1, 0.5]),
    ),
    repeats=2, reruns=4, objective="loss", direction="minimize", without={"Stump": ("rate",)},
    version="1",
)  # fmt: skip
"""No factors, nothing published, words among its parameters, and a loss."""
BEST_TREE = {"depth": 8, "criterion": "entropy", "rate": 0.1}


@dataclass
class Filled:
    """Writes studies; a cell's values get worse with its distance from the winner."""

    store: Store
    experiment: Experiment = PAPER
    winner: Mapping[str, Value] = field(default_factory=lambda: dict(WINNER))
    data: str = "ab"
    """Their hash."""

    def __post_init__(self) -> None:
        declare(self.store.engine, self.experiment.grid, self.experiment.objective)

    def model(
        self, model: str, values: Sequence[float], seconds: float = 1.0, stop: str = "",
        disturbed: Sequence[bool] = (),
    ) -> None:  # fmt: skip
        """Write the chain of a model, up to before the stage `stop`; the reruns' values.

        `disturbed` tells of its first reruns; of the others nobody knows.
        """
        won: Mapping[str, Value] | None = None
        for stage in chain(self.experiment, model):
            if stage == stop:
                return
            grid = grid_study(self.experiment, model, stage, won)
            study = self._study(grid)
            for place, chosen in enumerate(product(*grid.grid.values())):
                parameters = dict(zip(grid.grid, chosen, strict=True))
                if grid.is_rerun:
                    known = {"disturbed": disturbed[place]} if place < len(disturbed) else {}
                    self._rerun(study, grid, parameters, values[place], seconds + place / 10, known)
                else:
                    self._cell(study, grid, parameters, place)
            won = {
                name: self.winner[name] if name in grid.varied else given[0]
                for name, given in grid.grid.items()
                if name != "seed"
            }

    def _study(self, grid: GridStudy) -> optuna.Study:
        study = optuna.create_study(
            study_name=grid.study_name,
            storage=self.store.optuna,
            direction=grid.experiment.direction,
        )
        known = {
            "parameters": 1234, "versions": {"python": "3.11"}, "machine": "x86_64 <i>|here",
            "git_commit": "c0ffee",
        }  # fmt: skip
        for key, value in {**study_attributes(grid, Data("toy:ab", self.data)), **known}.items():
            if value is not None:
                study.set_user_attr(key, value)
        return study

    def _cell(
        self, study: optuna.Study, grid: GridStudy, parameters: dict[str, Value], place: int
    ) -> None:
        away = sum(parameters.get(name, value) != value for name, value in self.winner.items())
        values = [
            0.9 - grid.sign * (0.01 * away - 0.001 * seed)
            for seed in range(self.experiment.repeats)
        ]
        runs = [self.training(grid, parameters, seed, value) for seed, value in enumerate(values)]
        record(self.store.engine, runs)
        mean = sum(values) / len(values)
        names = [run.fingerprint for run in runs]
        attributes = {"score": mean, "place": place, "fingerprints": names}
        self._add(study, grid, parameters, mean, values, attributes)

    def _rerun(
        self, study: optuna.Study, grid: GridStudy, parameters: dict[str, Value], value: float,
        seconds: float, known: Mapping[str, bool],
    ) -> None:  # fmt: skip
        run = self.training(grid, parameters, int(parameters["seed"]), value)
        record(self.store.engine, [run])
        attributes = {"train_seconds": seconds, "fingerprint": run.fingerprint, **known}
        self._add(study, grid, parameters, value, [0.7, 0.6], attributes)

    def training(
        self, grid: GridStudy, parameters: dict[str, Value], seed: int, value: float
    ) -> TrainingRun:
        cell = replace(grid.cell(parameters | {"seed": seed}), seeds=(seed,))
        model, recorded = grid.recorded_as(cell.parameters)
        objective = self.experiment.objective
        return TrainingRun(
            grid.fingerprints(cell, self.data)[seed], model, recorded, seed,
            self.experiment.training(model).settings(recorded), "toy:ab", "ok",
            {objective: value, f"validation_{objective}": 0.5}, 1.5, 2.5, 1, (0.7, 0.6), "host",
            "2026-01-02T03:04:05+00:00",
        )  # fmt: skip

    @staticmethod
    def _add(
        study: optuna.Study, grid: GridStudy, parameters: dict[str, Value], value: float,
        values: Sequence[float], attributes: dict[str, Any],
    ) -> None:  # fmt: skip
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE, params=parameters, value=value,
                distributions={name: _distribution(tried) for name, tried in grid.grid.items()},
                intermediate_values=dict(enumerate(values)), user_attrs=attributes,
            )
        )  # fmt: skip


def _distribution(tried: Sequence[Value]) -> BaseDistribution:
    numbers = [value for value in tried if not isinstance(value, str)]
    if len(numbers) < len(tried):
        return CategoricalDistribution(tried)
    if all(isinstance(number, int) for number in numbers):
        return IntDistribution(int(min(numbers)), int(max(numbers)))
    return FloatDistribution(min(numbers), max(numbers))


def around(mean: float, scale: float = 1.0) -> list[float]:
    """Values of four reruns with this mean: the seeds' noise is that of all models."""
    return [mean + scale * noise for noise in NOISE]


def family(filled: Filled, name: str = "MLP") -> None:
    """The MLPs: two branches give 0.010, then sharing 0.020, the auxiliary loss 0.040, and both
    0.080; Aux takes twice as long, the others as long as plain."""
    filled.model(name, around(0.80))
    filled.model(f"Siamese{name}", around(0.83, 1.1))
    filled.model(f"Aux{name}", around(0.85, 0.9), seconds=2.15)
    filled.model(f"Auxsiamese{name}", around(0.89, 1.2))
    if f"Unshared{name}" in filled.experiment.models:
        filled.model(f"Unshared{name}", around(0.81))
