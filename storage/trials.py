"""Trials that are begun and ended in one transaction each, with the rows that Optuna would write.

Optuna's own calls commit a dozen times for a trial. Its version is pinned, and so are its tables.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import Connection, Engine, Table, bindparam, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from storage.columns import Value
from storage.durability import deferred

_STUDIES: Table = models.StudyModel.__table__
_TRIALS: Table = models.TrialModel.__table__
_PARAMS: Table = models.TrialParamModel.__table__
_VALUES: Table = models.TrialValueModel.__table__
_STEPS: Table = models.TrialIntermediateValueModel.__table__
_USER: Table = models.TrialUserAttributeModel.__table__
_SYSTEM: Table = models.TrialSystemAttributeModel.__table__

# On PostgreSQL the lock keeps two drivers from giving one number twice.
_LOCK_STUDY = select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == bindparam("study"))
_LOCK_STUDY = _LOCK_STUDY.with_for_update()

_BEGIN = (
    insert(_TRIALS)
    .values(
        study_id=bindparam("study"),
        state=TrialState.RUNNING,
        datetime_start=bindparam("now"),
        number=select(func.count(_TRIALS.c.trial_id))
        .where(_TRIALS.c.study_id == bindparam("study"))
        .scalar_subquery(),
    )
    .returning(_TRIALS.c.trial_id, _TRIALS.c.number)
)

_END = (
    update(_TRIALS)
    .where(_TRIALS.c.trial_id == bindparam("trial"), _TRIALS.c.state == TrialState.RUNNING)
    .values(state=bindparam("outcome"), datetime_complete=bindparam("now"))
)

_LOCK_TRIAL = select(_TRIALS.c.state).where(_TRIALS.c.trial_id == bindparam("trial"))
_LOCK_TRIAL = _LOCK_TRIAL.with_for_update()


@dataclass(frozen=True)
class OpenTrial:
    """A trial that is under way."""

    engine: Engine
    trial_id: int
    number: int
    params: Mapping[str, Value]

    def report(self, values: Mapping[int, float]) -> None:
        """Set the trial's intermediate values, by step.

        Raises Optuna's UpdateFinishedTrialError where somebody ended the trial meanwhile, and its
        KeyError where it was deleted with its study.
        """
        with deferred(self.engine) as connection:
            if self._state(connection) != TrialState.RUNNING:
                raise _ended(self)
            _set_steps(connection, self.trial_id, values)

    def end(self, outcome: "Outcome") -> None:
        """End the trial, all or nothing. Raises as `report` does."""
        given = {"trial": self.trial_id, "outcome": outcome.state, "now": _now()}
        with deferred(self.engine) as connection:
            # Before all else: it keeps others from ending the trial until the commit.
            if connection.execute(_END, given).rowcount != 1:
                self._state(connection)
                raise _ended(self)
            _set_attributes(connection, self.trial_id, outcome.attributes)
            _set_attributes(connection, self.trial_id, outcome.artifacts, _SYSTEM)
            _set_steps(connection, self.trial_id, outcome.steps)
            if outcome.value is not None:
                stored, kind = models.TrialValueModel.value_to_stored_repr(outcome.value)
                row = {"objective": 0, "value": stored, "value_type": kind}
                upsert = _upsert(connection.dialect.name, _VALUES, "objective")
                connection.execute(upsert, {"trial_id": self.trial_id, **row})

    def _state(self, connection: Connection) -> TrialState:
        state: TrialState | None = connection.scalar(_LOCK_TRIAL, {"trial": self.trial_id})
        if state is None:
            raise KeyError(models.NOT_FOUND_MSG)
        return state


@dataclass(frozen=True)
class Outcome:
    """What a trial ends with."""

    state: TrialState
    value: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """User attributes."""
    steps: Mapping[int, float] = field(default_factory=dict)
    """Intermediate values that the trial was not given before."""
    artifacts: Mapping[str, str] = field(default_factory=dict)
    """Files of the trial, see `storage.artifacts.attribute`."""


def begin_trial(
    engine: Engine,
    study: int,
    params: Mapping[str, Value],
    distributions: Mapping[str, BaseDistribution],
    system_attributes: Mapping[str, str],
    attributes: Mapping[str, Any],
) -> OpenTrial:
    """Begin a trial of a study, which has this identifier, with all its parameters.

    System attributes are given as JSON. Raises Optuna's KeyError where the study was deleted.
    """
    with deferred(engine) as connection:
        if connection.scalar(_LOCK_STUDY, {"study": study}) is None:
            raise KeyError(models.NOT_FOUND_MSG)
        trial, number = connection.execute(_BEGIN, {"study": study, "now": _now()}).one()
        rows = [
            {
                "trial_id": trial,
                "param_name": name,
                "param_value": distribution.to_internal_repr(params[name]),
                "distribution_json": _json(distribution),
            }
            for name, distribution in distributions.items()
        ]
        of_system = [
            {"trial_id": trial, "key": key, "value_json": value}
            for key, value in system_attributes.items()
        ]
        for table, new in ((_PARAMS, rows), (_SYSTEM, of_system)):
            if new:
                connection.execute(insert(table), new)
        _set_attributes(connection, trial, attributes)
    return OpenTrial(engine, trial, number, params)


_json = cache(distribution_to_json)


def _set_attributes(
    connection: Connection, trial: int, attributes: Mapping[str, Any], table: Table = _USER
) -> None:
    rows = [
        {"trial_id": trial, "key": key, "value_json": json.dumps(value)}
        for key, value in attributes.items()
    ]
    if rows:
        connection.execute(_upsert(connection.dialect.name, table, "key"), rows)


def _set_steps(connection: Connection, trial: int, values: Mapping[int, float]) -> None:
    to_stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr
    rows = []
    for step, value in values.items():
        stored, kind = to_stored(float(value))
        row = {"step": step, "intermediate_value": stored, "intermediate_value_type": kind}
        rows.append({"trial_id": trial, **row})
    if rows:
        connection.execute(_upsert(connection.dialect.name, _STEPS, "step"), rows)


@cache
def _upsert(dialect: str, table: Table, key: str) -> Any:
    """Return the statement that inserts rows of a trial, or replaces what others wrote there."""
    # Others may set attributes, values and steps of our trials.
    into: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    keys = ["trial_id", key]
    names = [c.name for c in table.columns if not c.primary_key and c.name not in keys]
    return into.on_conflict_do_update(
        index_elements=keys, set_={name: into.excluded[name] for name in names}
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _ended(trial: OpenTrial) -> UpdateFinishedTrialError:
    return UpdateFinishedTrialError(f"trial {trial.number} was ended by somebody else")
