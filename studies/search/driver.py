"""Ask a trial, submit its trainings, collect and record them, tell the trial.

The driver alone writes the store. Every training is recorded before its trial is told, so that a
run that is killed at any instant repeats no more than the trainings in flight.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from optuna import Study

from storage.errors import BadName
from storage.lock import Lock
from storage.store import Store
from storage.trainings import TrainingRun, record
from storage.trials import OpenTrial
from studies.dashboard.notes import StudyNotes
from studies.display.exit_codes import raise_postponed, signals_postponed
from studies.display.progress import Progress
from studies.display.words import cell_text
from studies.experiment.study import GridStudy
from studies.search.deadline import Deadline
from studies.search.dispatch import Dispatch
from studies.search.durations import Durations
from studies.search.grid_sampler import Grid, completed, fail_unfinished
from studies.search.jobs import cut_into_jobs
from studies.search.plan import study_plan
from studies.search.provenance import Data
from studies.search.racing import Portion, race
from studies.search.record import runs_by_seed
from studies.search.rerun_weights import RerunWeights
from studies.search.rounds import Chain, Round, Work
from studies.search.trial import RunningTrial
from studies.workers.cluster import Cluster
from studies.workers.job import Failed, Job, Reply


@dataclass
class Driver:
    """Completes the studies of chains, side by side, on one store and one cluster."""

    store: Store
    lock: Lock
    cluster: Cluster
    data: Data
    progress: Progress
    durations: Durations
    failed: list[str] = field(default_factory=list)
    """The cells that could not be completed, each with its reason."""
    notes: StudyNotes | None = None
    """Keeps the notes and figures of the dashboard current."""
    weights: RerunWeights | None = None
    """Keeps what reruns learned."""
    deadline: Deadline | None = None
    """When to begin nothing more that cannot end by then."""
    first_jobs: Mapping[str, float | None] = field(default_factory=dict)
    """Seconds of the first job of each model, as far as they are known."""
    is_out_of_time: bool = False
    """Whether something was left to train when the deadline came."""
    _waiting: dict[str, list[tuple[Round, RunningTrial]]] = field(default_factory=dict)
    """Other cells that need a training that was asked for, by its fingerprint."""

    def run(
        self, chains: Iterable[Iterator[Round]], first_jobs: Sequence[float | None] = ()
    ) -> None:
        """Complete every cell of the studies of chains, but those whose trainings fail.

        With a deadline it ends by then, as far as is known; `first_jobs` are the seconds of the
        first job of each chain.
        Raises StoreError, and ClusterLost where the scheduler is gone. However it ends, what was
        recorded stays, and the next run goes on.
        """
        of_models = [Chain(*both) for both in zip_longest(chains, first_jobs)]
        dispatch = Dispatch(
            self.cluster,
            self.durations,
            self.lock.hosts,
            of_models,
            self._before_rerun,
            self.deadline,
        )
        try:
            with signals_postponed():
                while dispatch.fill():
                    raise_postponed()
                    self.progress.show_waiting(dispatch.waits_for())
                    rounds = self._collect(dispatch.ended(seconds=0.5))
                    self.progress.show_refused(self.cluster.refused)
                    # A rerun on this machine gets all cores.
                    if not (self.cluster.is_local and dispatch.is_timing):
                        self._refresh_notes(rounds)
            if self.deadline is not None and not all(chain.has_ended for chain in of_models):
                self.is_out_of_time = True
                self._free_cells(of_models)
        except KeyboardInterrupt:
            self._free_cells(of_models)
            raise
        finally:
            dispatch.close()

    def _free_cells(self, chains: Iterable[Chain]) -> None:
        self.lock.check()
        for round in (chain.round for chain in chains if chain.round is not None):
            fail_unfinished(round.optuna)

    def _refresh_notes(self, rounds: Iterable[Round]) -> None:
        if self.notes is not None:
            self.notes.show_drawn()
            for round in rounds:
                self.notes.refresh(round.study, round.optuna)

    def _before_rerun(self) -> None:
        if self.notes is not None and self.cluster.is_local:
            self.notes.show_drawn(wait=True)

    def rounds(self, grid_study: GridStudy, study: Study) -> Iterator[Round]:
        """Yield what can be trained of a study; trials that a killed driver left behind fail first.

        Each round is to be trained before the next one is asked for.
        """
        fail_unfinished(study)
        grid = study.sampler
        assert isinstance(grid, Grid)
        free = grid.free(study, grid_study.experiment.training(grid_study.model).cost)
        if grid_study.is_rerun:
            free.sort(key=lambda number: grid.cells()[number]["seed"])
        left = study_plan(self.store.engine, grid_study, self.data.sha256, self.durations, set())
        self.progress.begin(grid_study, len(free), completed(study), left.seconds)
        cells = (self._begin(grid_study, study, grid, number) for number in free)
        if grid_study.is_race:
            for portions in race(study, list(cells), self._finish):
                yield self._round(grid_study, study, len(portions), portions, ends_cells=False)
        else:
            whole = ((cell, cell.missing) for cell in cells)
            yield self._round(grid_study, study, len(free), whole, ends_cells=True)

    def _begin(self, grid_study: GridStudy, study: Study, grid: Grid, number: int) -> RunningTrial:
        """Ask for a cell, with what is recorded of it."""

        def ask() -> OpenTrial:
            place = {"place": grid_study.place(grid.parameters(number))}
            attributes = {} if grid_study.is_rerun else place
            return grid.ask(self.store.engine, study, number, attributes)

        self.lock.check()
        trial = ask()
        by_seed = grid_study.fingerprints(grid_study.cell(trial.params), self.data.sha256)
        runs = self._recorded(grid_study, trial, by_seed)
        running = RunningTrial(grid_study, trial, by_seed, runs, ask)
        self.progress.begin_cell(running)
        return running

    def _recorded(
        self, study: GridStudy, trial: OpenTrial, by_seed: Mapping[int, str]
    ) -> dict[int, TrainingRun]:
        return runs_by_seed(self.store.engine, study, trial.params, self.data, by_seed)

    def _round(
        self,
        grid_study: GridStudy,
        study: Study,
        cells: int,
        portions: Iterable[Portion],
        ends_cells: bool,
    ) -> Round:
        round = Round(grid_study, study, cells, ends_cells)
        round.works = self._works(round, portions)
        return round

    def _works(self, round: Round, portions: Iterable[Portion]) -> Iterator[Work]:
        """Yield the jobs of a round; trainings that another cell asked for are waited for."""
        for running, seeds in portions:
            round.left -= 1
            if not round.ends_cells:
                # Other models may have trained some since the cell was asked for.
                running.runs |= self._recorded(running.study, running.trial, running.fingerprints)
                seeds = [seed for seed in seeds if seed not in running.runs]
            elsewhere = [seed for seed in seeds if running.fingerprints[seed] in self._waiting]
            own = [seed for seed in seeds if running.fingerprints[seed] not in self._waiting]
            for seed in elsewhere:
                self._waiting[running.fingerprints[seed]].append((round, running))
            self._waiting |= {running.fingerprints[seed]: [] for seed in own}
            jobs = self._jobs(round, running, own) if own else []
            running.unfinished_jobs = len(jobs) + len(elsewhere)
            round.unfinished += running.unfinished_jobs
            if not running.unfinished_jobs and round.ends_cells:
                self._finish(running)
            yield from (Work(round, running, job) for job in jobs)

    def _jobs(self, round: Round, running: RunningTrial, seeds: Sequence[int]) -> list[Job]:
        """Return the jobs for some seeds of a cell, so that no worker lacks one."""
        threads = sum(host.threads for host in self.cluster.hosts())
        key, cells_left = self.cluster.key, round.left + 1
        return cut_into_jobs(running, seeds, key, self.durations, threads, cells_left)

    def _collect(self, ended: Sequence[tuple[Work, list[Reply] | Failed]]) -> list[Round]:
        """Record the trainings of ended jobs, all at once, then finish the cells they complete.

        Returns the rounds in which something ended.
        """
        new: list[tuple[RunningTrial, list[TrainingRun]]] = []
        for work, result in ended:
            running, job = work.running, work.job
            if isinstance(result, Failed):
                running.error = result.reason
            else:
                runs = running.take(job, result, self.data.label)
                new.append((running, runs))
                taken = [run.train_seconds for run in runs]
                self.durations.learn(job.model, job.parameters, *taken, is_timed=job.is_timed)
                self._count(running, len(runs))
        self.lock.check()
        if self.weights is not None:
            self.weights.keep(new)
        self._record(new)
        cells: dict[RunningTrial, Round] = {}
        for work, _ in ended:
            self._end(cells, work.round, work.running)
            for seed in work.job.seeds:
                for round, running in self._waiting.pop(work.running.fingerprints[seed]):
                    if seed in work.running.runs:
                        running.runs[seed] = work.running.runs[seed]
                        self._count(running, 1)
                    else:
                        running.error = work.running.error
                    self._end(cells, round, running)
        for running, round in cells.items():
            if running.unfinished_jobs == 0 and round.ends_cells:
                self._finish(running)
        return list(dict.fromkeys(cells.values()))

    def _count(self, running: RunningTrial, trainings: int) -> None:
        cell = running.study.cell(running.trial.params)
        seconds = self.durations.adds(running.study, cell.parameters)
        self.progress.trained(running, trainings, seconds)

    def _end(self, cells: dict[RunningTrial, Round], round: Round, running: RunningTrial) -> None:
        """Take note that a job or training has ended that a cell waited for."""
        cells[running] = round
        running.unfinished_jobs -= 1
        round.unfinished -= 1

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
        if self.weights is not None:
            running.artifacts = self.weights.artifacts(running)
        running.tell()
        if running.error is not None:
            cell = cell_text(running.trial.params)
            self.failed.append(f"{running.study.study_name}, {cell}: {running.error}")
        self.progress.finish_cell(running)
