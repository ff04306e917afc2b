"""One study: jobs on real workers that fail, die and come back late."""

import time
from collections import Counter
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from storage.queries import model_results
from storage.reader import open_reader
from storage.trainings import TrainingRun, Value, recorded, training_runs
from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy
from studies.search.chain import open_study
from studies.search.grid_sampler import FINAL_ERROR
from studies.search.trial import RunningTrial
from studies.workers.cluster import Cluster
from studies.workers.job import Job, cores
from studies.workers.processor import processor
from tests.support.runs import DATA, Runs
from tests.support.standin import StandIn, accuracy

FOUR_CELLS: dict[str, tuple[Value, ...]] = {"learning_rate": (5e-3, 1e-3), "batch_size": (8, 16)}
CELL = (5e-3, 8)


def four_cells(
    standin: StandIn, model: str, repeats: int, name: str = "lr-batch", **grid: tuple[Value, ...]
) -> GridStudy:
    experiment = standin.experiment(epochs=2, repeats=repeats, reruns=3)
    return GridStudy(replace(experiment, name="toy"), model, name, FOUR_CELLS | grid)


def run(
    runs: Runs, grid: GridStudy, cluster: Cluster | None = None
) -> tuple[list[str], list[FrozenTrial]]:
    """Run one study; what failed, and its trials."""
    with runs.driver(grid.experiment, cluster) as driver:
        study = open_study(driver, grid)
        driver.run([driver.rounds(grid, study)])
        return driver.failed, study.get_trials()


def mean_accuracy(learning_rate: float, batch_size: int) -> float:
    chosen = {"learning_rate": learning_rate, "batch_size": batch_size}
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
    grid = four_cells(standin, model, 13, learning_rate=(1e-3,), batch_size=(8,))
    assert run(runs, grid)[0] == []
    assert sorted((len(job[-1]) for job in standin.jobs()), reverse=True) == sizes
    assert {job[0] for job in standin.jobs()} == {1}, "threads"


def test_the_longest_trainings_go_first(runs: Runs, standin: StandIn) -> None:
    _, trials = run(runs, four_cells(standin, "MLP", 2))
    assert [trial.params["batch_size"] for trial in trials] == [8, 8, 16, 16]


def test_a_rerun_that_stays_disturbed_is_kept_and_marked(
    runs: Runs, standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {10: 0.5, 11: 0.01, 12: None, 13: 0.02, 14: 0.0}
    take = RunningTrial.take

    def measured(trial: RunningTrial, job: Job, reports: Any, data: Any) -> list[TrainingRun]:
        known = {"disturbance": shares[job.seeds[0]], "processor": "AMD EPYC"}
        return take(trial, job, [{**report, **known} for report in reports], data)

    monkeypatch.setattr(RunningTrial, "take", measured)
    reruns = four_cells(
        standin, "MLP", 2, "rerun", learning_rate=(1e-3,), batch_size=(8,), seed=tuple(shares)
    )
    failed, trials = run(runs, reruns)
    assert failed == []
    marks = {trial.params["seed"]: trial.user_attrs.get("disturbed") for trial in trials}
    assert marks == {10: True, 11: False, 12: None, 13: False, 14: False}
    reader = open_reader(runs.url)
    (result,) = model_results(reader)
    stored = {row.seed: (row.disturbance, row.processor) for row in training_runs(reader)}
    assert stored == {seed: (share, "AMD EPYC") for seed, share in shares.items()}
    # The stand-in takes a second more than its seed.
    assert (result.mean_seconds, result.reruns, result.timed) == (13.5, 5, 4)
    assert result.mean == pytest.approx(sum(trial.value or 0.0 for trial in trials) / 5)


def test_a_worker_tells_its_processor_and_nothing_of_a_moment(runs: Runs, standin: StandIn) -> None:
    reruns = four_cells(
        standin, "MLP", 2, "rerun", learning_rate=(1e-3,), batch_size=(8,), seed=(10,)
    )
    _, (trial,) = run(runs, reruns)
    (row,) = training_runs(open_reader(runs.url))
    assert (row.processor, row.disturbance) == (processor(), None)
    assert "disturbed" not in trial.user_attrs


def test_reruns_go_one_by_one_with_all_cores(runs: Runs, standin: StandIn) -> None:
    reruns = four_cells(
        replace(standin, seconds=0.1), "MLP", 2, "rerun",
        learning_rate=(1e-3,), batch_size=(8,), seed=(10, 11, 12, 13),
    )  # fmt: skip
    failed, trials = run(runs, reruns)
    assert failed == []
    assert [line[0] for line in standin.diary()] == ["begin", "end"] * 4
    assert {job[0] for job in standin.jobs()} == {cores()}
    for trial in trials:
        assert trial.user_attrs["train_seconds"] == 1.0 + trial.params["seed"]
        assert trial.user_attrs["cpu_seconds"] == 2.0


class Late(Cluster):
    """Fetches no result before the worker that has it was killed."""

    def __init__(self, address: str, experiment: Experiment, killed: Path) -> None:
        super().__init__(address, 2, experiment.models)
        self._killed = killed

    def finished(self, seconds: float) -> list[tuple[Any, Any]]:
        deadline = time.monotonic() + 20
        while not self._killed.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)  # in which the scheduler learns of it
        return super().finished(seconds)


