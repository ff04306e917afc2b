"""Every training is recorded once, whole, and comes back as it was."""

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from storage.queries import mean_train_seconds, recorded
from storage.schema import TrainingRun, create_tables, record
from storage.store import Store


def test_a_training_comes_back_to_the_bit(store: Store, run: TrainingRun) -> None:
    aux = replace(run, fingerprint="a2", alpha=0.3, validation_accuracy=2 / 3)
    record(store.engine, [run, aux])
    assert recorded(store.engine, ["a1", "a2", "a3"]) == {"a1": run, "a2": aux}


def test_the_first_record_of_a_training_stays(store: Store, run: TrainingRun) -> None:
    record(store.engine, [run])
    record(store.engine, [replace(run, accuracy=0.9), replace(run, fingerprint="a2")])
    assert recorded(store.engine, ["a1"]) == {"a1": run}
    with store.engine.connect() as connection:
        assert connection.scalar(text("select count(*) from training_runs")) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "diverged"},
        {"accuracy": None},
        {"status": "lost", "accuracy": None},
        {"accuracy": math.nan},
    ],
    ids=str,
)
def test_a_batch_is_recorded_whole_or_not_at_all(
    store: Store, run: TrainingRun, wrong: dict[str, Any]
) -> None:
    with pytest.raises(IntegrityError):
        record(store.engine, [run, replace(run, fingerprint="a2", **wrong)])
    assert recorded(store.engine, ["a1", "a2"]) == {}


def test_a_diverged_training_keeps_its_curve_as_json(store: Store, run: TrainingRun) -> None:
    curve = (0.7, math.inf, math.nan)
    record(store.engine, [replace(run, status="diverged", accuracy=None, loss_curve=curve)])
    (first, *rest) = recorded(store.engine, ["a1"])["a1"].loss_curve
    assert first == 0.7 and all(math.isnan(loss) for loss in rest) and len(rest) == 2
    length = {"sqlite": "json_array_length(loss_curve)"}.get(
        store.engine.dialect.name, "json_array_length(cast(loss_curve as json))"
    )
    with store.engine.connect() as connection:
        assert connection.scalar(text(f"select {length} from training_runs")) == 3


def test_columns_are_the_fields(store: Store) -> None:
    with store.engine.connect() as connection:
        keys = connection.execute(text("select * from training_runs")).keys()
    assert list(keys) == [field.name for field in fields(TrainingRun)]


def test_creating_again_keeps_the_rows(store: Store, run: TrainingRun) -> None:
    record(store.engine, [run])
    create_tables(store.engine)
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


def test_mean_seconds_of_finished_trainings(store: Store, run: TrainingRun) -> None:
    record(
        store.engine,
        [
            run,
            replace(run, fingerprint="b", train_seconds=2.5),
            replace(run, fingerprint="c", train_seconds=0.1, status="diverged", accuracy=None),
            replace(run, fingerprint="d", train_seconds=7.0, batch_size=16),
            replace(run, fingerprint="e", train_seconds=9.0, epochs=5),
        ],
    )
    assert mean_train_seconds(store.engine) == {
        ("MLP", 8, 25): 2.0,
        ("MLP", 16, 25): 7.0,
        ("MLP", 8, 5): 9.0,
    }
