"""How the trainings of a cell become jobs."""

from types import SimpleNamespace
from typing import Any

import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import create_trial

from storage.hosts import unshared
from studies.experiment.study import grid_study
from studies.paper import experiment as paper
from studies.search.dispatch import Dispatch
from studies.search.jobs import cut_into_jobs
from studies.search.rounds import Chain, Round, Work
from studies.search.trial import RunningTrial
from studies.workers.hosts import Host
from studies.workers.job import ALL_CORES, Done, Job

SEEDS = range(10)


def jobs_of(model: str, stage: str, parameters: dict[str, float]) -> list[Job]:
    numbers = dict.fromkeys(parameters, FloatDistribution(0, 1000))
    trial = create_trial(value=0.5, params=parameters, distributions=numbers)
    cell = RunningTrial(grid_study(paper(), model, stage, parameters), trial, {}, {}, list)
    unknown: Any = SimpleNamespace(recent=lambda *_: None)
    return cut_into_jobs(cell, SEEDS, "abc", unknown, threads=2, cells_left=1)


@pytest.mark.parametrize(
    ("model", "batch_size", "sizes"),
    [
        ("MLP", 8, [10]),
        ("MLP", 128, [10]),
        ("SiameseCNN", 8, [5, 5]),
        ("SiameseCNN", 32, [5, 5]),
        ("SiameseCNN", 64, [4, 4, 2]),
        ("SiameseCNN", 128, [2] * 5),
        ("ResNet", 8, [1] * 10),
        ("ResNet", 128, [1] * 10),
    ],
)
def test_as_many_go_side_by_side_as_gain_from_it(
    model: str, batch_size: int, sizes: list[int]
) -> None:
    jobs = jobs_of(model, "lr-batch", {"learning_rate": 1e-3, "batch_size": batch_size})
    assert [len(job.seeds) for job in jobs] == sizes
    assert [seed for job in jobs for seed in job.seeds] == list(SEEDS)
    assert {job.threads for job in jobs} == {1}


def test_a_batch_of_any_size_is_trained() -> None:
    jobs = jobs_of("CNN", "lr-batch", {"learning_rate": 1e-3, "batch_size": 1000})
    assert [len(job.seeds) for job in jobs] == [1] * 10


def test_a_rerun_goes_alone_with_all_cores() -> None:
    jobs = jobs_of("MLP", "rerun", {"learning_rate": 1e-3, "batch_size": 8, "seed": 10})
    assert [(len(job.seeds), job.threads) for job in jobs] == [(1, ALL_CORES)] * 10


class Refusing:
    """A cluster on which each job's first worker refuses it."""

    def __init__(self) -> None:
        self.submitted: list[Job] = []

    def hosts(self) -> list[Host]:
        return [Host("here", 1)]

    def submit(self, host: str, _: object, deadline: float, job: Job) -> int:
        self.submitted.append(job)
        return len(self.submitted)

    def finished(self, seconds: float) -> list[tuple[int, object]]:
        last, known = self.submitted[-1], self.submitted[:-1]
        return [(len(self.submitted), Done([]) if last in known else None)]


def test_a_job_that_a_worker_refuses_is_sent_again() -> None:
    jobs = jobs_of("SiameseCNN", "lr-batch", {"learning_rate": 1e-3, "batch_size": 8})
    cluster = Refusing()
    durations = SimpleNamespace(deadline=lambda *_: 60.0, of=lambda *_: 60.0)
    round = Round(grid_study(paper(), "SiameseCNN", "lr-batch", None), None, 1, True)
    round.works = (Work(round, SimpleNamespace(), job) for job in jobs)
    chains = [Chain(iter([round]))]
    dispatch = Dispatch(cluster, durations, unshared(), chains, before_rerun=lambda: None)
    ended = []
    while dispatch.fill():
        ended += dispatch.ended(seconds=0.0)
    assert [work.job for work, _ in ended] == jobs
    assert cluster.submitted == [job for job in jobs for _ in range(2)]
