"""Typed reads of single measurements, where `storage.queries` reads their means.

Each raises `StoreError` where the store cannot be read, or no driver has opened it yet.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import groupby
from statistics import fmean, stdev
from typing import Any

from sqlalchemy import Engine, Row, text

from storage.cells import CELLS, RANKABLE, RANKING, TRIALS, attribute
from storage.errors import explained
from storage.queries import GridCell
from storage.schema import COLUMNS

_ATTRIBUTES = """
select study_id, key, value_json from study_user_attributes order by study_id
"""

# Left: a cell that has not been told, or diverged, has no accuracies.
_REPEATS = f"""
with {CELLS}
select experiment, model, stage, learning_rate, batch_size, alpha, state, guessing,
    v.intermediate_value as accuracy
from cells c left join trial_intermediate_values v on v.trial_id = c.trial_id
order by experiment, model, stage, case when {RANKABLE} then 0 else 1 end, {RANKING}, v.step
"""

# Of several trials for one seed, which a killed run leaves behind, a finished one counts.
_RERUNS = f"""
with {TRIALS},
reruns as (
    select experiment, model, learning_rate, batch_size, alpha,
        (select cast(param_value as integer) from trial_params p
            where p.trial_id = t.trial_id and p.param_name = 'seed') as seed,
        (select value from trial_values v where v.trial_id = t.trial_id) as accuracy,
        cast({attribute("train_seconds")} as double precision) as train_seconds,
        replace({attribute("fingerprint")}, '"', '') as fingerprint,
        coalesce({attribute("final_error")}, '') as final_error
    from tried t where stage = 'rerun' and (trial_state = 'COMPLETE' or trial_state = 'FAIL')
)
select distinct * from reruns where accuracy is not null or final_error <> ''
order by experiment, model, seed
"""

_TRAININGS = f"""
select {", ".join(COLUMNS)} from training_runs order by model, started_at, seed, fingerprint
"""


@dataclass(frozen=True)
class StudyAttributes:
    """What a study keeps of where it comes from."""

    experiment: str
    model: str
    stage: str
    attributes: Mapping[str, Any]
    """All of them, by name."""


@dataclass(frozen=True)
class RankedCell(GridCell):
    """A cell of a search, with the accuracy of each of its repeats."""

    accuracies: tuple[float, ...]
    """In the order of the seeds. Whether on test or validation pairs, the protocol says."""


@dataclass(frozen=True)
class Rerun:
    """One training of a winner, timed by itself."""

    experiment: str
    model: str
    learning_rate: float
    batch_size: int
    alpha: float | None
    seed: int
    accuracy: float | None
    """On the test pairs, a fraction; None where it diverged."""
    train_seconds: float | None
    fingerprint: str | None


def studies(engine: Engine) -> list[StudyAttributes]:
    """Return all studies of models, in the order in which they were begun."""
    found = []
    with explained(engine.url), engine.connect() as connection:
        rows = connection.execute(text(_ATTRIBUTES)).all()
    for _, of_study in groupby(rows, key=lambda row: row.study_id):
        attributes = {row.key: json.loads(row.value_json) for row in of_study}
        # A run that was killed as it began may have left some out.
        if {"experiment", "model", "stage"} <= attributes.keys():
            names = (attributes["experiment"], attributes["model"], attributes["stage"])
            found.append(StudyAttributes(*names, attributes))
    return found


def ranked_cells(engine: Engine) -> Iterator[RankedCell]:
    """Yield the cells of all searches: study by study, the winner first, those undone last."""
    with explained(engine.url), engine.connect() as connection:
        rows = connection.execute(text(_REPEATS)).all()
    for cell, repeats in groupby(rows, key=_cell):
        values = tuple(row.accuracy for row in repeats if row.accuracy is not None)
        mean = fmean(values) if values else None
        deviation = stdev(values) if len(values) > 1 else None
        *place, state, guessing = cell
        dead = None if guessing is None else sum(value <= guessing for value in values)
        known = (*place, mean, deviation, len(values), state, dead, values)
        yield RankedCell(*known)


def _cell(row: Row[Any]) -> tuple[Any, ...]:
    """All but the accuracy."""
    return tuple(row)[:-1]


def reruns(engine: Engine) -> list[Rerun]:
    """Return the reruns that are done, by experiment, model and seed."""
    columns = [field.name for field in fields(Rerun)]
    with explained(engine.url), engine.connect() as connection:
        rows = connection.execute(text(_RERUNS)).mappings()
        return [Rerun(**{name: row[name] for name in columns}) for row in rows]


def training_rows(engine: Engine) -> list[dict[str, Any]]:
    """Return all rows of `training_runs` as they are stored, columns in the table's order."""
    with explained(engine.url), engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(_TRAININGS)).mappings()]
