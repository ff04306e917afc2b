"""Ask a trial, submit its trainings, collect and record them, tell the trial.

The driver alone writes the store. Every training is recorded before its trial is told, so that a
run that is killed at any instant repeats no more than the trainings in flight.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from distributed import Future
from optuna import Study
from optuna.trial import TrialState

from storage.lock import Lock
from storage.queries import recorded
from storage.schema import TrainingRun, record
from storage.store import Store
from studies.board import Board
from studies.cluster import Cluster, Failed
from studies.dispatch import Dispatch, Work, cut_into_jobs
from studies.estimates import Estimates
from studies.grid import Grid, fail_unfinished
from studies.progress import Progress
from studies.racing import race
from studies.records import Data, fingerprints, training_runs
from studies.stages import Stage
from studies.telling import Running, tell
from studies.wording import cell_text
from studies.worker import Job, Report, do, within

Portion = tuple[Running, Sequence[int]]
"""Seeds to train of a cell."""

Finish = Callable[[Running], None]
"""What is done with a cell when its portion is trained."""


@dataclass
class Driver:
    """Completes stages, one after the other, on one store and one cluster."""

    store: Store
    lock: Lock
    cluster: Cluster
    data: Data
    progress: Progress
    times: Estimates
    train: Callable[[Job], Report] = do
    """What a worker does with a job."""
    patience: float = 600.0
    """Seconds that a job may take beyond a hundred times what is expected, before it is ended."""
    failed: list[str] = field(default_factory=list)
    """The cells that could not be completed, each with its reason."""
    board: Board | None = None
    """What people watch."""

    def run(self, stage: Stage, study: Study) -> None:
        """Complete every cell of `stage`, but those whose trainings fail.

        Raises StoreError, and ClusterLost where the scheduler is gone. However it ends, what was
        recorded stays, and the next run goes on from there.
        """
        grid = study.sampler
        assert isinstance(grid, Grid)
        free = grid.free(study)
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        self.progress.begin(stage, cells=len(grid), free=len(free), complete=complete)
        cells = (self._begin(stage, study, grid, number) for number in free)
        finish = partial(self._finish, study)
        try:
            if stage.is_race:
                for portions in race(study, list(cells), finish):
                    self._train(stage, study, portions, lambda cell: None)
            else:
                self._train(stage, study, ((cell, cell.missing) for cell in cells), finish)
        except KeyboardInterrupt:
            self.lock.check()
            fail_unfinished(study)
            raise

    def _begin(self, stage: Stage, study: Study, grid: Grid, number: int) -> Running:
        """Ask for a cell, with what is recorded of it."""
        self.lock.check()
        trial = grid.ask(study, number)
        by_seed = fingerprints(stage, stage.cell(trial.params), self.data.sha256)
        runs = recorded(self.store.engine, by_seed.values())
        running = Running(stage, trial, by_seed, {each.seed: each for each in runs.values()})
        self.progress.asked(running)
        return running

    def _train(
        self, stage: Stage, study: Study, portions: Iterable[Portion], finish: Finish
    ) -> None:
        jobs = self._jobs(portions, finish)
        dispatch = Dispatch(self.cluster, jobs, self._send, one_by_one=stage.is_rerun)
        try:
            while dispatch.fill():
                self.progress.waits_for_workers(self.cluster.threads() == 0)
                self._collect(dispatch.ended(seconds=0.5), finish)
                # A rerun is being timed: it gets all cores.
                if self.board is not None and not (stage.is_rerun and dispatch.in_flight):
                    self.board.refresh(stage, study)
        finally:
            self.cluster.cancel(list(dispatch.in_flight))

    def _jobs(self, portions: Iterable[Portion], finish: Finish) -> Iterator[Work]:
        for running, seeds in portions:
            jobs = cut_into_jobs(running, seeds, self.data.sha256)
            running.unfinished_jobs = len(jobs)
            if not jobs:
                finish(running)
            yield from (Work(running, job) for job in jobs)

    def _send(self, work: Work) -> Future[Report]:
        stage, job = work.running.stage, work.job
        one = self.times.alone(stage, job.hyperparameters.batch_size)
        deadline = self.patience + 100 * one * len(job.seeds)
        return self.cluster.submit(within, deadline, self.train, job, same_worker=stage.is_rerun)

    def _collect(self, ended: list[tuple[Work, Report | Failed]], finish: Finish) -> None:
        """Record the trainings of ended jobs, all at once, then finish the cells they complete."""
        new: list[TrainingRun] = []
        for work, result in ended:
            running, job = work.running, work.job
            running.unfinished_jobs -= 1
            if isinstance(result, Failed):
                running.error = result.reason
            else:
                runs = list(training_runs(job, result, running.fingerprints, self.data))
                running.runs |= {run.seed: run for run in runs}
                new += runs
                self.progress.trained(running, len(runs))
        self.lock.check()
        record(self.store.engine, new)
        for running in {id(work.running): work.running for work, _ in ended}.values():
            if running.unfinished_jobs == 0:
                finish(running)

    def _finish(self, study: Study, running: Running) -> None:
        self.lock.check()
        tell(study, running)
        if running.error is not None:
            cell = cell_text(running.trial.params)
            self.failed.append(f"{running.stage.study_name}, {cell}: {running.error}")
        self.progress.told(running)
