"""Short trainings share jobs: fewer of them, and in all else as if each had its own."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from storage.hosts import unshared
from storage.reader import open_reader
from storage.trainings import TrainingRun, training_runs
from studies import Experiment, Stage
from studies.experiment.study import grid_study
from studies.experiment.training import Parameters
from studies.search.chain import run_chains
from studies.search.dispatch import Dispatch
from studies.search.jobs import FULL, SHORT, cut_into_jobs
from studies.search.rounds import Chain, Round, Work
from studies.search.trial import RunningTrial
from studies.workers.cluster import Cluster
from studies.workers.hosts import Host
from studies.workers.job import Done, Failed, Job
from tests.support.runs import Runs


def quick(parameters: Parameters, seed: int) -> dict[str, Any]:
    score = (float(parameters["x"]) * 37 + seed * 11) % 100 / 100
    return {"accuracy": score, "loss_curve": [1.0, score]}


def unlucky(parameters: Parameters, seed: int) -> dict[str, Any]:
    if (parameters["x"], seed) == (11, 3):
        raise RuntimeError("no luck today")
    return quick(parameters, seed)


def deadly(parameters: Parameters, seed: int) -> dict[str, Any]:
    if (parameters["x"], seed) == (11, 3):
        os.kill(os.getpid(), signal.SIGKILL)
    return quick(parameters, seed)


def toy(train: Any = quick, **options: Any) -> Experiment:
    stages = [Stage("rest", x=list(range(12)))]
    return Experiment("toy", {"quick": train}, stages, repeats=8, reruns=2, **options)


class Counting(Cluster):
    """Keeps the seeds of each job that it is sent."""

    def __init__(self, runs: Runs, experiment: Experiment) -> None:
        super().__init__(runs.address, 2, experiment.models)
        self.sent: list[tuple[int, ...]] = []

    def submit(self, *arguments: Any, **options: Any) -> Any:
        self.sent.append(arguments[3].seeds)
        return super().submit(*arguments, **options)


def run(runs: Runs, experiment: Experiment) -> tuple[list[str], list[tuple[int, ...]]]:
    """What failed, and the seeds of the jobs that were sent."""
    cluster = Counting(runs, experiment)
    with runs.driver(experiment, cluster) as driver:
        run_chains(driver, experiment, ["quick"])
        return driver.failed, cluster.sent


def results(runs: Runs) -> list[TrainingRun]:
    """All that a training gives, but times."""
    reader = open_reader(runs.url)
    trainings = training_runs(reader)
    reader.dispose()
    timeless: dict[str, Any] = {"train_seconds": 0, "cpu_seconds": 0, "started_at": ""}
    same = [replace(training, fingerprint="", **timeless) for training in trainings]
    return sorted(same, key=lambda training: (str(training.parameters), training.seed))


def test_short_trainings_share_jobs_and_give_the_same(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed, sent = run(runs, toy())
    assert failed == []
    together = results(runs)
    assert sum(map(len, sent)) == len(together) == 12 * 8 + 2
    assert max(map(len, sent)) == 8, "a whole cell"
    assert len(sent) < 60
    monkeypatch.setattr("studies.search.jobs.SHORT", 0.0)
    apart = replace(runs, url=f"sqlite:///{tmp_path / 'apart.db'}")
    _, sent = run(apart, toy())
    assert len(sent) == 12 * 8 + 2
    assert results(apart) == together


def test_a_training_that_raises_costs_none_of_those_it_shared_a_job_with(runs: Runs) -> None:
    failed, sent = run(runs, toy(unlucky))
    assert failed[0] == "toy/quick/rest, x 11: RuntimeError: no luck today"
    assert max(map(len, sent)) == 8
    assert len(results(runs)) == 12 * 8 - 1


@pytest.mark.slow
def test_a_training_that_kills_its_worker_costs_none_of_those_it_shared_a_job_with(
    runs: Runs,
) -> None:
    failed, _ = run(runs, toy(deadly))
    assert "its worker process died" in failed[0]
    assert len(results(runs)) == 12 * 8 - 1


@pytest.mark.parametrize(
    ("seconds", "cells_left", "threads", "groups"),
    [
        (1.01 * SHORT, 100, 2, 1),
        (FULL / 3, 100, 2, 3),
        (FULL / 4, 100, 2, 4),
        (1e-6, 100, 2, 8),
        (1e-6, 1, 2, 4),
        (1e-6, 1, 64, 1),
        (1e-6, 8, 64, 1),
        (1e-6, 16, 64, 2),
        (1e-6, 64, 64, 8),
        (None, 100, 2, 1),
    ],
)
def test_as_many_share_a_job_as_are_short_and_leave_no_worker_idle(
    seconds: float | None, cells_left: int, threads: int, groups: int
) -> None:
    study = grid_study(toy(), "quick", "rest", None)
    trial: Any = SimpleNamespace(params={"x": 1})
    running = RunningTrial(study, trial, {}, {}, list)  # type: ignore[arg-type]
    durations: Any = SimpleNamespace(recent=lambda *_: seconds)
    jobs = cut_into_jobs(running, range(8), "key", durations, threads, cells_left)
    assert len(jobs[0].seeds) == groups
    assert [seed for job in jobs for seed in job.seeds] == list(range(8))


@pytest.mark.parametrize("options", [{"racing": True}, {}], ids=["race", "rerun"])
def test_races_and_reruns_share_no_jobs(options: dict[str, Any]) -> None:
    name = "rest" if options else "rerun"
    study = grid_study(toy(**options), "quick", name, None if options else {"x": 1})
    trial: Any = SimpleNamespace(params={"x": 1, "seed": 8})
    running = RunningTrial(study, trial, {}, {}, list)  # type: ignore[arg-type]
    durations: Any = SimpleNamespace(recent=lambda *_: 1e-6)
    jobs = cut_into_jobs(running, range(8), "key", durations, 2, cells_left=100)
    assert [len(job.seeds) for job in jobs] == [1] * 8


class Scripted:
    """A cluster whose jobs end as they are told to, by how many seeds they have."""

    def __init__(self, endings: dict[int, Any]) -> None:
        self.endings = endings
        self.deadlines: list[float] = []
        self._sent: list[tuple[int, Job]] = []

    def hosts(self) -> list[Host]:
        return [Host("here", 4)]

    def submit(self, host: str, _: object, deadline: float, job: Job) -> int:
        self.deadlines.append(deadline)
        self._sent.append((len(self.deadlines), job))
        return len(self.deadlines)

    def finished(self, seconds: float) -> list[tuple[int, Any]]:
        sent, self._sent = self._sent, []
        return [(number, self.endings[len(job.seeds)]) for number, job in sent]


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failed("it died", deaths=2), "it died, in each of 4 attempts"),
        (Failed("ValueError: no"), "ValueError: no"),
    ],
)
def test_a_shared_job_that_fails_is_done_again_a_group_at_a_time(
    failure: Failed, reason: str
) -> None:
    running: Any = SimpleNamespace(unfinished_jobs=1)
    job = Job("abc", "quick", {}, (0, 1, 2, 3, 4), 1, "accuracy", at_once=2)
    durations: Any = SimpleNamespace(
        deadline=lambda model, parameters, count: 10.0 + count, of=lambda *_: 1.0
    )
    cluster: Any = Scripted({5: failure, 2: Done([{}, {}]), 1: failure})
    round = Round(grid_study(toy(), "quick", "rest", None), None, 0, True)  # type: ignore[arg-type]
    round.works, round.unfinished = iter([Work(round, running, job)]), 1
    chains = [Chain(iter([round]))]
    dispatch = Dispatch(cluster, durations, unshared(), chains, before_rerun=lambda: None)
    ended = []
    while dispatch.fill() and len(ended) < 3:
        ended += dispatch.ended(seconds=0.0)
    assert running.unfinished_jobs == round.unfinished == 3
    assert [work.job.seeds for work, _ in ended] == [(0, 1), (2, 3), (4,)]
    assert [result for _, result in ended] == [[{}, {}], [{}, {}], Failed(reason)]
    assert cluster.deadlines == [12 + 12 + 11, 12, 12, 11]
