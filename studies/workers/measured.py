"""Measure on a worker how long a training takes."""

import time
from dataclasses import dataclass
from statistics import fmean

from studies.workers.job import Failed, Job, run_job

ENOUGH = 0.5
"""Seconds of training that are a measurement; shorter trainings are done again."""

_is_warm = False
"""Whether this process has trained: the first training also loads what all need."""


@dataclass(frozen=True)
class Measured:
    """Seconds of one training, of a job of several their equal share."""

    wall: float
    own: float
    """What the training counts as its own, without what comes before and after it."""


def measured(job: Job) -> Measured | Failed:
    """Do a job, several times where it is short, and return how long one training took."""
    global _is_warm
    took: list[Measured] = []
    try:
        while not took or sum(seconds.wall for seconds in took) * len(job.seeds) < ENOUGH:
            took.append(_once(job))
        if not _is_warm:
            took.append(_once(job))
        _is_warm = True
    except Exception as error:
        return Failed(f"{type(error).__name__}: {error}".partition("\n")[0])
    # Memory is taken, and kernels are chosen, in the first one.
    took = took[1:] or took
    return Measured(fmean(m.wall for m in took), fmean(m.own for m in took))


def _once(job: Job) -> Measured:
    before = time.perf_counter()
    replies = run_job(job)
    wall = (time.perf_counter() - before) / len(job.seeds)
    return Measured(wall, fmean(reply["train_seconds"] for reply in replies))
