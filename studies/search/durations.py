"""How long trainings take on this machine: by those recorded, by what was measured, by this run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from sqlalchemy import Engine

from storage.trainings import mean_seconds
from studies.experiment.definition import Experiment
from studies.experiment.stage import RERUN
from studies.experiment.study import GridStudy, chain
from studies.experiment.training import FunctionTraining, Parameters
from studies.search.speed import Speed, factor
from studies.workers.processor import processor

PATIENCE = 600.0
"""Seconds that a training may take beyond a hundred times what is expected."""

UNKNOWN = 6 * 3600.0
"""Seconds that a training may take where nothing is known of its model."""

START = 5.0
"""Seconds in which workers start where nothing was measured."""


@dataclass
class _Known:
    """Seconds of trainings of one model by their cost: several at a time, or one with all cores."""

    measured: dict[float, float] = field(default_factory=dict)
    recorded: dict[float, float] = field(default_factory=dict)
    rest: float = 0.0
    """Seconds beside those that a training counts as its own; the store has only the latter."""

    def seconds(self, cost: float) -> float | None:
        """Return the seconds at a cost, on the line between known ones; None for none known."""
        recorded = {known: seconds + self.rest for known, seconds in self.recorded.items()}
        known = sorted((self.measured | recorded).items())
        if not known:
            return None
        for (low, first), (high, last) in pairwise(known):
            if low <= cost <= high:
                return first + (last - first) * (cost - low) / (high - low)
        nearest, seconds = known[0] if cost < known[0][0] else known[-1]
        return seconds * cost / nearest


class Durations:
    """How long trainings take: by recorded ones first, of a new model by what was measured."""

    def __init__(
        self,
        engine: Engine,
        experiment: Experiment,
        workers: int,
        measured: Mapping[str, Speed] | None = None,
        is_local: bool = True,
    ) -> None:
        """Read what the store knows: of this machine alone where the workers are its own."""
        self._experiment, self.workers = experiment, workers
        self._known = {
            (model, is_timed): _Known() for model in experiment.models for is_timed in (False, True)
        }
        self.recorded: set[str] = set()
        """The models of which the store knows how long they take."""
        self.measured: dict[str, Speed] = {}
        recorded: dict[tuple[str, bool], dict[float, list[float]]] = {}
        for mean in mean_seconds(engine):
            if mean.model not in experiment.models:
                continue
            if is_local and mean.processor != processor():
                continue
            training = experiment.training(mean.model)
            settings = training.settings(mean.parameters)
            wanted = {k: v for k, v in settings.items() if v is not None}
            if wanted.items() <= {k: v for k, v in mean.settings.items() if v is not None}.items():
                of_cost = recorded.setdefault((mean.model, (mean.threads or 1) > 1), {})
                cost = training.cost(mean.parameters)
                of_cost.setdefault(cost, []).append(mean.seconds)
                self.recorded.add(mean.model)
        for key, by_cost in recorded.items():
            self._known[key].recorded = {cost: fmean(means) for cost, means in by_cost.items()}
        self._recent = {
            model: max(max(means) / cost for cost, means in by_cost.items())
            for (model, is_timed), by_cost in recorded.items()
            if not is_timed
        }
        self.take(measured or {})

    def take(self, measured: Mapping[str, Speed]) -> None:
        """Take what was measured of models."""
        self.measured |= measured
        for model, speed in measured.items():
            times = factor(self._experiment.training(model))
            for is_timed, points in ((False, speed.search), (True, speed.rerun)):
                known = self._known[model, is_timed]
                known.measured = {cost: rest + times * own for cost, rest, own in points}
                known.rest = fmean(rest for _, rest, _ in points) if points else 0.0

    def learn(
        self, model: str, parameters: Parameters, *seconds: float, is_timed: bool = False
    ) -> None:
        """Take note of trainings: of the first of a model, and of its latest ones."""
        cost = self._experiment.training(model).cost(parameters)
        known = self._known[model, is_timed]
        if not known.recorded and not known.measured:
            known.recorded[cost] = seconds[0]
        if is_timed:
            return
        now = max(seconds) / cost
        before = self._recent.get(model, now)
        # Up at once, as other parameters may take longer; down by and by after a hiccup.
        self._recent[model] = max(now, before + 0.2 * (now - before))

    def of(self, model: str, parameters: Parameters, is_timed: bool = False) -> float | None:
        """Return the seconds of one training, None while nothing is known of its model.

        Those with all cores, `is_timed`, are told from the others where both are known.
        """
        cost = self._experiment.training(model).cost(parameters)
        seconds = self._known[model, is_timed].seconds(cost)
        return self._known[model, not is_timed].seconds(cost) if seconds is None else seconds

    def recent(self, model: str, parameters: Parameters) -> float | None:
        """Return the seconds of one training by the longest of the latest; None while unknown."""
        unit = self._recent.get(model)
        return None if unit is None else unit * self._experiment.training(model).cost(parameters)

    def adds(self, study: GridStudy, parameters: Parameters) -> float | None:
        """Return the seconds that a training adds to a run: reruns go one after the other."""
        seconds = self.of(study.model, parameters, study.is_rerun)
        return None if seconds is None else seconds / (1 if study.is_rerun else self.workers)

    def knows(self, model: str) -> bool:
        """Return whether all is known that a run of a model needs: of searches and of reruns."""
        kinds = (False, True) if chain(self._experiment, model)[0] != RERUN else (True,)
        known = [self._known[model, is_timed] for is_timed in kinds]
        return all(of_kind.measured or of_kind.recorded for of_kind in known)

    @property
    def start(self) -> float:
        """Return the seconds until workers are there: as measured, else a guess."""
        return max((speed.start for speed in self.measured.values()), default=START)

    def deadline(self, model: str, parameters: Parameters, trainings: int) -> float:
        """Return the seconds after which a job is taken for one that hangs."""
        if self._experiment.deadline is not None:
            return self._experiment.deadline
        seconds = self.of(model, parameters)
        # Of a function nobody knows by how much other parameters make it longer.
        if seconds is None or isinstance(self._experiment.training(model), FunctionTraining):
            return UNKNOWN
        return PATIENCE + 100 * seconds * trainings
