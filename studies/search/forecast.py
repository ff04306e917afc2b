"""What a run will do, and how long that takes on this machine."""

from collections.abc import Sequence

from rich.console import Console
from sqlalchemy import Engine

from studies.experiment.definition import Experiment
from studies.search.deadline import Deadline
from studies.search.durations import Durations
from studies.search.measuring import measure
from studies.search.plan import StudyPlan, plan
from studies.search.speed import factor, kept
from studies.workers.cluster import Cluster

WORTH = 100
"""Shortened trainings that the work of a model must come up to for a run to measure it first."""


class Forecast:
    """The studies of models, and how long they take."""

    def __init__(
        self,
        engine: Engine,
        experiment: Experiment,
        models: Sequence[str],
        data_sha256: str | None,
        cluster: Cluster,
    ) -> None:
        """Look ahead, by what the store knows and by what was measured on this machine before."""
        self.experiment, self.models, self.cluster = experiment, models, cluster
        self._engine, self._data_sha256 = engine, data_sha256
        speeds = {}
        if cluster.is_local:
            speeds = kept(experiment, models, data_sha256, cluster.workers)
        self.durations = Durations(
            engine, experiment, cluster.workers, speeds, is_local=cluster.is_local
        )
        self.look_again()
        if not cluster.is_local and self.left:
            self.durations.workers = sum(host.threads for host in cluster.hosts()) or 1
            self.look_again()

    def look_again(self) -> None:
        """Plan by what is known and recorded by now."""
        self.plans = plan(
            self._engine, self.experiment, self.models, self._data_sha256, self.durations
        )

    def of(self, model: str) -> list[StudyPlan]:
        """Return the plans of a model's studies."""
        return [of_study for of_study in self.plans if of_study.study.model == model]

    @property
    def left(self) -> int:
        """Trainings that are left to run."""
        return sum(of_study.left for of_study in self.plans)

    @property
    def first_jobs(self) -> dict[str, float | None]:
        """The seconds of each model's first job; 0 where nothing is left to train."""
        left = {model: [p for p in self.of(model) if p.left] for model in self.models}
        return {model: plans[0].first_job if plans else 0.0 for model, plans in left.items()}

    def seconds(self, model: str) -> float | None:
        """Return the seconds that are left of a model; None where they are not known."""
        total = 0.0
        for of_study in self.of(model):
            if of_study.seconds is None:
                return None
            total += of_study.seconds
        return total

    def measure(self, console: Console) -> None:
        """Measure some seconds of each model of which it is not known how long it takes."""
        self._measure(console, self._unknown())

    def measure_short(self, console: Console) -> None:
        """Measure, as a run does, only models with shortened trainings and much left to train."""
        trainings = {model: self.experiment.training(model) for model in self.models}
        self._measure(console, [
            model for model in self._unknown()
            if trainings[model].shortened() is not None
            and factor(trainings[model]) * sum(p.left for p in self.of(model)) >= WORTH
        ])  # fmt: skip

    def _unknown(self) -> list[str]:
        left = [model for model in self.models if any(p.left for p in self.of(model))]
        return [model for model in left if not self.durations.knows(model)]

    def _measure(self, console: Console, models: Sequence[str]) -> None:
        if not models or not self.cluster.is_local:
            return
        named = f"{len(models)} models" if len(models) > 1 else models[0]
        console.print(
            f"Measuring how fast this machine trains {named}, which takes some seconds.",
            soft_wrap=True,
            highlight=False,
        )
        workers = self.durations.workers
        speeds = measure(self.cluster, self.experiment, models, self._data_sha256, workers)
        self.durations.take(speeds)
        self.look_again()

    def in_time(self, deadline: Deadline) -> list[str]:
        """Return the models that can end before a deadline, in the order of the command."""
        left, models = deadline.left, list[str]()
        for model in self.models:
            seconds = self.seconds(model)
            if seconds is not None and seconds <= left:
                models.append(model)
                left -= seconds
        return models

    def in_time_first(self, deadline: Deadline) -> list[str]:
        """Return all models: first those that can end before a deadline."""
        return list(dict.fromkeys([*self.in_time(deadline), *self.models]))
