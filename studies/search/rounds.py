"""What the chain of a model can train now: rounds of trainings, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from optuna import Study

from studies.experiment.study import GridStudy
from studies.search.trial import RunningTrial
from studies.workers.job import Job


@dataclass(eq=False)
class Round:
    """Trainings of one study that need not wait for one another."""

    study: GridStudy
    optuna: Study
    left: int
    """Cells whose jobs were not asked for yet."""
    ends_cells: bool
    """Whether its cells are decided when it ends; otherwise a later round goes on with them."""
    works: Iterator["Work"] = field(default_factory=lambda: iter(()))
    unfinished: int = 0
    """Trainings or jobs that were asked for and have not ended."""


@dataclass(frozen=True, eq=False)
class Work:
    """A job, with the trial and the round that it is for."""

    round: Round
    running: RunningTrial
    job: Job
    deaths: int = 0
    """How many worker processes died with it, before it was a suspect."""

    @property
    def is_rerun(self) -> bool:
        """Whether it is timed."""
        return self.round.study.is_rerun

    def apart(self, deaths: int) -> list["Work"]:
        """Return the work of each group of a job by itself, so that none fails for another."""
        parts = self.job.parts()
        self.running.unfinished_jobs += len(parts) - 1
        self.round.unfinished += len(parts) - 1
        return [Work(self.round, self.running, part, deaths) for part in parts]


class Chain:
    """The rounds of a model's studies; each begins when the one before it is complete."""

    def __init__(self, rounds: Iterator[Round], first_job: float | None = None) -> None:
        self._rounds = rounds
        self.first_job = first_job
        """Seconds that its first job takes, as far as they are known before it begins."""
        self.round: Round | None = None
        """The round in progress; None before the first one and after the last."""
        self.has_ended = False
        self._is_exhausted = True

    @property
    def reruns_left(self) -> int:
        """How many reruns can be sent; 0 while a search is not complete."""
        return self.round.left if self.round is not None and self.round.study.is_rerun else 0

    @property
    def searches(self) -> bool:
        """Whether there is a search that is not complete."""
        return not self.has_ended and (self.round is None or not self.round.study.is_rerun)

    def next_search(self) -> Work | None:
        """Return the next job of a search; None where there is none, or it is too early for it."""
        while self.proceeds() and self.searches:
            if (work := self._next()) is not None:
                return work
        return None

    def next_rerun(self) -> Work | None:
        """Return the next rerun; None where there is none, or a search is not complete."""
        while self.proceeds() and not self.searches:
            if (work := self._next()) is not None:
                return work
        return None

    def proceeds(self) -> bool:
        """Begin the next round if the last one is complete; return whether jobs may be left."""
        if self.round is not None and self.round.study.is_rerun and not self.round.left:
            # Nobody asks for a rerun where none is left.
            assert self._next() is None
        if not self.has_ended and self._is_exhausted:
            if self.round is not None and self.round.unfinished:
                return False
            self.round = next(self._rounds, None)
            self.has_ended = self.round is None
            self._is_exhausted = self.has_ended
        return not self.has_ended

    def _next(self) -> Work | None:
        assert self.round is not None
        work = next(self.round.works, None)
        self._is_exhausted = work is None
        return work
