"""What Optuna is told of a trial whose trainings are done."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from optuna import Study, Trial
from optuna.trial import TrialState

from storage.schema import TrainingRun
from studies.grid import FINAL_ERROR
from studies.stages import Stage


@dataclass
class Running:
    """A trial, and what is known of its trainings."""

    stage: Stage
    trial: Trial
    fingerprints: dict[int, str]
    """By seed, in the order of the seeds."""
    runs: dict[int, TrainingRun]
    """The trainings that are recorded, by seed."""
    unfinished_jobs: int = 0
    reported: int = 0
    """How many accuracies the trial was given."""
    error: str | None = None
    """Why one of its trainings could not be done."""
    given_up: str | None = None
    """Why the rest of its trainings is not worth doing."""

    @property
    def diverged(self) -> int:
        """How many of its trainings diverged."""
        return sum(run.accuracy is None for run in self.runs.values())

    @property
    def missing(self) -> list[int]:
        """The seeds that are not trained yet."""
        return [seed for seed in self.fingerprints if seed not in self.runs]

    @property
    def value(self) -> float | None:
        """What the trial is told, see `Stage.metric`; None where it fails."""
        failed = self.error is not None or self.diverged
        return None if failed else score(self.stage, self.accuracies)

    @property
    def outcome(self) -> str:
        """What became of the cell, for people."""
        if self.error is not None:
            return f"failed, {self.error}"
        if self.value is None:
            return f"{self.diverged} diverged"
        return f"{self.value:.4f}" + ", given up" * (self.given_up is not None)

    @property
    def accuracies(self) -> list[float]:
        """Those that the stage goes by, of the trainings that gave one, in the order of seeds."""
        runs = [self.runs[seed] for seed in self.fingerprints if seed in self.runs]
        on_test = self.stage.is_rerun or self.stage.protocol.select_on == "test"
        found = [run.accuracy if on_test else run.validation_accuracy for run in runs]
        return [accuracy for accuracy in found if accuracy is not None]

    def report(self, repeats: int | None = None) -> None:
        """Give the trial the accuracies of its first repeats, or of all, each once."""
        for repeat, accuracy in enumerate(self.accuracies[:repeats]):
            if repeat >= self.reported:
                self.trial.report(accuracy, repeat)
                self.reported = repeat + 1


def score(stage: Stage, accuracies: Sequence[float]) -> float:
    """What ranks a cell: the mean of its accuracies, or one standard error less."""
    mean = statistics.fmean(accuracies)
    if stage.is_rerun or stage.protocol.rank_by == "mean":
        return mean
    return mean - statistics.stdev(accuracies) / math.sqrt(len(accuracies))


def tell(study: Study, running: Running) -> None:
    """Tell a trial what its trainings gave.

    A cell that diverged has no value, as Optuna refuses NaN: it fails for good. A cell that broke
    its workers fails too, but the next run tries it again.
    """
    trial = running.trial
    if running.stage.is_rerun:
        trial.set_user_attr("fingerprint", *running.fingerprints.values())
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
    elif running.stage.is_rerun:
        _tell_rerun(study, running)
    else:
        running.report()
        trial.set_user_attr("score", running.value)
        study.tell(trial, running.value)


def _tell_rerun(study: Study, running: Running) -> None:
    """The dashboard draws the paper's Fig. 2c, loss against epoch, from what is reported here."""
    (run,) = running.runs.values()
    for epoch, loss in enumerate(run.loss_curve):
        running.trial.report(loss, epoch)
    running.trial.set_user_attr("train_seconds", run.train_seconds)
    running.trial.set_user_attr("cpu_seconds", run.cpu_seconds)
    study.tell(running.trial, run.accuracy)
