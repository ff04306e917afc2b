"""What Optuna is told of a trial whose trainings are done."""

import statistics
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
    error: str | None = None
    """Why one of its trainings could not be done."""

    @property
    def diverged(self) -> int:
        """How many of its trainings left the finite numbers."""
        return sum(run.accuracy is None for run in self.runs.values())

    @property
    def mean(self) -> float | None:
        """The mean accuracy, what the trial is told; None where it fails."""
        failed = self.error is not None or self.diverged
        return None if failed else statistics.fmean(self.accuracies)

    @property
    def outcome(self) -> str:
        """What became of the cell, for people."""
        if self.error is not None:
            return f"failed, {self.error}"
        return f"{self.diverged} diverged" if self.mean is None else f"{self.mean:.4f}"

    @property
    def accuracies(self) -> list[float]:
        """Those of the trainings that gave one, in the order of the seeds."""
        ordered = [self.runs[seed].accuracy for seed in self.fingerprints if seed in self.runs]
        return [accuracy for accuracy in ordered if accuracy is not None]


def tell(study: Study, running: Running) -> None:
    """Tell a trial what its trainings gave.

    A cell that diverged has no value, as Optuna refuses NaN: it fails for good. A cell that broke
    its workers fails too, but the next run tries it again.
    """
    trial = running.trial
    if running.error is not None:
        trial.set_user_attr("error", running.error)
        study.tell(trial, state=TrialState.FAIL)
    elif running.diverged:
        reason = f"diverged: {running.diverged} of {len(running.runs)} trainings"
        trial.set_user_attr(FINAL_ERROR, reason)
        study.tell(trial, state=TrialState.FAIL)
    elif running.stage.is_rerun:
        _tell_rerun(study, running)
    else:
        for repeat, accuracy in enumerate(running.accuracies):
            trial.report(accuracy, repeat)
        trial.set_user_attr("score", running.mean)
        study.tell(trial, running.mean)


def _tell_rerun(study: Study, running: Running) -> None:
    """The dashboard draws the paper's Fig. 2c, loss against epoch, from what is reported here."""
    (run,) = running.runs.values()
    for epoch, loss in enumerate(run.loss_curve):
        running.trial.report(loss, epoch)
    running.trial.set_user_attr("train_seconds", run.train_seconds)
    running.trial.set_user_attr("cpu_seconds", run.cpu_seconds)
    running.trial.set_user_attr("fingerprint", run.fingerprint)
    study.tell(running.trial, run.accuracy)
