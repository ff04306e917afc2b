"""A race: cells are given up, the winner has all its repeats, and interruptions change nothing."""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from runs import Runs
from standin import StandIn, accuracy

from storage.queries import grid_cells
from storage.reader import open_reader
from storage.store import open_store
from studies.chain import run_chain
from studies.cluster import Cluster
from studies.driver import Driver
from studies.plan import plan
from studies.progress import Progress
from studies.protocol import Protocol
from studies.records import Data
from studies.stages import study_name
from studies.telling import Running
from studies.worker import Job, Report

RACE = Protocol(epochs=2, repeats=10, reruns=2, racing=True)


class Contest(StandIn):
    """Smaller batches are better, by as much as the luck of a seed or more."""

    def _accuracy(self, job: Job, seed: int) -> float:
        luck = accuracy(job.model, job.hyperparameters, seed) - 0.75
        return 0.8 - job.hyperparameters.batch_size / 1000 + luck / 20


@pytest.fixture
def contest(standin: StandIn) -> Contest:
    return Contest(standin.folder)


def trials_of(url: str, experiment: str = "toy") -> dict[tuple[float, ...], FrozenTrial]:
    """The trials of the search that ended by themselves, by cell."""
    with open_store(url) as store:
        study = optuna.load_study(
            study_name=study_name(experiment, "MLP", "lr-batch"), storage=store.optuna
        )
        ended = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    assert len(ended) == 20
    return {(each.params["learning_rate"], each.params["batch_size"]): each for each in ended}


def outcome(url: str) -> dict[tuple[float, ...], tuple[object, ...]]:
    """What became of each cell; trials are numbered anew after an interruption."""
    return {
        cell: (trial.state, trial.value, trial.intermediate_values)
        for cell, trial in trials_of(url).items()
    }


def test_losers_are_given_up_and_the_winner_has_all_its_repeats(
    runs: Runs, contest: Contest
) -> None:
    assert runs.chain("MLP", contest, RACE) == []
    trials = trials_of(runs.url)
    complete = {cell for cell, each in trials.items() if each.state is TrialState.COMPLETE}
    assert complete
    assert all(len(trials[cell].intermediate_values) == 10 for cell in complete)
    for cell in trials.keys() - complete:
        assert 3 <= len(trials[cell].intermediate_values) < 10
        assert "worse than trial" in trials[cell].user_attrs["given_up"]
    # No cell of the largest batches comes near one of the smallest.
    assert {size for _, size in complete} <= {8, 16, 32}
    by_cell = Counter(tuple(each[1:4]) for each in contest.trained() if each[4] < 10)
    assert by_cell == {
        (*cell, None): len(each.intermediate_values) for cell, each in trials.items()
    }
    assert sum(by_cell.values()) < 120
    (winner,) = {tuple(each[1:3]) for each in contest.trained() if each[4] >= 10}
    assert winner == max(complete, key=lambda cell: trials[cell].value)


def test_the_cells_that_were_given_up_are_not_left_to_do(
    runs: Runs, contest: Contest, data: Data
) -> None:
    runs.chain("MLP", contest, RACE)
    before = contest.trained()

    def look(driver: Driver) -> None:
        plans = plan(driver.store.engine, "toy", "MLP", RACE, data, driver.times, set())
        assert all(each.recorded == each.trainings for each in plans)
        run_chain(driver, "toy", "MLP", RACE)

    runs.drive(contest, look)
    assert contest.trained() == before


def test_of_recorded_cells_none_is_given_up(runs: Runs, contest: Contest) -> None:
    runs.drive(
        contest, lambda driver: run_chain(driver, "full", "MLP", replace(RACE, racing=False))
    )
    before = len(contest.trained())
    runs.chain("MLP", contest, RACE)
    assert {each.state for each in trials_of(runs.url).values()} == {TrialState.COMPLETE}
    assert len(contest.trained()) == before + RACE.reruns


