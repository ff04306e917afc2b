"""Every training is recorded once, whole, and comes back as it was."""

import math
import threading
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from storage.columns import FIXED, roles_by_place
from storage.errors import BadName
from storage.store import Store, open_store
from storage.tables import create_tables
from storage.trainings import (
    TrainingRun,
    declare,
    mean_seconds,
    record,
    recorded,
    training_runs,
)


def test_a_training_comes_back_to_the_bit(store: Store, run: TrainingRun) -> None:
    aux = replace(
        run,
        fingerprint="a2",
        parameters={"learning_rate": 1e-300, "batch_size": 2**40, "alpha": 0.3, "kernel": "ü'"},
        settings={"epochs": 5, "loss": "softmax"},
        numbers={"accuracy": 2 / 3, "validation_accuracy": 0.1 + 0.2},
        data=None,
    )
    record(store.engine, [run, aux])
    assert recorded(store.engine, ["a1", "a2", "a3"]) == {"a1": run, "a2": aux}


def test_what_was_measured_of_the_machine_comes_back(store: Store, run: TrainingRun) -> None:
    timed = replace(
        run, fingerprint="b2", processor="AMD EPYC", disturbance=0.1 + 0.2, git_commit="c0ffee"
    )
    record(store.engine, [run, timed])
    assert recorded(store.engine, ["a1", "b2"]) == {"a1": run, "b2": timed}
    with store.engine.connect() as connection:
        query = "select processor, disturbance, git_commit from training_runs order by fingerprint"
        measured = ("AMD EPYC", 0.1 + 0.2, "c0ffee")
        assert connection.execute(text(query)).all() == [(None, None, None), measured]


def test_a_setting_without_a_value_has_a_column(store: Store, run: TrainingRun) -> None:
    record(store.engine, [replace(run, settings={"auxiliary": None})])
    words = replace(run, fingerprint="a2", settings={"auxiliary": "softmax"})
    record(store.engine, [words])
    assert recorded(store.engine, ["a1"])["a1"].settings == {}
    with store.engine.connect() as connection:
        rows = connection.execute(text("select auxiliary from training_runs order by fingerprint"))
        assert rows.all() == [(None,), ("softmax",)]


def test_the_first_record_of_a_training_stays(store: Store, run: TrainingRun) -> None:
    record(store.engine, [run])
    other = replace(run, numbers={"accuracy": 0.9})
    record(store.engine, [other, replace(run, fingerprint="a2")])
    assert recorded(store.engine, ["a1"]) == {"a1": run}
    assert len(training_runs(store.engine)) == 2


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"status": "diverged"}, ValueError),
        ({"numbers": {}}, ValueError),
        ({"numbers": {"accuracy": math.nan}}, ValueError),
        ({"status": "lost", "numbers": {}}, IntegrityError),
    ],
    ids=str,
)
def test_a_batch_is_recorded_whole_or_not_at_all(
    store: Store, run: TrainingRun, wrong: dict[str, Any], error: type[Exception]
) -> None:
    """Neither rows nor the columns that they would need."""
    with store.engine.connect() as connection:
        before = connection.execute(text("select * from training_runs")).keys()
    with pytest.raises(error):
        record(store.engine, [run, replace(run, fingerprint="a2", **wrong)])
    assert recorded(store.engine, ["a1", "a2"]) == {}
    with store.engine.connect() as connection:
        assert connection.execute(text("select * from training_runs")).keys() == before
        assert connection.scalar(text("select count(*) from training_columns")) == 0


def test_a_diverged_training_keeps_its_curve_as_json(store: Store, run: TrainingRun) -> None:
    curve = (0.7, math.inf, math.nan)
    record(store.engine, [replace(run, status="diverged", numbers={}, loss_curve=curve)])
    (first, *rest) = recorded(store.engine, ["a1"])["a1"].loss_curve
    assert first == 0.7 and all(math.isnan(loss) for loss in rest) and len(rest) == 2
    length = {"sqlite": "json_array_length(loss_curve)"}.get(
        store.engine.dialect.name, "json_array_length(cast(loss_curve as json))"
    )
    with store.engine.connect() as connection:
        assert connection.scalar(text(f"select {length} from training_runs")) == 3


def test_creating_again_keeps_the_rows(store: Store, run: TrainingRun) -> None:
    record(store.engine, [run])
    with store.engine.begin() as connection:
        create_tables(connection)
    assert recorded(store.engine, ["a1"]) == {"a1": run}


def test_any_number_of_fingerprints_can_be_asked_for(store: Store, run: TrainingRun) -> None:
    """SQLite takes a limited number of values in one statement."""
    runs = [replace(run, fingerprint=str(number)) for number in range(1203)]
    record(store.engine, runs)
    record(store.engine, [])
    assert recorded(store.engine, (each.fingerprint for each in runs)) == {
        each.fingerprint: each for each in runs
    }
    assert recorded(store.engine, []) == {}
    assert len(recorded(store.engine, map(str, range(100_000)))) == 1203


