"""One study: jobs on real workers that fail, die and come back late."""

import time
from collections import Counter
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState
from runs import Runs
from standin import StandIn, accuracy

from digitcmp.training import Hyperparameters
from storage.queries import recorded
from studies.chain import open_study
from studies.cluster import Cluster
from studies.driver import Driver
from studies.grid import FINAL_ERROR, Value, fail_unfinished
from studies.protocol import Protocol
from studies.records import Data, fingerprints
from studies.stages import Stage

FOUR_CELLS: dict[str, list[Value]] = {"learning_rate": [5e-3, 1e-3], "batch_size": [8, 16]}
CELL = (5e-3, 8)


def stage_of(model: str, repeats: int, name: str = "lr-batch", **space: list[Value]) -> Stage:
    protocol = Protocol(epochs=2, repeats=repeats, reruns=3)
    return Stage("toy", model, name, protocol, FOUR_CELLS | space)


def run(runs: Runs, stage: Stage, train: StandIn) -> tuple[list[str], list[FrozenTrial]]:
    """Run one study; what failed, and its trials."""
    trials: list[FrozenTrial] = []

    def work(driver: Driver) -> None:
        study = open_study(driver, stage)
        fail_unfinished(study)
        driver.run(stage, study)
        trials.extend(study.get_trials())

    return runs.drive(train, work), trials


def mean_accuracy(learning_rate: float, batch_size: int) -> float:
    chosen = Hyperparameters(learning_rate, batch_size, None)
    return sum(accuracy("MLP", chosen, seed) for seed in (0, 1)) / 2


def states(trials: list[FrozenTrial]) -> dict[str, int]:
    return dict(Counter(trial.state.name for trial in trials))


@pytest.mark.parametrize(
    ("model", "sizes"),
    [("MLP", [10, 3]), ("AuxCNN", [5, 5, 3]), ("ResNet", [1] * 13)],
)
def test_as_many_trainings_go_into_a_job_as_are_faster_together(
    model: str, sizes: list[int], runs: Runs, standin: StandIn
) -> None:
    stage = stage_of(model, 13, learning_rate=[1e-3], batch_size=[8])
    assert run(runs, stage, standin)[0] == []
    assert sorted((len(job[-1]) for job in standin.jobs()), reverse=True) == sizes
    assert {job[0] for job in standin.jobs()} == {1}, "threads"


def test_the_longest_trainings_go_first(runs: Runs, standin: StandIn) -> None:
    _, trials = run(runs, stage_of("MLP", 2), standin)
    assert [trial.params["batch_size"] for trial in trials] == [8, 8, 16, 16]


def test_reruns_go_one_by_one_with_all_cores(runs: Runs, standin: StandIn) -> None:
    stage = stage_of("MLP", 2, "rerun", learning_rate=[1e-3], batch_size=[8], seed=[10, 11, 12, 13])
    failed, trials = run(runs, stage, replace(standin, seconds=0.1))
    assert failed == []
    assert [line[0] for line in standin.diary()] == ["begin", "end"] * 4
    assert {job[0] for job in standin.jobs()} == {0}
    for trial in trials:
        assert trial.user_attrs["train_seconds"] == 1.0 + trial.params["seed"]
        assert trial.user_attrs["cpu_seconds"] == 2.0


def test_a_worker_killed_before_its_result_is_fetched_loses_nothing(
    runs: Runs, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(seconds: float) -> list[tuple[Any, Any]]:
        deadline = time.monotonic() + 20
        while not (standin.folder / "killed").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)  # in which the scheduler learns of it
        return Cluster.finished(runs.cluster, seconds)

    monkeypatch.setattr(runs.cluster, "finished", late)
    stage = stage_of("MLP", 2, learning_rate=[5e-3], batch_size=[8])
    dying = replace(standin, faults={CELL: "die after it"}, seconds=1.0)
    failed, trials = run(runs, stage, dying)
    assert failed == []
    assert states(trials) == {"COMPLETE": 1}
    assert len(standin.jobs()) == 2, "the scheduler had it done again"


@pytest.mark.parametrize("model", ["MLP", "ResNet"])
def test_a_training_that_raises_fails_its_cell_alone(
    model: str, runs: Runs, standin: StandIn
) -> None:
    stage = stage_of(model, 5)
    failed, trials = run(runs, stage, replace(standin, faults={CELL: "raise"}))
    assert failed == [
        f"toy/{model}/lr-batch, learning_rate 0.005, batch_size 8: RuntimeError: no luck today"
    ]
    assert states(trials) == {"COMPLETE": 3, "FAIL": 1}
    (bad,) = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert bad.user_attrs["error"] == "RuntimeError: no luck today"
    assert FINAL_ERROR not in bad.user_attrs
    failed, trials = run(runs, stage, standin)
    assert failed == []
    assert states(trials) == {"COMPLETE": 4, "FAIL": 1}


def test_a_cell_that_diverged_fails_for_good(runs: Runs, standin: StandIn, data: Data) -> None:
    stage = stage_of("MLP", 3)
    failed, trials = run(runs, stage, replace(standin, faults={CELL: "diverge"}))
    assert failed == []
    (bad,) = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert bad.user_attrs[FINAL_ERROR] == "diverged: 1 of 3 trainings"
    kept: list[str] = []

    def look(driver: Driver) -> None:
        prints = fingerprints(stage, stage.cell(bad.params), data.sha256).values()
        kept.extend(each.status for each in recorded(driver.store.engine, prints).values())

    runs.drive(standin, look)
    assert sorted(kept) == ["diverged", "ok", "ok"]
    assert run(runs, stage, standin) == ([], trials)


def test_trainings_that_are_recorded_are_not_done_again(runs: Runs, standin: StandIn) -> None:
    run(runs, stage_of("MLP", 2), standin)
    done = len(standin.trained())
    more = Stage("other", "MLP", "lr-batch", Protocol(epochs=2, repeats=5), FOUR_CELLS)
    failed, trials = run(runs, more, standin)
    assert failed == []
    assert all(len(trial.intermediate_values) == 5 for trial in trials)
    assert {seed for *_, seed in standin.trained()[done:]} == {2, 3, 4}
    assert max(Counter(standin.trained()).values()) == 1


def test_a_resumed_study_knows_the_best_cell_so_far(runs: Runs, standin: StandIn) -> None:
    worst = min(product([5e-3, 1e-3], [8, 16]), key=lambda cell: mean_accuracy(*cell))
    best = max(mean_accuracy(*cell) for cell in product([5e-3, 1e-3], [8, 16]))
    stage = stage_of("MLP", 2)
    run(runs, stage, replace(standin, faults={worst: "raise"}))
    run(runs, stage, standin)
    assert f"best {best:.4f} at" in runs.said.getvalue().splitlines()[-1]