@pytest.mark.slow
def test_a_worker_killed_before_its_result_is_fetched_loses_nothing(
    runs: Runs, standin: StandIn
) -> None:
    dying = replace(standin, faults={CELL: "die after it"}, seconds=1.0)
    grid = four_cells(dying, "MLP", 2, learning_rate=(5e-3,), batch_size=(8,))
    cluster = Late(runs.address, grid.experiment, standin.folder / "killed")
    failed, trials = run(runs, grid, cluster)
    assert failed == []
    assert states(trials) == {"COMPLETE": 1}
    assert len(standin.jobs()) == 2, "the scheduler had it done again"


@pytest.mark.parametrize("model", ["MLP", "ResNet"])
def test_a_training_that_raises_fails_its_cell_alone(
    model: str, runs: Runs, standin: StandIn
) -> None:
    failed, trials = run(runs, four_cells(replace(standin, faults={CELL: "raise"}), model, 5))
    assert failed == [
        f"toy/{model}/lr-batch, learning_rate 0.005, batch_size 8: RuntimeError: no luck today"
    ]
    assert states(trials) == {"COMPLETE": 3, "FAIL": 1}
    (bad,) = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert bad.user_attrs["error"] == "RuntimeError: no luck today"
    assert FINAL_ERROR not in bad.user_attrs
    failed, trials = run(runs, four_cells(standin, model, 5))
    assert failed == []
    assert states(trials) == {"COMPLETE": 4, "FAIL": 1}


def test_a_cell_that_diverged_fails_for_good(runs: Runs, standin: StandIn) -> None:
    grid = four_cells(replace(standin, faults={CELL: "diverge"}), "MLP", 3)
    failed, trials = run(runs, grid)
    assert failed == []
    (bad,) = [trial for trial in trials if trial.state == TrialState.FAIL]
    assert bad.user_attrs[FINAL_ERROR] == "diverged: 1 of 3 trainings"
    prints = grid.fingerprints(grid.cell(bad.params), DATA.sha256).values()
    kept = recorded(open_reader(runs.url), prints).values()
    assert sorted(training.status for training in kept) == ["diverged", "ok", "ok"]
    assert run(runs, four_cells(standin, "MLP", 3)) == ([], trials)


def test_trainings_that_are_recorded_are_not_done_again(runs: Runs, standin: StandIn) -> None:
    run(runs, four_cells(standin, "MLP", 2))
    done = len(standin.trained())
    more = four_cells(standin, "MLP", 5)
    more = replace(more, experiment=replace(more.experiment, name="other"))
    failed, trials = run(runs, more)
    assert failed == []
    assert all(len(trial.intermediate_values) == 5 for trial in trials)
    assert {seed for *_, seed in standin.trained()[done:]} == {2, 3, 4}
    assert max(Counter(standin.trained()).values()) == 1


def test_a_resumed_study_knows_the_best_cell_so_far(runs: Runs, standin: StandIn) -> None:
    cells = list(product(*FOUR_CELLS.values()))
    worst = min(cells, key=lambda cell: mean_accuracy(*cell))
    best = max(mean_accuracy(*cell) for cell in cells)
    run(runs, four_cells(replace(standin, faults={worst: "raise"}), "MLP", 2))
    run(runs, four_cells(standin, "MLP", 2))
    assert f"best {best:.4f} at" in runs.said.getvalue().splitlines()[-1]