class Interrupted(Progress):
    """Ctrl-C comes after so many cells or jobs."""

    ticks: Iterator[int]

    def told(self, running: Running) -> None:
        super().told(running)
        self._tick()

    def trained(self, running: Running, trainings: int) -> None:
        super().trained(running, trainings)
        self._tick()

    def _tick(self) -> None:
        if next(self.ticks) == 0:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("luck", range(3))
def test_interruptions_change_nothing(
    luck: int, tmp_path: Path, cluster: Cluster, contest: Contest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Runs(f"sqlite:///{tmp_path / 'whole.db'}", cluster)
    whole.chain("MLP", contest, RACE)
    broken = Runs(f"sqlite:///{tmp_path / 'broken.db'}", cluster)
    monkeypatch.setattr("runs.Progress", Interrupted)
    draw = random.Random(luck)
    interruptions = 0
    while True:
        Interrupted.ticks = itertools.count(-draw.randrange(5, 20))
        try:
            broken.chain("MLP", contest, RACE)
            break
        except KeyboardInterrupt:
            interruptions += 1
    assert interruptions > 2
    assert outcome(broken.url) == outcome(whole.url)


class Upset(StandIn):
    """After three repeats one cell leads. Another is better in the end, and better than a third
    on every seed."""

    def __call__(self, job: Job) -> Report:
        if job.hyperparameters.learning_rate == 5e-4 and 9 in job.seeds:
            time.sleep(0.5)  # so that the other one is recorded by then
        return super().__call__(job)

    def _accuracy(self, job: Job, seed: int) -> float:
        chosen = (job.hyperparameters.learning_rate, job.hyperparameters.batch_size)
        leader = [0.9, 0.9, 0.84, *[0.8] * 7]
        levels = {(5e-3, 8): leader, (1e-3, 8): [0.86] * 10, (5e-4, 8): [0.85] * 10}
        return levels.get(chosen, [0.5] * 10)[seed % 10]


class AtTheEnd(Progress):
    """Ctrl-C comes as the third cell gets its last repeat."""

    whole: ClassVar[set[int]] = set()

    def trained(self, running: Running, trainings: int) -> None:
        super().trained(running, trainings)
        if not running.missing:
            self.whole.add(running.trial.number)
            if len(self.whole) == 3:
                raise KeyboardInterrupt


def test_the_leader_stays_the_leader_after_an_interruption(
    tmp_path: Path, cluster: Cluster, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Runs(f"sqlite:///{tmp_path / 'whole.db'}", cluster)
    whole.chain("MLP", Upset(standin.folder), RACE)
    states = Counter(each.state for each in trials_of(whole.url).values())
    assert states == {TrialState.COMPLETE: 3, TrialState.PRUNED: 17}
    broken = Runs(f"sqlite:///{tmp_path / 'broken.db'}", cluster)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("runs.Progress", AtTheEnd)
        broken.chain("MLP", Upset(standin.folder), RACE)
    broken.chain("MLP", Upset(standin.folder), RACE)
    assert outcome(broken.url) == outcome(whole.url)


def test_a_cell_that_diverges_is_out_of_the_race(runs: Runs, contest: Contest) -> None:
    """Also where it would have led."""
    faulty = Contest(contest.folder, faults={(5e-3, 8): "diverge", (1e-3, 8): "diverge"})
    runs.chain("MLP", faulty, RACE)
    cells = grid_cells(open_reader(runs.url), "toy", "MLP", "lr-batch")
    diverged = {(each.learning_rate, each.batch_size) for each in cells if each.state == "DIVERGED"}
    assert diverged == {(5e-3, 8), (1e-3, 8)}
    assert {each.state for each in cells} == {"DIVERGED", "COMPLETE", "PRUNED"}


def test_a_cell_that_fails_leaves_the_race_and_is_tried_again(runs: Runs, contest: Contest) -> None:
    faulty = Contest(contest.folder, faults={(5e-3, 128): "raise"})
    failed = runs.chain("MLP", faulty, RACE)
    assert "learning_rate 0.005, batch_size 128: RuntimeError: no luck today" in failed[0]
    assert runs.chain("MLP", contest, RACE) == []
    assert len(trials_of(runs.url)) == 20
