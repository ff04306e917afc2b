"""What a run says it will do, before, midway and after."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from storage.load import load
from storage.reader import open_reader
from storage.store import Store, open_store
from studies.experiment.definition import Experiment
from studies.experiment.study import grid_study
from studies.paper import experiment as paper
from studies.report.choice import model_runs
from studies.report.trainings import csv_of
from studies.search.chain import open_study
from studies.search.driver import Driver
from studies.search.durations import PATIENCE, UNKNOWN, Durations
from studies.search.plan import AFTER_RERUNS, BETWEEN_RERUNS, StudyPlan, plan
from tests.support.runs import DATA, Runs
from tests.support.standin import StandIn, narrow

SMALL = {"epochs": 2, "repeats": 2, "reruns": 3}


@pytest.fixture
def small(standin: StandIn) -> Experiment:
    return narrow(standin.experiment(**SMALL))


def plan_of(
    store: Store, experiment: Experiment, *models: str, workers: int = 2
) -> list[StudyPlan]:
    durations = Durations(store.engine, experiment, workers)
    return plan(store.engine, experiment, models, DATA.sha256, durations)


def counts(plans: Sequence[StudyPlan]) -> list[tuple[str, int, int]]:
    return [(of_study.study.name, of_study.trainings, of_study.recorded) for of_study in plans]


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("MLP", {}, [("lr-batch", 200, 0), ("rerun", 10, 0)]),
        # Of the second grid, one cell is the winner of the first.
        ("AuxMLP", {}, [("lr-batch", 200, 0), ("alpha", 110, 10), ("rerun", 10, 0)]),
        ("MLP", {"search": "published"}, [("rerun", 10, 0)]),
        ("AuxMLP", {"search": "joint"}, [("joint", 2200, 0), ("rerun", 10, 0)]),
        (
            "AuxMLP",
            {"stage1_alpha": 0.25, "repeats": 3, "reruns": 2},
            [("lr-batch", 60, 0), ("alpha", 33, 0), ("rerun", 2, 0)],
        ),
    ],
)
def test_of_a_new_store_all_is_left_to_do(
    model: str,
    options: dict[str, object],
    expected: list[tuple[str, int, int]],
    store: Store,
    standin: StandIn,
) -> None:
    plans = plan_of(store, standin.experiment(**options), model)
    assert counts(plans) == expected
    # Nobody has trained such a model yet, and nothing is guessed.
    assert all(of_study.seconds is None for of_study in plans)


def test_what_two_models_share_is_planned_once(store: Store, small: Experiment) -> None:
    """The first stage of an Auxsiamese model is that of the Siamese one."""
    assert counts(plan_of(store, small, "SiameseMLP", "AuxsiameseMLP")) == [
        ("lr-batch", 8, 0), ("rerun", 3, 0),
        ("lr-batch", 8, 8), ("alpha", 6, 2), ("rerun", 3, 0),
    ]  # fmt: skip


def test_midway_and_after(runs: Runs, standin: StandIn, small: Experiment) -> None:
    found: list[list[tuple[str, int, int]]] = []
    seconds: list[list[float | None]] = []

    def now(driver: Driver) -> None:
        plans = plan_of(driver.store, small, "AuxMLP")
        found.append(counts(plans))
        seconds.append([of_study.seconds for of_study in plans])

    def first_stage(driver: Driver) -> None:
        grid = grid_study(small, "AuxMLP", "lr-batch", None)
        driver.run([driver.rounds(grid, open_study(driver, grid))])
        now(driver)

    runs.drive(small, now)
    faulty = replace(standin, faults={(5e-3, 8): "raise"})
    runs.drive(narrow(faulty.experiment(**SMALL)), first_stage)
    runs.drive(small, first_stage)
    runs.run(small, "AuxMLP")
    runs.drive(small, now)
    assert found == [
        [("lr-batch", 8, 0), ("alpha", 6, 2), ("rerun", 3, 0)],
        [("lr-batch", 8, 6), ("alpha", 6, 2), ("rerun", 3, 0)],
        [("lr-batch", 8, 8), ("alpha", 6, 2), ("rerun", 3, 0)],
        [("lr-batch", 8, 8), ("alpha", 6, 6), ("rerun", 3, 3)],
    ]
    assert seconds[0] == [None, None, None]
    assert all(known is not None and known > 0 for known in seconds[1])
    assert seconds[2][0] == 0
    assert seconds[3] == [0, 0, 0]


def test_another_experiment_finds_the_searches_but_not_the_reruns(
    runs: Runs, small: Experiment, tmp_path: Path
) -> None:
    """So does another store, into which the trainings of a report are loaded."""
    runs.run(small, "MLP")
    # Its winner is not known before its own first study.
    expected = [("lr-batch", 8, 8), ("rerun", 3, 0)]
    with open_store(runs.url) as store:
        assert counts(plan_of(store, replace(small, name="other"), "MLP")) == expected
    published = tmp_path / "training_runs.csv"
    reader = open_reader(runs.url)
    published.write_bytes(csv_of(model_runs(reader)))
    reader.dispose()
    new = f"sqlite:///{tmp_path / 'new.db'}"
    load(str(published), new)
    with open_store(new) as store:
        assert counts(plan_of(store, small, "MLP")) == expected


def test_times_are_learned_from_the_first_training_of_a_model(store: Store) -> None:
    """Others are told by their cost: a training on smaller batches has more steps."""
    durations = Durations(store.engine, paper(), workers=2)
    at_16, at_8 = ({"learning_rate": 1e-3, "batch_size": size} for size in (16, 8))
    assert durations.of("MLP", at_16) is None
    assert durations.deadline("MLP", at_16, 1) == UNKNOWN
    durations.learn("MLP", at_16, 2.0)
    assert durations.of("MLP", at_16) == 2.0
    assert durations.of("MLP", at_8) == 3.0
    assert durations.deadline("MLP", at_8, 10) == PATIENCE + 100 * 10 * 3.0
    durations.learn("MLP", at_16, 100.0)
    assert durations.of("MLP", at_16) == 2.0
    assert durations.of("CNN", at_16) is None
    own = Durations(store.engine, replace(paper(), deadline=5.0), workers=2)
    assert own.deadline("MLP", at_16, 10) == 5.0


def test_the_latest_times_are_the_longest_of_late(store: Store) -> None:
    """One that takes longer counts at once, and is forgotten by and by."""
    durations = Durations(store.engine, paper(), workers=2)
    at_16, at_8 = ({"learning_rate": 1e-3, "batch_size": size} for size in (16, 8))
    assert durations.recent("MLP", at_16) is None
    durations.learn("MLP", at_16, 1.0, 2.0, 1.0)
    assert durations.recent("MLP", at_16) == 2.0
    assert durations.recent("MLP", at_8) == 3.0
    durations.learn("MLP", at_16, 10.0)
    assert durations.recent("MLP", at_16) == 10.0
    durations.learn("MLP", at_16, 1.0)
    assert durations.recent("MLP", at_16) == pytest.approx(8.2)
    for _ in range(50):
        durations.learn("MLP", at_16, 1.0)
    assert durations.recent("MLP", at_16) == pytest.approx(1.0, abs=0.01)


def test_reruns_take_longer_as_nothing_trains_beside_them(store: Store) -> None:
    seconds = {}
    for workers in (2, 4):
        durations = Durations(store.engine, paper(), workers)
        durations.learn("MLP", {"learning_rate": 1e-3, "batch_size": 16}, 2.0)
        plans = plan(store.engine, paper(), ["MLP"], DATA.sha256, durations)
        seconds[workers] = [of_study.seconds for of_study in plans]
    costs = [1 + 16 / size for size in (8, 16, 32, 64, 128)]
    assert seconds[2][0] == pytest.approx(4 * 10 * sum(costs) / 2)
    assert seconds[4][0] == pytest.approx(seconds[2][0] / 2)
    # Ten of the published winner, at a batch of 8, each with what the driver does alone.
    alone = 10 * BETWEEN_RERUNS + AFTER_RERUNS
    assert seconds[2][1] == seconds[4][1] == pytest.approx(10 * 3.0 + alone)


def test_recorded_times_are_of_the_same_settings(
    runs: Runs, standin: StandIn, small: Experiment
) -> None:
    """The stand-in says that trainings took 1 and 2 seconds, and reruns 11, 12, and 13."""
    runs.run(small, "MLP")
    with open_store(runs.url) as store:
        again = Durations(store.engine, small, workers=2)
        longer = Durations(
            store.engine, narrow(standin.experiment(**SMALL | {"epochs": 3})), workers=2
        )
    cell = {"learning_rate": 1e-3, "batch_size": 16}
    assert again.of("MLP", cell) == 1.5
    # Of three at a batch size of 8 or 16, and none with all cores at the other.
    rerun = again.of("MLP", cell, is_timed=True)
    assert rerun is not None and 12 * 2 / 3 <= rerun <= 12
    assert longer.of("MLP", {"learning_rate": 1e-3, "batch_size": 16}) is None
