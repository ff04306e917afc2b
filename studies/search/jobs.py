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
    running: RunningTrial,
    seeds: Sequence[int],
    durations: Durations,
    threads: int,
    cells_left: int,
) -> int:
    """Return how many groups of seeds share a job of a cell: several where trainings are short.

    This cell and those to come, `cells_left` in all, are enough jobs for all `threads`. What is
    timed or raced is not shared: each rerun is alone, and each round of a race ends with its
    slowest job.
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
    jobs = max(math.ceil(together / FULL), math.ceil(threads / cells_left))
    return math.ceil(groups / min(jobs, groups))
