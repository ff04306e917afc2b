"""Ask a trial, submit its trainings, collect and record them, tell the trial.

The driver alone writes the store. Every training is recorded before its trial is told, so that a
run that is killed at any instant repeats no more than the trainings in flight.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from optuna import Study

from storage.errors import BadName
from storage.lock import Lock
from storage.store import Store
from storage.trainings import TrainingRun, record
from storage.trials import OpenTrial
from studies.dashboard.notes import Board
from studies.display.progress import Progress
from studies.display.words import cell_text
from studies.experiment.study import GridStudy
from studies.search.dispatch import Dispatch, Work, cut_into_jobs, groups_in_a_job
from studies.search.grid_sampler import Grid, completed, fail_unfinished
from studies.search.plan import Durations, study_plan
from studies.search.provenance import Data
from studies.search.racing import Portion, race
from studies.search.record import runs_by_seed
from studies.search.trial import RunningTrial
from studies.workers.cluster import Cluster
from studies.workers.job import Failed, Report

Finish = Callable[[RunningTrial], None]
"""What is done with a cell when the seeds to train of it are trained."""


@dataclass
class Driver:
    """Completes stages, one after the other, on one store and one cluster."""

    store: Store
    lock: Lock
    cluster: Cluster
    data: Data
    progress: Progress
    durations: Durations
    failed: list[str] = field(default_factory=list)
    """The cells that could not be completed, each with its reason."""
    board: Board | None = None
    """What people watch."""

    def run(self, grid_study: GridStudy, study: Study) -> None:
        """Complete every cell of a study, but those whose trainings fail.

        Trials that a killed driver left behind fail first. Raises StoreError, and ClusterLost where
        the scheduler is gone. However it ends, what was recorded stays, and the next run goes on.
        """
        fail_unfinished(study)
        grid = study.sampler
        assert isinstance(grid, Grid)
        free = grid.free(study, grid_study.experiment.training(grid_study.model).cost)
        todo = study_plan(self.store.engine, grid_study, self.data.sha256, self.durations, set())
        self.progress.begin(grid_study, len(free), completed(study), todo.seconds)
        left = zip(range(len(free), 0, -1), free, strict=True)
        cells = (self._begin(grid_study, study, grid, number, count) for count, number in left)
        try:
            if grid_study.is_race:
                for portions in race(study, list(cells), self._finish):
                    self._train(grid_study, study, portions, lambda cell: None)
            else:
                whole = ((cell, cell.missing) for cell in cells)
                self._train(grid_study, study, whole, self._finish)
        except KeyboardInterrupt:
            self.lock.check()
            fail_unfinished(study)
            raise

    def _begin(
        self, grid_study: GridStudy, study: Study, grid: Grid, number: int, cells_left: int
    ) -> RunningTrial:
        """Ask for a cell, with what is recorded of it."""

        def ask() -> OpenTrial:
            place = {"place": grid_study.place(grid.parameters(number))}
            attributes = {} if grid_study.is_rerun else place
            return grid.ask(self.store.engine, study, number, attributes)

        self.lock.check()
        trial = ask()
        by_seed = grid_study.fingerprints(grid_study.cell(trial.params), self.data.sha256)
        runs = runs_by_seed(self.store.engine, grid_study, trial.params, self.data, by_seed)
        running = RunningTrial(grid_study, trial, by_seed, runs, ask, cells_left)
        self.progress.asked(running)
        return running

    def _train(
        self, grid_study: GridStudy, study: Study, portions: Iterable[Portion], finish: Finish
    ) -> None:
        """Train some seeds of some cells."""
        jobs = self._jobs(portions, finish)
        dispatch = Dispatch(self.cluster, self.durations, jobs, one_by_one=grid_study.is_rerun)
        try:
            while dispatch.fill():
                self.progress.waits_for_workers(self.cluster.threads() == 0)
                self._collect(dispatch.ended(seconds=0.5), finish)
                self.progress.refuses(self.cluster.refused)
                # A rerun is being timed: it gets all cores.
                if self.board is not None and not (grid_study.is_rerun and dispatch.in_flight):
                    self.board.refresh(grid_study, study)
        finally:
            self.cluster.cancel(list(dispatch.in_flight))

    def _jobs(self, portions: Iterable[Portion], finish: Finish) -> Iterator[Work]:
        for running, seeds in portions:
            groups = groups_in_a_job(running, seeds, self.durations, self.cluster.threads())
            jobs = cut_into_jobs(running, seeds, self.cluster.key, groups)
            running.unfinished_jobs = len(jobs)
            if not jobs:
                finish(running)
            yield from (Work(running, job) for job in jobs)

    def _collect(self, ended: list[tuple[Work, list[Report] | Failed]], finish: Finish) -> None:
        """Record the trainings of ended jobs, all at once, then finish the cells they complete."""
        new: list[tuple[RunningTrial, list[TrainingRun]]] = []
        for work, result in ended:
            running, job = work.running, work.job
            running.unfinished_jobs -= 1
            if isinstance(result, Failed):
                running.error = result.reason
            else:
                runs = running.take(job, result, self.data.label)
                new.append((running, runs))
                taken = [run.train_seconds for run in runs]
                self.durations.learn(job.model, job.parameters, *taken)
                seconds = self.durations.adds(running.study, job.parameters)
                self.progress.trained(running, len(runs), seconds)
        self.lock.check()
        self._record(new)
        for running in {id(work.running): work.running for work, _ in ended}.values():
            if running.unfinished_jobs == 0:
                finish(running)

    def _record(self, new: Sequence[tuple[RunningTrial, list[TrainingRun]]]) -> None:
        """Record trainings; a cell whose numbers have names that no column can have fails."""
        try:
            record(self.store.engine, [run for _, runs in new for run in runs])
        except BadName:
            for running, runs in new:
                try:
                    record(self.store.engine, runs)
                except BadName as error:
                    running.error = f"train returned what cannot be kept: {error}"
                    for run in runs:
                        del running.runs[run.seed]

    def _finish(self, running: RunningTrial) -> None:
        self.lock.check()
        running.tell()
        if running.error is not None:
            cell = cell_text(running.trial.params)
            self.failed.append(f"{running.study.study_name}, {cell}: {running.error}")
        self.progress.told(running)
