"""Every training is recorded once, whole, and comes back as it was."""

import math
from dataclasses import fields, replace
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage import schema
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


OLD_TABLE = """
create table training_runs (
    fingerprint text not null primary key, model text not null,
    learning_rate double precision not null, batch_size integer not null, alpha double precision,
    seed integer not null, epochs integer not null, data text not null, status text not null,
    accuracy double precision, validation_accuracy double precision,
    train_seconds double precision not null, cpu_seconds double precision not null,
    threads integer not null, loss_curve text not null, host text not null,
    started_at text not null
)
"""


@pytest.fixture
def older(store: Store, run: TrainingRun) -> Store:
    """A store whose table has no column `auxiliary`, with one training of each kind."""
    columns = ", ".join(field.name for field in fields(TrainingRun) if field.name != "auxiliary")
    runs = [
        replace(run, fingerprint=name, alpha=alpha)
        for name, alpha in (("none", None), ("zero", 0.0), ("some", 0.3))
    ]
    record(store.engine, runs)
    with store.engine.begin() as connection:
        connection.execute(text("alter table training_runs rename to newer"))
        connection.execute(text("drop index training_runs_seconds"))
        connection.execute(text(OLD_TABLE))
        connection.execute(text(f"insert into training_runs select {columns} from newer"))
        connection.execute(text("drop table newer"))
    return store


def test_older_trainings_are_said_to_be_of_the_auxiliary_loss_they_had(older: Store) -> None:
    create_tables(older.engine)
    create_tables(older.engine)
    found = recorded(older.engine, ["none", "zero", "some"])
    assert {name: run.auxiliary for name, run in found.items()} == {
        "none": None, "zero": None, "some": "logits",
    }  # fmt: skip


def test_an_older_table_is_brought_up_to_date_whole_or_not_at_all(
    older: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a driver that is killed in between would leave trainings of an unknown kind."""
    monkeypatch.setattr(schema, "_OLDER_ROWS", "update no_such_table set a = 1")
    with pytest.raises(DBAPIError):
        create_tables(older.engine)
    columns = {each["name"] for each in inspect(older.engine).get_columns("training_runs")}
    assert "auxiliary" not in columns
