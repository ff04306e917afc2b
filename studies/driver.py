"""Ask a trial, submit its trainings, collect and record them, tell the trial.

The driver alone writes the store. Every training is recorded before its trial is told, so that a
run that is killed at any instant repeats no more than the trainings in flight.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from distributed import Future
from optuna import Study, Trial
from optuna.trial import TrialState

from digitcmp.models import MODELS
from storage.lock import Lock
from storage.queries import recorded
from storage.schema import TrainingRun, record
from storage.store import Store
from studies.board import Board
from studies.cluster import Cluster, Failed
from studies.estimates import Estimates
from studies.grid import Grid, fail_unfinished
from studies.progress import Progress
from studies.records import Data, fingerprints, training_runs
from studies.stages import Stage
from studies.telling import Running, tell
from studies.wording import cell_text
from studies.worker import ALL_CORES, Job, Report, do, within

NETWORKS_AT_ONCE = {"MLP": 10, "CNN": 5, "ResNet": 1}
"""Trainings in one job, by architecture: as many as are faster side by side than one by one."""

Work = tuple[Running, Job]


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
        jobs = self._jobs(stage, study, (grid.ask(study, cell) for cell in free))
        in_flight: dict[Future[Report], Work] = {}
        try:
            while self._fill(stage, jobs, in_flight):
                ended = self.cluster.finished(seconds=0.5)
                self._collect(study, [(*in_flight.pop(job), result) for job, result in ended])
                # A rerun is being timed: it gets all cores.
                if self.board is not None and not (stage.is_rerun and in_flight):
                    self.board.refresh(stage, study)
        except KeyboardInterrupt:
            self.lock.check()
            fail_unfinished(study)
            raise
        finally:
            self.cluster.cancel(list(in_flight))

    def _fill(
        self, stage: Stage, jobs: Iterator[Work], in_flight: dict[Future[Report], Work]
    ) -> bool:
        """Keep a job on every worker and one waiting, or one rerun; say if any is in flight."""
        while not in_flight or (not stage.is_rerun and len(in_flight) < 2 * self.cluster.threads()):
            self.lock.check()
            work = next(jobs, None)
            if work is None:
                break
            _, job = work
            one = self.times.seconds(stage, job.hyperparameters.batch_size)
            deadline = self.patience + 100 * one * len(job.seeds)
            future = self.cluster.submit(within, deadline, self.train, job, alone=stage.is_rerun)
            in_flight[future] = work
        return bool(in_flight)

    def _jobs(self, stage: Stage, study: Study, trials: Iterator[Trial]) -> Iterator[Work]:
        """Ask for one free cell after the other, and cut what it lacks into jobs."""
        at_once = 1 if stage.is_rerun else NETWORKS_AT_ONCE[MODELS[stage.model].architecture]
        threads = ALL_CORES if stage.is_rerun else 1
        for trial in trials:
            cell = stage.cell(trial.params)
            by_seed = fingerprints(stage, cell, self.data.sha256)
            runs = recorded(self.store.engine, by_seed.values())
            missing = [seed for seed in cell.seeds if by_seed[seed] not in runs]
            groups = [tuple(missing[i : i + at_once]) for i in range(0, len(missing), at_once)]
            running = Running(stage, trial, by_seed, {each.seed: each for each in runs.values()})
            running.unfinished_jobs = len(groups)
            self.progress.asked(running)
            if not groups:
                self._finish(study, running)
            for seeds in groups:
                yield running, Job(
                    stage.model, cell.hyperparameters, seeds, stage.protocol.epochs,
                    self.data.sha256, threads,
                )  # fmt: skip

    def _collect(self, study: Study, ended: list[tuple[Running, Job, Report | Failed]]) -> None:
        """Record the trainings of ended jobs, all at once, then tell the cells they complete."""
        new: list[TrainingRun] = []
        for running, job, result in ended:
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
        for running in {id(each): each for each, _, _ in ended}.values():
            if running.unfinished_jobs == 0:
                self._finish(study, running)

    def _finish(self, study: Study, running: Running) -> None:
        self.lock.check()
        tell(study, running)
        if running.error is not None:
            cell = cell_text(running.trial.params)
            self.failed.append(f"{running.stage.study_name}, {cell}: {running.error}")
        self.progress.told(running)
