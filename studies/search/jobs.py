"""How the trainings of a cell become jobs."""

import math
from collections.abc import Sequence

from studies.search.durations import Durations
from studies.search.trial import RunningTrial
from studies.workers.job import ALL_CORES, Job

SHORT = 0.25
"""Seconds below which a group of trainings shares a job: each job costs some milliseconds."""

FULL = 0.5
"""Seconds of training in a job that is shared."""


def cut_into_jobs(
    running: RunningTrial,
    seeds: Sequence[int],
    key: str,
    durations: Durations,
    threads: int,
    cells_left: int,
) -> list[Job]:
    """Return the jobs that train some seeds of a cell.

    The seeds that gain from being trained side by side are a group. Groups share a job where
    trainings are short, as far as this cell and those to come, `cells_left` in all, stay enough
    jobs for all `threads`. A rerun is timed: it is alone, and has all cores. The jobs of a race are
    not shared, as each of its rounds ends with its slowest job.
    """
    study = running.study
    model, parameters = study.recorded_as(study.cell(running.trial.params).parameters)
    at_once, groups, cores = 1, 1, ALL_CORES
    if not study.is_rerun:
        at_once, cores = study.experiment.training(model).seeds_at_once(parameters), 1
        seconds = durations.recent(model, parameters)
        if not study.is_race and seconds is not None and at_once * seconds <= SHORT:
            groups = _groups_in_a_job(len(seeds), at_once, seconds, math.ceil(threads / cells_left))
    objective, needs_validation = study.experiment.objective, study.pairs == "validation"
    size = at_once * groups
    return [
        Job(key, model, parameters, share, cores, objective, needs_validation, at_once)
        for share in (tuple(seeds[i : i + size]) for i in range(0, len(seeds), size))
    ]


def _groups_in_a_job(trainings: int, at_once: int, seconds: float, least_jobs: int) -> int:
    """Return how many groups of trainings of some seconds share one of at least so many jobs."""
    groups = math.ceil(trainings / at_once)
    jobs = max(math.ceil(groups * at_once * seconds / FULL), least_jobs)
    return math.ceil(groups / min(jobs, groups))
