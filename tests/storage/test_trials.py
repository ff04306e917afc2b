"""Trials that are begun and ended in one transaction each: row by row what Optuna writes."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from sqlalchemy import text

from storage.store import Store
from storage.trials import OpenTrial, Outcome, begin_trial

SPACE: dict[str, tuple[Any, BaseDistribution]] = {
    "learning_rate": (1e-3, FloatDistribution(1e-3, 5e-3)),
    "batch_size": (16, IntDistribution(8, 32)),
    "optimizer": ("Ädam", CategoricalDistribution(("sgd", "Ädam"))),
    "alpha": (1.0, FloatDistribution(1.0, 1.0)),
}
PARAMS = {name: value for name, (value, _) in SPACE.items()}
SYSTEM = {"search_space": '{"learning_rate": [0.001, 0.005]}', "grid_id": "7"}

OUTCOMES = {
    "search": Outcome(
        TrialState.COMPLETE, 1 / 3, {"fingerprints": ["a", "b"], "score": 1 / 3}, {0: 0.1, 1: 0.2}
    ),
    "rerun": Outcome(
        TrialState.COMPLETE,
        0.75,
        {"fingerprint": "a", "train_seconds": 1.5},
        {0: 0.7, 1: math.nan, 2: math.inf, 3: -math.inf},
    ),
    "infinite": Outcome(TrialState.COMPLETE, math.inf),
    "most negative": Outcome(TrialState.COMPLETE, -math.inf),
    "failed": Outcome(TrialState.FAIL, None, {"error": "RuntimeError: “no luck”\n"}),
    "pruned": Outcome(TrialState.PRUNED, 0.2, {"given_up": "worse than trial 3"}),
    "pruned without a value": Outcome(TrialState.PRUNED, None, {"given_up": "worse"}),
}

TABLES = {
    "trials": "number, state",
    "trial_params": "number, param_name, param_value, distribution_json",
    "trial_values": "number, objective, value, value_type",
    "trial_intermediate_values": "number, step, intermediate_value, intermediate_value_type",
    "trial_user_attributes": "number, key, value_json",
    "trial_system_attributes": "number, key, value_json",
}


def by_us(store: Store, study: Study) -> OpenTrial:
    distributions = {name: drawn_from for name, (_, drawn_from) in SPACE.items()}
    return begin_trial(store.engine, study._study_id, PARAMS, distributions, SYSTEM, {"place": 5})


def by_optuna(study: Study) -> int:
    """A trial begun by Optuna's own calls."""
    import json

    storage = study._storage
    trial = storage.create_new_trial(study._study_id)
    for name, (value, drawn_from) in SPACE.items():
        storage.set_trial_param(trial, name, drawn_from.to_internal_repr(value), drawn_from)
    for key, value in SYSTEM.items():
        storage.set_trial_system_attr(trial, key, json.loads(value))
    storage.set_trial_user_attr(trial, "place", 5)
    return trial


def end_by_optuna(study: Study, trial: int, outcome: Outcome) -> None:
    storage = study._storage
    for key, value in outcome.attributes.items():
        storage.set_trial_user_attr(trial, key, value)
    for step, value in outcome.steps.items():
        storage.set_trial_intermediate_value(trial, step, value)
    values = None if outcome.value is None else [outcome.value]
    storage.set_trial_state_values(trial, outcome.state, values)


def new_study(store: Store, name: str) -> Study:
    return optuna.create_study(study_name=name, storage=store.optuna, direction="maximize")


def rows_of(store: Store, study: Study) -> Mapping[str, list[Any]]:
    """All that the tables hold of a study's trials, but identifiers and times."""
    rows = {}
    with store.engine.connect() as connection:
        for table, columns in TABLES.items():
            source = "trials" if table == "trials" else f"trials join {table} using (trial_id)"
            keys = "number, param_id" if table == "trial_params" else columns
            statement = f"select {columns} from {source} where study_id = :study order by {keys}"
            rows[table] = list(connection.execute(text(statement), {"study": study._study_id}))
    return rows


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_a_trial_has_the_rows_that_optuna_writes(store: Store, outcome: Outcome) -> None:
    ours, theirs = new_study(store, "ours"), new_study(store, "theirs")
    new_study(store, "another").ask()
    for _ in range(2):
        trial = by_us(store, ours)
        other = by_optuna(theirs)
        assert rows_of(store, ours) == rows_of(store, theirs), "while they run"
        trial.end(outcome)
        end_by_optuna(theirs, other, outcome)
    rows = rows_of(store, ours)
    assert rows == rows_of(store, theirs)
    assert [row.number for row in rows["trials"]] == [0, 1]
    assert len(rows["trial_params"]) == 2 * len(SPACE)


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_optuna_reads_such_a_trial_as_one_of_its_own(store: Store, outcome: Outcome) -> None:
    before = datetime.now()
    ours, theirs = new_study(store, "ours"), new_study(store, "theirs")
    by_us(store, ours).end(outcome)
    end_by_optuna(theirs, by_optuna(theirs), outcome)
    anew = optuna.load_study(study_name="ours", storage=RDBStorage(store.url))
    for study in (ours, anew):
        (trial,), (expected,) = study.trials, theirs.trials
        for name in ("number", "state", "values", "params", "distributions"):
            assert getattr(trial, name) == getattr(expected, name)
        assert (trial.user_attrs, trial.system_attrs) == (
            expected.user_attrs,
            expected.system_attrs,
        )
        assert repr(trial.intermediate_values) == repr(expected.intermediate_values)
        assert list(trial.params) == list(SPACE)
        assert before <= trial.datetime_start <= trial.datetime_complete <= datetime.now()
        if outcome.state == TrialState.COMPLETE:
            assert study.best_trial.number == 0
    anew._storage._backend.engine.dispose()  # type: ignore[attr-defined]


