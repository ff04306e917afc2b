"""A trial whose trainings are being done, and what Optuna is told of it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from optuna import Study, Trial
from optuna.trial import TrialState

from storage.trainings import TrainingRun
from studies.display.words import number_text
from studies.experiment.study import GridStudy
from studies.search.grid_sampler import FINAL_ERROR

MOST_EPOCHS = 200
"""Losses of a rerun that the dashboard draws."""


@dataclass
class RunningTrial:
    """A trial, and what is known of its trainings."""

    study: GridStudy
    trial: Trial
    fingerprints: dict[int, str]
    """By seed, in the order of the seeds."""
    runs: dict[int, TrainingRun]
    """The trainings that are recorded, by seed."""
    unfinished_jobs: int = 0
    reported: int = 0
    """How many values the trial was given."""
    error: str | None = None
    """Why one of its trainings could not be done."""
    given_up: str | None = None
    """Why the rest of its trainings is not worth doing."""

    @property
    def diverged(self) -> int:
        """How many of its trainings diverged."""
        return sum(run.status != "ok" for run in self.runs.values())

    @property
    def missing(self) -> list[int]:
        """The seeds that are not trained yet."""
        return [seed for seed in self.fingerprints if seed not in self.runs]

    @property
    def value(self) -> float | None:
        """What the trial is told, see `GridStudy.metric`; None where it fails."""
        failed = self.error is not None or self.diverged
        return None if failed else score(self.study, self.values)

    @property
    def outcome(self) -> str:
        """What became of the cell, in words."""
        if self.error is not None:
            return f"failed, {self.error}"
        if self.value is None:
            return f"{self.diverged} diverged"
        return number_text(self.value, 4) + ", given up" * (self.given_up is not None)

    @property
    def values(self) -> list[float]:
        """The values that rank this cell, in the order of seeds; diverged trainings are skipped."""
        name = ranked_by(self.study)
        runs = [self.runs[seed] for seed in self.fingerprints if seed in self.runs]
        return [run.numbers[name] for run in runs if run.status == "ok"]

    def report(self, repeats: int | None = None) -> None:
        """Give the trial the values of its first repeats, or of all, once for all calls."""
        for repeat, value in enumerate(self.values[:repeats]):
            if repeat >= self.reported:
                self.trial.report(value, repeat)
                self.reported = repeat + 1


def ranked_by(study: GridStudy) -> str:
    """Return the name of the number that ranks a study's trials."""
    objective = study.experiment.objective
    return objective if study.pairs == "test" else f"validation_{objective}"


def score(study: GridStudy, values: Sequence[float]) -> float:
    """Return what ranks a cell: the mean of its values, or one standard error worse."""
    mean = statistics.fmean(values)
    if study.is_rerun or study.experiment.rank_by == "mean":
        return mean
    return mean - study.sign * statistics.stdev(values) / math.sqrt(len(values))


def tell(study: Study, running: RunningTrial) -> None:
    """Tell a trial what its trainings gave.

    A cell that diverged has no value, as Optuna refuses NaN: it fails for good. A cell that broke
    its workers fails too, but the next run tries it again.
    """
    trial = running.trial
    if running.study.is_rerun:
        trial.set_user_attr("fingerprint", *running.fingerprints.values())
    else:
        trained = [hash for seed, hash in running.fingerprints.items() if seed in running.runs]
        trial.set_user_attr("fingerprints", trained)
    if running.error is not None:
        trial.set_user_attr("error", running.error)
        study.tell(trial, state=TrialState.FAIL)
    elif running.diverged:
        reason = f"diverged: {running.diverged} of {len(running.runs)} trainings"
        trial.set_user_attr(FINAL_ERROR, reason)
        study.tell(trial, state=TrialState.FAIL)
    elif running.given_up is not None:
        trial.set_user_attr("given_up", running.given_up)
        study.tell(trial, state=TrialState.PRUNED)
    elif running.study.is_rerun:
        _tell_rerun(study, running)
    else:
        running.report()
        trial.set_user_attr("score", running.value)
        study.tell(trial, running.value)


def _tell_rerun(study: Study, running: RunningTrial) -> None:
    """Report the loss of each epoch, from which the dashboard draws loss against epoch."""
    (run,) = running.runs.values()
    # A commit each: the row in `training_runs` has all of a longer curve.
    for epoch, loss in enumerate(run.loss_curve[:MOST_EPOCHS]):
        running.trial.report(loss, epoch)
    running.trial.set_user_attr("train_seconds", run.train_seconds)
    running.trial.set_user_attr("cpu_seconds", run.cpu_seconds)
    study.tell(running.trial, running.value)
