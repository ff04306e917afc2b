"""The chain of studies of a model: each stage's grid at the winner of the stage before."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from storage.rows import RankedCell
from storage.trainings import Value
from studies.experiment.definition import Experiment
from studies.experiment.stage import FURTHER_SEEDS, JOINT, RERUN
from studies.experiment.training import Parameters


@dataclass(frozen=True)
class Cell:
    """What one trial stands for: trainings that differ in their seeds alone."""

    parameters: Parameters
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class GridStudy:
    """One study of a model's chain."""

    experiment: Experiment
    model: str
    name: str
    """Of its stage, with `+1`, `+2`, ... for those that go on beyond it, and `@20`, ... for those
    that settle it with so many repeats."""
    grid: Mapping[str, tuple[Value, ...]]
    """Every parameter, also those that do not vary; of reruns the seed, too."""
    extension: int = 0
    """The number of a further study among those of its stage; 0 for that of the grid itself."""
    repeats: int | None = None
    """Of a study that settles its stage: how many trainings a cell has; None for all others."""
    only: tuple[Parameters, ...] | None = None
    """The cells, where they are not the whole product of the grid."""
    parent: Mapping[str, Any] | None = None
    """Of a further study: study and trial of the winner that it goes on from."""
    reason: str | None = None
    """Of a further study: why."""

    @property
    def study_name(self) -> str:
        """The name of the Optuna study."""
        return f"{self.experiment.name}/{self.model}/{self.name}"

    @property
    def stage(self) -> str:
        """The name of its stage in the chain."""
        return re.split("[+@]", self.name)[0]

    @property
    def is_rerun(self) -> bool:
        """Whether its trainings are measured fresh, each by itself with all cores."""
        return self.name == RERUN

    @property
    def is_race(self) -> bool:
        """Whether its cells may be given up."""
        return self.experiment.racing and not self.is_rerun and self.repeats is None

    @property
    def pairs(self) -> str:
        """The data on which its trials are ranked: `test` or `validation`."""
        return "test" if self.is_rerun else self.experiment.select_on

    @property
    def number(self) -> str:
        """The name of the number that ranks a cell: the objective, on test or validation data."""
        objective = self.experiment.objective
        return objective if self.pairs == "test" else f"validation_{objective}"

    @property
    def metric(self) -> str:
        """The name of the value that its trials end with."""
        measured = f"{self.pairs} {self.experiment.objective}"
        rank_by = "mean" if self.is_rerun else self.experiment.rank_by
        return measured if rank_by == "mean" else f"{rank_by.replace('-', ' ')} of {measured}"

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.experiment.direction == "maximize" else -1

    @property
    def trainings_per_cell(self) -> int:
        """How many trainings decide a trial."""
        return 1 if self.is_rerun else self.repeats or self.experiment.repeats

    @property
    def varied(self) -> dict[str, tuple[Value, ...]]:
        """The parameters with several values."""
        return {name: values for name, values in self.grid.items() if len(values) > 1}

    @property
    def searched(self) -> dict[str, tuple[Value, ...]]:
        """The parameters that its stage searches, with the values of the stage's grid."""
        grids = {stage.name: stage.grid for stage in self.experiment.stages}
        grid = self.experiment.grid if self.stage == JOINT else grids.get(self.stage, {})
        return {k: values for k, values in grid.items() if len(values) > 1 and k in self.grid}

    @property
    def fixed(self) -> dict[str, Value]:
        """The parameters with one value."""
        return {name: values[0] for name, values in self.grid.items() if len(values) == 1}

    @property
    def following(self) -> tuple[str, ...]:
        """The names of the stages after it."""
        names = chain(self.experiment, self.model)
        return names[names.index(self.stage) + 1 :]

    def __len__(self) -> int:
        """Return the number of cells."""
        if self.only is not None:
            return len(self.only)
        return math.prod(len(values) for values in self.grid.values())

    def cells(self) -> list[Cell]:
        """Return all cells in the order of their places."""
        if self.only is not None:
            return [self.cell(parameters) for parameters in self.only]
        grid = product(*self.grid.values())
        return [self.cell(dict(zip(self.grid, values, strict=True))) for values in grid]

    def place(self, parameters: Parameters) -> int:
        """Return the place of a cell in the product of the grid: of equals, the earlier wins."""
        place = 0
        for name, values in self.grid.items():
            place = place * len(values) + values.index(parameters[name])
        return place

    def cell(self, parameters: Parameters) -> Cell:
        """Return the trainings of the trial with these parameters."""
        chosen = {name: parameters[name] for name in self.grid if name != "seed"}
        if self.is_rerun:
            return Cell(chosen, (int(parameters["seed"]),))
        first = self.experiment.repeats
        further = range(FURTHER_SEEDS, FURTHER_SEEDS + self.trainings_per_cell - first)
        return Cell(chosen, (*range(first), *further))

    def further(
        self,
        ending: str,
        number: int,
        cells: Sequence[Parameters],
        winner: RankedCell,
        reason: str,
        repeats: int | None = None,
    ) -> "GridStudy":
        """Return a further study of the same stage, over these cells; `ending` ends its name.

        It is number `number` of the stage, and goes on from the winner of the studies before it.
        """
        values = {name: {cell[name] for cell in cells} for name in self.grid}
        # Known values in their order, then others by size.
        grid = {
            name: (
                *(value for value in known if value in values[name]),
                *sorted(values[name].difference(known)),
            )
            for name, known in self.grid.items()
        }
        in_product = (dict(zip(grid, chosen, strict=True)) for chosen in product(*grid.values()))
        wanted = {frozenset(cell.items()) for cell in cells}
        return GridStudy(
            self.experiment,
            self.model,
            f"{self.name}{ending}",
            grid,
            extension=number,
            repeats=repeats,
            only=tuple(cell for cell in in_product if frozenset(cell.items()) in wanted),
            parent={
                "study": f"{self.experiment.name}/{self.model}/{winner.stage}",
                "trial": winner.number,
            },
            reason=reason,
        )

    def recorded_as(self, parameters: Parameters) -> tuple[str, Parameters]:
        """Return the model and parameters that a worker trains for a cell, shared in searches."""
        if self.is_rerun:
            return self.model, parameters
        return self.experiment.training(self.model).recorded_as(self.model, parameters)

    def fingerprints(self, cell: Cell, data_sha256: str | None) -> dict[int, str]:
        """Return the hash of all that decides a training's result, for each training of a cell.

        A search may use a training of any other study. A rerun is fresh: its study is part of it.
        """
        model, parameters = self.recorded_as(cell.parameters)
        training = self.experiment.training(model)
        known: dict[str, Any] = {
            **training.identity(model, parameters, data_sha256),
            "study": self.study_name if self.is_rerun else None,
        }
        return {
            seed: hashlib.sha256(
                json.dumps(known | {"seed": seed}, sort_keys=True).encode()
            ).hexdigest()
            for seed in cell.seeds
        }


def chain(experiment: Experiment, model: str) -> tuple[str, ...]:
    """Return the names of a model's stages, in order."""
    if experiment.search == "published":
        return (RERUN,)
    if experiment.search == "joint":
        return (JOINT, RERUN)
    lacking = experiment.without.get(model, ())
    stages = [stage.name for stage in experiment.stages if stage.grid.keys() - set(lacking)]
    return (*stages, RERUN)


def grid_study(
    experiment: Experiment, model: str, name: str, winner: Parameters | None
) -> GridStudy:
    """Return the study of a stage; `winner` is that of the stage before, None for the first one.

    Without a search, the published parameters are rerun.
    """
    if winner is None and experiment.search == "published":
        winner = experiment.published[model].parameters
    if name == JOINT:
        grid = experiment.grid
    else:
        grid = {parameter: (value,) for parameter, value in (winner or {}).items()}
        for stage in experiment.stages:
            if stage.name == name:
                grid |= stage.grid
    lacking = experiment.without.get(model, ())
    ordered = {k: grid[k] for k in experiment.parameters if k in grid and k not in lacking}
    if name == RERUN:
        ordered["seed"] = tuple(experiment.rerun_seeds)
    return GridStudy(experiment, model, name, ordered)
