"""How fast this machine trains each model: measured once, and kept in the user's cache folder."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from storage.files import replace_whole
from studies.bound import cache_folder
from studies.experiment.definition import Experiment
from studies.experiment.stage import RERUN
from studies.experiment.study import Cell, chain, grid_study
from studies.experiment.training import Training
from studies.workers.job import ALL_CORES, Job, cores
from studies.workers.measured import Measured
from studies.workers.processor import processor
from studies.workers.versions import versions

SHORT_FORM = "{}/short"
"""The name of a model's shortened training among those of a cluster; no model has a slash."""

Point = tuple[float, float, float]
"""Of a training: its cost, the seconds beside its own, and its own, of the shortened form."""


@dataclass(frozen=True)
class Speed:
    """How long trainings of a model take on this machine."""

    measured_on: str
    search: tuple[Point, ...]
    rerun: tuple[Point, ...]
    start: float
    """Seconds from the start of the workers until all were there."""


def factor(training: Training) -> float:
    """Return how many times as long a training is as what is measured of it."""
    shortened = training.shortened()
    return 1.0 if shortened is None else shortened[1]


def with_short_forms(experiment: Experiment) -> dict[str, Training]:
    """Return an experiment's trainings by model, and beside them those that are measured."""
    trainings = {model: experiment.training(model) for model in experiment.models}
    for model in experiment.models:
        if (shortened := trainings[model].shortened()) is not None:
            trainings[SHORT_FORM.format(model)] = shortened[0]
    return trainings


@dataclass(frozen=True)
class Probe:
    """What is measured of a model: a cheap and a costly cell of its search, and a rerun."""

    experiment: Experiment
    model: str

    @property
    def _cells(self) -> list[Cell]:
        name = chain(self.experiment, self.model)[0]
        if name == RERUN:
            return []
        cells = grid_study(self.experiment, self.model, name, None).cells()
        cells.sort(key=lambda cell: self._training.cost(cell.parameters))
        return cells if len(cells) < 3 else [cells[0], cells[-1]]

    @property
    def _rerun(self) -> Cell:
        first = {name: values[0] for name, values in self.experiment.grid.items()}
        published = self.experiment.published.get(self.model)
        chosen = first | (dict(published.parameters) if published else {})
        return grid_study(self.experiment, self.model, RERUN, chosen).cells()[0]

    @property
    def _training(self) -> Training:
        return self.experiment.training(self.model)

    def jobs(self, key: str) -> list[Job]:
        """Return the jobs of the search, the cheapest first."""
        return [self._job(key, cell, 1) for cell in self._cells]

    def rerun(self, key: str) -> Job:
        """Return the job of a rerun."""
        return self._job(key, self._rerun, ALL_CORES)

    def _job(self, key: str, cell: Cell, threads: int) -> Job:
        # A search may train an equal model in its place, which takes as long.
        at_once = self._training.seeds_at_once(cell.parameters) if threads == 1 else 1
        seeds = cell.seeds[: max(1, at_once)]
        is_short = self._training.shortened() is not None
        name = SHORT_FORM.format(self.model) if is_short else self.model
        return Job(key, name, cell.parameters, seeds, threads, self.experiment.objective)

    def point(self, job: Job, took: Measured) -> Point:
        """Return the point that a measured job gives, at the cost of its trainings."""
        cost = self._training.cost(job.parameters)
        if self._training.shortened() is None:
            return cost, 0.0, took.wall
        return cost, max(0.0, took.wall - took.own), took.own

    def file(self, data_sha256: str | None, workers: int) -> Path:
        """Return where the speed is kept: under all that decides it."""
        training = (self._training.shortened() or (self._training, 1.0))[0]
        known: dict[str, Any] = {
            "machine": [processor(), cores(), workers],
            "versions": versions(),
            "trainings": [
                [
                    job.threads,
                    len(job.seeds),
                    training.identity(self.model, job.parameters, data_sha256),
                ]
                for job in [*self.jobs(""), self.rerun("")]
            ],
        }
        digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode())
        return cache_folder() / "speed" / f"{digest.hexdigest()[:32]}.json"


def kept(
    experiment: Experiment, models: Iterable[str], data_sha256: str | None, workers: int
) -> dict[str, Speed]:
    """Return what was measured before of models; what cannot be read is measured again."""
    speeds = {}
    for model in models:
        try:
            read = json.loads(Probe(experiment, model).file(data_sha256, workers).read_text())
            search, rerun = (
                tuple((float(cost), float(rest), float(own)) for cost, rest, own in read[name])
                for name in ("search", "rerun")
            )
            on = date.fromisoformat(read["measured_on"]).isoformat()
            speeds[model] = Speed(on, search, rerun, float(read["start"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return speeds


def keep(path: Path, speed: Speed) -> None:
    """Write a speed as a whole or not at all: what cannot be kept is measured again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_whole(path, json.dumps(asdict(speed)).encode())
    except OSError:
        pass


def measured_on(speeds: Mapping[str, Speed]) -> str:
    """Return the dates of measurements as in a sentence."""
    dates = sorted({speed.measured_on for speed in speeds.values()})
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
