"""Decide which job is sent when: every worker busy, and one at a time where it must be."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import Future

from studies.search.plan import Durations
from studies.search.trial import RunningTrial
from studies.workers.cluster import Cluster
from studies.workers.job import ALL_CORES, Failed, Job, Report, attempt

SHORT = 0.25
"""Seconds below which a group of trainings shares a job: each job costs some milliseconds."""

FULL = 0.5
"""Seconds of training in a job that is shared."""


@dataclass(frozen=True)
class Work:
    """A job, and the trial it is for."""

    running: RunningTrial
    job: Job
    deaths: int = 0
    """How many worker processes died with it, before it was a suspect."""

    def apart(self, deaths: int) -> list["Work"]:
        """Return the work of each group of a job by itself, so that none fails for another."""
        parts = self.job.parts()
        self.running.unfinished_jobs += len(parts) - 1
        return [Work(self.running, part, deaths) for part in parts]


def cut_into_jobs(
    running: RunningTrial, seeds: Sequence[int], key: str, groups: int = 1
) -> list[Job]:
    """Return the jobs that train some seeds of a cell. A rerun is timed: it has all cores.

    The seeds that gain from being trained side by side are a group; a job has up to so many groups.
    """
    study = running.study
    model, parameters = study.recorded_as(study.cell(running.trial.params).parameters)
    at_once, threads = 1, ALL_CORES
    if not study.is_rerun:
        at_once, threads = study.experiment.training(model).seeds_at_once(parameters), 1
    objective, needs_validation = study.experiment.objective, study.pairs == "validation"
    size = at_once * groups
    return [
        Job(key, model, parameters, share, threads, objective, needs_validation, at_once)
        for share in (tuple(seeds[i : i + size]) for i in range(0, len(seeds), size))
    ]


def groups_in_a_job(
    running: RunningTrial, seeds: Sequence[int], durations: Durations, threads: int
) -> int:
    """Return how many groups of seeds share a job of a cell: several where trainings are short.

    This cell and those to come are enough jobs for all `threads`. What is timed or raced is not
    shared: each rerun is alone, and each round of a race ends with its slowest job.
    """
    study = running.study
    if study.is_rerun or study.is_race:
        return 1
    model, parameters = study.recorded_as(study.cell(running.trial.params).parameters)
    at_once = study.experiment.training(model).seeds_at_once(parameters)
    seconds = durations.recent(model, parameters)
    if seconds is None or at_once * seconds > SHORT or len(seeds) <= at_once:
        return 1
    groups = math.ceil(len(seeds) / at_once)
    together = groups * at_once * seconds
    jobs = max(math.ceil(together / FULL), math.ceil(threads / running.cells_left))
    return math.ceil(groups / min(jobs, groups))


@dataclass
class Dispatch:
    """Sends jobs to a cluster and takes back what became of them.

    A worker that dies takes the job that waits on it along, so a death convicts nobody. A job that
    saw too many is a suspect: it is done once more while nothing else is, and fails only then. A
    job of several groups that fails is done once more as well, each group by itself.
    """

    cluster: Cluster
    durations: Durations
    jobs: Iterator[Work]
    one_by_one: bool
    in_flight: dict[Future[Any], Work] = field(default_factory=dict)
    _refused: deque[Work] = field(default_factory=deque)
    _suspects: deque[Work] = field(default_factory=deque)

    def fill(self) -> bool:
        """Send jobs while there is room for them; return whether any is in flight."""
        while self._has_room():
            waiting = self._suspects or self._refused
            work = waiting.popleft() if waiting else next(self.jobs, None)
            if work is None:
                break
            job = work.job
            deadline = sum(
                self.durations.deadline(job.model, job.parameters, len(part.seeds))
                for part in job.parts()
            )
            future = self.cluster.submit(attempt, deadline, job, same_worker=self.one_by_one)
            self.in_flight[future] = work
        return bool(self.in_flight)

    def ended(self, seconds: float) -> list[tuple[Work, list[Report] | Failed]]:
        """Wait for up to `seconds`; return the jobs that have ended since the last call."""
        ended: list[tuple[Work, list[Report] | Failed]] = []
        for future, result in self.cluster.finished(seconds):
            work = self.in_flight.pop(future)
            if result is None:
                (self._suspects if work.deaths else self._refused).append(work)
            elif not isinstance(result, Failed):
                ended.append((work, result))
            elif not result.deaths:
                parts = work.apart(work.deaths)
                if len(parts) > 1:
                    self._refused += parts
                else:
                    ended.append((work, result))
            elif not work.deaths:
                self._suspects += work.apart(result.deaths)
            else:
                attempts = work.deaths + result.deaths
                reason = f"{result.reason}, in each of {attempts} attempts"
                ended.append((work, Failed(reason)))
        return ended

    def _has_room(self) -> bool:
        if not self.in_flight:
            return True
        suspects = self._suspects or any(work.deaths for work in self.in_flight.values())
        # One on every worker, and one that waits.
        return not suspects and not self.one_by_one and (
            len(self.in_flight) < 2 * self.cluster.threads()
        )  # fmt: skip