def test_all_trainings_come_by_model_start_and_seed(store: Store, run: TrainingRun) -> None:
    later = replace(run, fingerprint="a0", started_at="2026-01-02T03:04:06+00:00")
    runs = [replace(run, fingerprint="a9", model="A"), replace(run, seed=2), later]
    record(store.engine, list(reversed(runs)))
    assert training_runs(store.engine) == runs


def test_mean_seconds_of_finished_trainings(store: Store, run: TrainingRun) -> None:
    wide = {**run.parameters, "batch_size": 16}
    record(
        store.engine,
        [
            run,
            replace(run, fingerprint="b", train_seconds=2.5, seed=4),
            replace(run, fingerprint="c", train_seconds=0.1, status="diverged", numbers={}),
            replace(run, fingerprint="d", train_seconds=7.0, parameters=wide),
            replace(run, fingerprint="e", train_seconds=9.0, settings={"epochs": 5}),
        ],
    )
    means = sorted(mean_seconds(store.engine), key=lambda mean: mean.seconds)
    assert [(*mean[:3], mean.seconds) for mean in means] == [
        ("MLP", run.parameters, {"epochs": 25}, 2.0),
        ("MLP", wide, {"epochs": 25}, 7.0),
        ("MLP", run.parameters, {"epochs": 5}, 9.0),
    ]


def test_a_column_widens_and_keeps_what_it_has(store: Store, run: TrainingRun) -> None:
    """From integers to numbers to words, also to words that look like numbers."""
    values = [8, 0.5, "1e5", "auto", "0.10"]
    for number, value in enumerate(values):
        given = replace(run, fingerprint=str(number), parameters={"width": value})
        record(store.engine, [given])
    runs = recorded(store.engine, map(str, range(len(values))))
    widths = [runs[str(number)].parameters["width"] for number in range(len(values))]
    assert [float(width) for width in widths[:2]] == [8, 0.5]
    assert widths[2:] == ["1e5", "auto", "0.10"]


def test_what_is_a_setting_here_may_be_a_parameter_there(store: Store, run: TrainingRun) -> None:
    declare(store.engine, {"epochs": [5, 10]}, "accuracy")
    other = replace(run, fingerprint="b", parameters={"epochs": 0.5}, settings={})
    record(store.engine, [run, other])
    both = recorded(store.engine, ["a1", "b"])
    assert both["a1"].settings == {"epochs": 25} and both["b"].parameters == {"epochs": 0.5}


@pytest.mark.parametrize(
    "name",
    ["seed", "Model", "two words", 'a"; drop table trials', "Alpha", "accuracy", "std_accuracy"],
)
def test_a_parameter_that_would_hide_another_column_is_refused(store: Store, name: str) -> None:
    declare(store.engine, {"alpha": [0.5]}, "accuracy")
    with pytest.raises(BadName):
        declare(store.engine, {"beta": [1], name: [1]}, "accuracy")
    with store.engine.connect() as connection:
        names = connection.scalars(text("select name from training_columns order by place")).all()
    assert names == ["alpha", "accuracy", "accuracy"]


def test_columns_without_a_role_are_refused() -> None:
    assert roles_by_place([*FIXED[:2], "depth", *FIXED[2:]]) == {"depth": "parameter"}
    with pytest.raises(BadName):
        roles_by_place([FIXED[0], "depth", *FIXED[1:]])


def test_drivers_that_add_columns_together(postgres_url: str, run: TrainingRun) -> None:
    """Each brings its own names and some that all have; none disturbs the reads of another."""
    errors: list[BaseException] = []
    begin = threading.Barrier(4)

    def drive(number: int) -> None:
        try:
            with open_store(postgres_url) as store:
                begin.wait()
                for step in range(8):
                    name = f"p{(step + number) % 8}"
                    declare(store.engine, {name: [step]}, "accuracy")
                    given: dict[str, Any] = {name: 0.5 if step % 2 else 1}
                    fingerprint = f"{number} {step}"
                    record(store.engine, [replace(run, fingerprint=fingerprint, parameters=given)])
                    assert recorded(store.engine, [fingerprint])[fingerprint].parameters == given
        except BaseException as error:
            errors.append(error)
            begin.abort()

    drivers = [threading.Thread(target=drive, args=[number]) for number in range(4)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert not errors


def test_reads_go_on_while_another_driver_widens_a_column(
    postgres_url: str, run: TrainingRun
) -> None:
    """PostgreSQL refuses statements that were prepared for columns of other types."""
    with open_store(postgres_url) as store, open_store(postgres_url) as other:
        record(store.engine, [run])
        for _ in range(8):
            assert recorded(store.engine, ["a1"]) == {"a1": run}
        declare(other.engine, {"batch_size": [0.5]}, "accuracy")
        assert recorded(store.engine, ["a1"]) == {"a1": run}
