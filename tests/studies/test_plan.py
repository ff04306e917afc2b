"""What a run says it will do, before, midway and after."""

from dataclasses import replace
from pathlib import Path

import pytest
from runs import Runs
from standin import StandIn

from storage.load import load
from storage.measurements import training_rows
from storage.reader import open_reader
from storage.store import Store, open_store
from studies.chain import open_study
from studies.driver import Driver
from studies.estimates import Estimates
from studies.plan import StagePlan, plan
from studies.protocol import Protocol
from studies.records import Data
from studies.report.choice import model_runs
from studies.report.trainings import csv_of, trainings_of
from studies.stages import make_stage

PROTOCOL = Protocol(epochs=2, repeats=2, reruns=3)


def plan_of(
    store: Store, data: Data, model: str = "AuxMLP", protocol: Protocol = PROTOCOL
) -> list[StagePlan]:
    return plan(store.engine, "toy", model, protocol, data, Estimates(store.engine, 2), set())


def counts(plans: list[StagePlan]) -> list[tuple[str, int, int]]:
    return [(each.stage.name, each.trainings, each.recorded) for each in plans]


@pytest.mark.parametrize(
    ("model", "protocol", "expected"),
    [
        ("MLP", Protocol(), [("lr-batch", 200, 0), ("rerun", 10, 0)]),
        # Of the second grid, one cell is the winner of the first.
        ("AuxMLP", Protocol(), [("lr-batch", 200, 0), ("alpha", 110, 10), ("rerun", 10, 0)]),
        ("MLP", Protocol(search="published"), [("rerun", 10, 0)]),
        (
            "AuxMLP",
            Protocol(stage1_alpha=0.25, repeats=3, reruns=2),
            [("lr-batch", 60, 0), ("alpha", 33, 0), ("rerun", 2, 0)],
        ),
    ],
)
def test_of_a_new_store_all_is_left_to_do(
    model: str, protocol: Protocol, expected: list[tuple[str, int, int]], store: Store, data: Data
) -> None:
    plans = plan_of(store, data, model, protocol)
    assert counts(plans) == expected
    assert all(each.seconds > 0 for each in plans)


def test_what_two_models_share_is_planned_once(store: Store, data: Data) -> None:
    """The first stage of an Auxsiamese model is that of the Siamese one."""
    planned: set[str] = set()
    times = Estimates(store.engine, 2)
    both = [
        counts(plan(store.engine, "toy", model, PROTOCOL, data, times, planned))
        for model in ("SiameseMLP", "AuxsiameseMLP")
    ]
    assert both == [
        [("lr-batch", 40, 0), ("rerun", 3, 0)],
        [("lr-batch", 40, 40), ("alpha", 22, 2), ("rerun", 3, 0)],
    ]


def test_midway_and_after(runs: Runs, standin: StandIn, data: Data) -> None:
    def now(driver: Driver) -> None:
        found.append(counts(plan_of(driver.store, data)))
        seconds.append(sum(each.seconds for each in plan_of(driver.store, data)))

    def first_stage(driver: Driver) -> None:
        stage = make_stage("toy", "AuxMLP", "lr-batch", PROTOCOL, None)
        driver.run(stage, open_study(driver, stage))
        now(driver)

    found: list[list[tuple[str, int, int]]] = []
    seconds: list[float] = []
    runs.drive(standin, now)
    runs.drive(replace(standin, faults={(5e-3, 8): "raise"}), first_stage)
    runs.drive(standin, first_stage)
    runs.chain("AuxMLP", standin, PROTOCOL)
    runs.drive(standin, now)
    assert found == [
        [("lr-batch", 40, 0), ("alpha", 22, 2), ("rerun", 3, 0)],
        [("lr-batch", 40, 38), ("alpha", 22, 2), ("rerun", 3, 0)],
        [("lr-batch", 40, 40), ("alpha", 22, 2), ("rerun", 3, 0)],
        [("lr-batch", 40, 40), ("alpha", 22, 22), ("rerun", 3, 3)],
    ]
    assert seconds[-1] == 0


def test_another_experiment_finds_the_searches_but_not_the_reruns(
    runs: Runs, standin: StandIn, data: Data
) -> None:
    runs.chain("MLP", standin, PROTOCOL)

    def other(driver: Driver) -> None:
        times = Estimates(driver.store.engine, 2)
        plans = plan(driver.store.engine, "other", "MLP", PROTOCOL, data, times, set())
        found.extend(counts(plans))

    found: list[tuple[str, int, int]] = []
    runs.drive(standin, other)
    # Its winner is not known before its own first study.
    assert found == [("lr-batch", 40, 40), ("rerun", 3, 0)]


def test_a_store_finds_the_searches_of_a_report(
    runs: Runs, standin: StandIn, data: Data, tmp_path: Path
) -> None:
    runs.chain("MLP", standin, PROTOCOL)
    published = tmp_path / "training_runs.csv"
    reader = open_reader(runs.url)
    published.write_bytes(csv_of(trainings_of(model_runs(reader), training_rows(reader))))
    reader.dispose()
    new = f"sqlite:///{tmp_path / 'new.db'}"
    load(str(published), new)
    with open_store(new) as store:
        assert counts(plan_of(store, data, "MLP")) == [("lr-batch", 40, 40), ("rerun", 3, 0)]


def test_reruns_take_longer_as_nothing_trains_beside_them(store: Store, data: Data) -> None:
    two, four = (
        plan(store.engine, "toy", "MLP", Protocol(), data, Estimates(store.engine, workers), set())
        for workers in (2, 4)
    )
    assert two[0].seconds == pytest.approx(2 * four[0].seconds)
    assert two[1].seconds == pytest.approx(four[1].seconds)


def test_recorded_times_correct_the_estimate(
    runs: Runs, standin: StandIn, store: Store, data: Data
) -> None:
    """The stand-in says that trainings took 1 and 2 seconds, far more than those of an MLP."""
    before = plan_of(store, data, "MLP", replace(PROTOCOL, epochs=3))[0].seconds
    runs.chain("MLP", standin, PROTOCOL)
    after = plan_of(store, data, "MLP", replace(PROTOCOL, epochs=3))[0].seconds
    assert after > 10 * before
