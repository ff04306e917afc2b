"""A trial whose trainings are being done, and what Optuna is told of it."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from storage.trainings import TrainingRun
from storage.trials import OpenTrial, Outcome
from studies.display.words import number_text
from studies.experiment.study import GridStudy
from studies.experiment.training import WEIGHTS
from studies.experiment.weights import Packed
from studies.search.grid_sampler import FINAL_ERROR
from studies.search.provenance import git_commit
from studies.workers.disturbance import is_disturbed
from studies.workers.job import Job, Reply

MOST_EPOCHS = 200
"""Losses of a rerun that the dashboard draws; `training_runs` has all of a longer curve."""


@dataclass(eq=False)
class RunningTrial:
    """A trial, and what is known of its trainings."""

    study: GridStudy
    trial: OpenTrial
    fingerprints: dict[int, str]
    """By seed, in the order of the seeds."""
    runs: dict[int, TrainingRun]
    """The trainings that are recorded, by seed."""
    ask: Callable[[], OpenTrial]
    """Starts another trial for the cell."""
    weights: dict[int, Packed] = field(default_factory=dict)
    """What trainings learned that are not recorded yet, by seed."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """What the trial has in the end, as Optuna's system attributes."""
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
    def failed(self) -> bool:
        """Whether a training diverged or could not be done."""
        return self.error is not None or self.diverged > 0

    @property
    def value(self) -> float | None:
        """What the trial is told, see `GridStudy.metric`; None where it fails."""
        return None if self.failed else self.score()

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
        runs = [self.runs[seed] for seed in self.fingerprints if seed in self.runs]
        return [run.numbers[self.study.number] for run in runs if run.status == "ok"]

    def score(self, repeats: int | None = None) -> float:
        """Return what ranks the cell, by `rank_by`, from its first values or from all."""
        values = self.values[:repeats]
        rank_by = "mean" if self.study.is_rerun else self.study.experiment.rank_by
        if rank_by == "median":
            return statistics.median(values)
        mean = statistics.fmean(values)
        if rank_by == "mean":
            return mean
        return mean - self.study.sign * statistics.stdev(values) / math.sqrt(len(values))

    def take(self, job: Job, replies: Sequence[Reply], data: str | None) -> list[TrainingRun]:
        """Take the trainings of a finished job, and return their rows of `training_runs`."""
        experiment = self.study.experiment
        settings = experiment.training(job.model).settings(job.parameters)
        finite = {experiment.objective, f"validation_{experiment.objective}"}
        runs = []
        for seed, reply in zip(job.seeds, replies, strict=True):
            reply = dict(reply)
            numbers, learned = reply["numbers"], reply.pop(WEIGHTS, None)
            is_ok = all(math.isfinite(numbers[name]) for name in finite & numbers.keys())
            self.runs[seed] = TrainingRun(
                fingerprint=self.fingerprints[seed],
                model=job.model,
                parameters=job.parameters,
                seed=seed,
                settings=settings,
                data=data,
                status="ok" if is_ok else "diverged",
                git_commit=git_commit(),
                **{**reply, "numbers": numbers if is_ok else {}},
            )
            if learned is not None and is_ok:
                self.weights[seed] = learned
            runs.append(self.runs[seed])
        return runs

    def report(self, repeats: int | None = None) -> None:
        """Give the trial the values of its first repeats, or of all, once for all calls."""
        self._write(lambda: self._report(repeats))

    def tell(self) -> None:
        """Tell the trial what its trainings gave.

        A cell that diverged has no value, as Optuna refuses NaN: it fails for good. A cell that
        broke its workers fails too, but the next run tries it again.
        """
        self._write(lambda: self.trial.end(self._ended()))

    def _write(self, write: Callable[[], None]) -> None:
        """Write to the trial, or to a new one where somebody else told it meanwhile."""
        try:
            write()
        except UpdateFinishedTrialError:
            self.trial, reported, self.reported = self.ask(), self.reported, 0
            self._write(lambda: self._report(reported))
            self._write(write)

    def _report(self, repeats: int | None = None) -> None:
        steps = self._unreported(repeats)
        if steps:
            self.trial.report(steps)
            self.reported = max(steps) + 1

    def _unreported(self, repeats: int | None = None) -> dict[int, float]:
        """Return the values that the trial was not given yet, by repeat."""
        values = enumerate(self.values[:repeats])
        return {repeat: value for repeat, value in values if repeat >= self.reported}

    def _ended(self) -> Outcome:
        """Return what the trial ends with."""
        attributes: dict[str, Any] = {}
        if self.study.is_rerun:
            (attributes["fingerprint"],) = self.fingerprints.values()
        else:
            trained = [name for seed, name in self.fingerprints.items() if seed in self.runs]
            attributes["fingerprints"] = trained
        if self.error is not None:
            attributes["error"] = self.error
            return Outcome(TrialState.FAIL, None, attributes)
        if self.diverged:
            reason = f"diverged: {self.diverged} of {len(self.runs)} trainings"
            attributes[FINAL_ERROR] = reason
            return Outcome(TrialState.FAIL, None, attributes)
        if self.given_up is not None:
            attributes["given_up"] = self.given_up
            # As Optuna does: a pruned trial has the value that it was given last.
            last = self.values[self.reported - 1] if self.reported else None
            return Outcome(TrialState.PRUNED, last, attributes)
        if self.study.is_rerun:
            (run,) = self.runs.values()
            attributes |= {"train_seconds": run.train_seconds, "cpu_seconds": run.cpu_seconds}
            if run.disturbance is not None:
                attributes["disturbed"] = is_disturbed(run.disturbance, run.threads)
            # The dashboard draws loss against epoch.
            losses = dict(enumerate(run.loss_curve[:MOST_EPOCHS]))
            return Outcome(
                TrialState.COMPLETE, self.value, attributes, losses, artifacts=self.artifacts
            )
        attributes["score"] = self.value
        return Outcome(TrialState.COMPLETE, self.value, attributes, self._unreported())
