"""What a driver tells a progress display, without a driver."""

from collections.abc import Mapping
from typing import Any

import optuna
from rich.console import Console
from sqlalchemy import create_engine

from storage.trainings import TrainingRun
from storage.trials import OpenTrial
from studies.display.progress import Progress
from studies.experiment.definition import Experiment, Stage
from studies.experiment.study import GridStudy, grid_study
from studies.search.grid_sampler import Grid
from studies.search.trial import RunningTrial


def train(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Return nothing of interest: nobody calls it."""
    return {"accuracy": 1.0}


GRID = Stage("size", depth=[2, 4, 8, 16, 32], kernel=["rbf", "[red]"], rate=[0.001, 0.01])
TOY = Experiment("toy", {"tree": train}, [GRID], repeats=2, reruns=4)
SIZE = grid_study(TOY, "tree", "size", None)
SECOND = GridStudy(TOY, "tree", "second", {"depth": (2, 4)})
RERUN = grid_study(TOY, "tree", "rerun", {"depth": 4, "kernel": "rbf", "rate": 0.01})


class Replay:
    """Tells a progress display what a driver does with one study or, by `begin`, with others."""

    def __init__(
        self,
        console: Console,
        study: GridStudy = SIZE,
        expected: float | None = 600.0,
        later: Mapping[str, float | None] = {},
    ) -> None:
        self.progress = Progress(console, {study.study_name: expected, **later})
        self.take(study)

    def take(self, study: GridStudy) -> None:
        """Go on with the cells of a study."""
        self.of = study
        self.grid = Grid(study.grid)
        self.study = optuna.create_study(sampler=self.grid, direction=study.experiment.direction)
        self.cells = iter(self.grid.free(self.study, lambda cell: 1.0))

    def begin(self, study: GridStudy, free: int | None = None) -> None:
        """Begin a study, and go on with its cells."""
        self.take(study)
        self.progress.begin(study, free=len(study) if free is None else free)

    def cell(
        self, *values: float | None, error: str | None = None, known: int = 0,
        seconds: float | None = None, given_up: str | None = None,
    ) -> None:  # fmt: skip
        """A cell is asked, trained and told; the first `known` of its trainings are recorded."""
        cell = next(self.cells)
        trial = OpenTrial(create_engine("sqlite://"), cell, cell, self.grid.parameters(cell))
        runs = {seed: run_of(seed, value) for seed, value in enumerate(values)}
        recorded = {seed: run for seed, run in runs.items() if seed < known}
        seeds = range(self.of.trainings_per_cell)
        running = RunningTrial(self.of, trial, {seed: str(seed) for seed in seeds}, recorded, list)
        self.progress.begin_cell(running)
        running.runs, running.error, running.given_up = runs, error, given_up
        if len(runs) > known:
            self.progress.trained(running, len(runs) - known, seconds)
        self.progress.finish_cell(running)


def run_of(seed: int, value: float | None) -> TrainingRun:
    """A training with this accuracy; None: it diverged."""
    status, numbers = ("diverged", {}) if value is None else ("ok", {"accuracy": value})
    return TrainingRun("", "tree", {}, seed, {}, None, status, numbers, 1, 1, 1, (), "", "")