def test_what_optuna_has_read_of_a_running_trial_does_not_stay(store: Store) -> None:
    """Optuna keeps what it has read of trials that ended."""
    study = new_study(store, "ours")
    first, second = by_us(store, study), by_us(store, study)
    assert [trial.state for trial in study.trials] == [TrialState.RUNNING] * 2
    second.end(Outcome(TrialState.COMPLETE, 0.5))
    assert [trial.state.name for trial in study.trials] == ["RUNNING", "COMPLETE"]
    first.report({0: 0.25})
    assert study.trials[0].intermediate_values == {0: 0.25}
    first.end(Outcome(TrialState.COMPLETE, 0.75))
    assert study.best_trial.number == 0


def test_values_and_attributes_that_others_set_are_replaced(store: Store) -> None:
    study = new_study(store, "ours")
    trial = by_us(store, study)
    study._storage.set_trial_user_attr(trial.trial_id, "score", "mine")
    study._storage.set_trial_intermediate_value(trial.trial_id, 0, 99.0)
    trial.end(Outcome(TrialState.COMPLETE, 0.5, {"score": 0.5}, {0: 0.5}))
    (stored,) = study.trials
    assert (stored.user_attrs["score"], stored.intermediate_values) == (0.5, {0: 0.5})


WRITES: dict[str, Callable[[OpenTrial], None]] = {
    "report": lambda trial: trial.report({0: 0.5}),
    "end": lambda trial: trial.end(Outcome(TrialState.COMPLETE, 0.5, {"score": 0.5}, {0: 0.5})),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_trial_that_somebody_ended_is_left_as_it_is(
    store: Store, write: Callable[[OpenTrial], None]
) -> None:
    study = new_study(store, "ours")
    trial = by_us(store, study)
    study.tell(trial.number, 0.99)
    before = rows_of(store, study)
    with pytest.raises(UpdateFinishedTrialError, match="trial 0 was ended by somebody else"):
        write(trial)
    assert rows_of(store, study) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_trial_that_was_deleted_with_its_study_is_missed_as_by_optuna(
    store: Store, write: Callable[[OpenTrial], None]
) -> None:
    study = new_study(store, "ours")
    trial = by_us(store, study)
    optuna.delete_study(study_name="ours", storage=store.optuna)
    with pytest.raises(KeyError, match="Record does not exist"):
        write(trial)
    with pytest.raises(KeyError, match="Record does not exist"):
        by_us(store, study)


def test_a_trial_is_begun_and_ended_whole_or_not_at_all(store: Store) -> None:
    study = new_study(store, "ours")
    with pytest.raises(TypeError, match="not JSON serializable"):
        begin_trial(store.engine, study._study_id, {}, {}, {}, {"place": object()})
    assert study.trials == []
    trial = by_us(store, study)
    before = rows_of(store, study)
    with pytest.raises(TypeError, match="not JSON serializable"):
        trial.end(Outcome(TrialState.COMPLETE, 0.5, {"score": object()}))
    assert rows_of(store, study) == before


def test_times_are_utc_as_optuna_keeps_them(store: Store) -> None:
    study = new_study(store, "ours")
    by_us(store, study).end(Outcome(TrialState.FAIL))
    with store.engine.connect() as connection:
        row = connection.execute(text("select datetime_start, datetime_complete from trials")).one()
    now = datetime.now(UTC).replace(tzinfo=None)
    for value in row:
        when = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        assert timedelta(0) <= now - when < timedelta(minutes=1)
