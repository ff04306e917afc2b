"""Typed reads of studies.

Each raises `StoreError` where the store cannot be read, or no driver has opened it yet.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from itertools import groupby
from statistics import fmean, stdev
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from storage.cells import (
    DEAD,
    DEVIATION,
    MEAN,
    RANKABLE,
    RANKING,
    RUNS,
    attribute,
    cells,
    deviation,
    ranked,
    trials,
)
from storage.cells import reruns as reruns_of_winners
from storage.columns import Columns, Value, read_columns
from storage.errors import explained
from storage.rows import BestParams, GridCell, ModelResult, RankedCell, Rerun, StudyAttributes
from storage.trainings import in_chunks

__all__ = ["BestParams", "GridCell", "ModelResult", "RankedCell", "Rerun", "StudyAttributes"]
__all__ += ["best_cell", "best_params", "grid_cells", "model_results", "ranked_cells"]
__all__ += ["rerun_curves", "reruns", "studies"]

_Row = TypeVar("_Row", BestParams, GridCell, ModelResult, RankedCell, Rerun)


def best_params(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[BestParams]:
    """Return the winners, by experiment and model."""
    select = f"""select c.trial_id, experiment, model, objective, {MEAN} as mean,
            {DEVIATION} as deviation, {RUNS} as runs
        from ranked c where rank_of_all = 1 and {_asked(experiment=experiment, model=model)}
        order by experiment, model"""
    asked = {"experiment": experiment, "model": model}
    return [_made(BestParams, row) for row in _rows(engine, ranked, select, asked)]


def model_results(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[ModelResult]:
    """Return the results of reruns, by experiment and model."""
    select = f"""select min(trial_id) as trial_id, experiment, model, objective, parameter_count,
            avg(value) as mean, {deviation("value", "mean_value")} as deviation,
            avg(train_seconds) as mean_seconds,
            {deviation("train_seconds", "mean_seconds")} as deviation_seconds, count(*) as reruns
        from reruns where {_asked(experiment=experiment, model=model)}
        group by study_id, experiment, model, objective, parameter_count
        order by experiment, model"""
    asked = {"experiment": experiment, "model": model}
    return [_made(ModelResult, row) for row in _rows(engine, reruns_of_winners, select, asked)]


_CELL = f"""c.trial_id, experiment, model, stage, {MEAN} as mean, {DEVIATION} as deviation,
    {RUNS} as runs, state, {DEAD} as dead"""
_OF_STUDY = "experiment = :experiment and model = :model and stage = :stage"


def grid_cells(engine: Engine, experiment: str, model: str, stage: str) -> list[GridCell]:
    """Return the cells of a study, in any order."""
    asked = {"experiment": experiment, "model": model, "stage": stage}
    select = f"select {_CELL} from cells c where {_OF_STUDY}"
    return [_made(GridCell, row) for row in _rows(engine, cells, select, asked)]


def best_cell(engine: Engine, experiment: str, model: str, stage: str) -> GridCell | None:
    """Return a study's best finished cell by the rule of `best_params`, None if there is none."""
    asked = {"experiment": experiment, "model": model, "stage": stage}
    select = f"""select {_CELL} from cells c where {RANKABLE} and {_OF_STUDY}
        order by {RANKING} limit 1"""
    rows = _rows(engine, cells, select, asked)
    return _made(GridCell, rows[0]) if rows else None


def ranked_cells(engine: Engine) -> Iterator[RankedCell]:
    """Yield the cells of all searches: study by study, the winner first, those undone last."""
    # Left: a cell that has not been told, or diverged, has no values.
    select = f"""select t.trial_id, experiment, model, stage, state, sign, guessing,
            {attribute("fingerprints")} as fingerprints, v.intermediate_value as value
        from cells t left join trial_intermediate_values v on v.trial_id = t.trial_id
        order by experiment, model, stage, case when {RANKABLE} then 0 else 1 end, {RANKING},
            v.step"""
    rows = _rows(engine, cells, select)
    for _, of_cell in groupby(rows, key=lambda row: row["trial_id"]):
        cell, *others = of_cell
        values = tuple(row["value"] for row in (cell, *others) if row["value"] is not None)
        sign, guessing = cell["sign"], cell["guessing"]
        yield RankedCell(
            cell["experiment"],
            cell["model"],
            cell["stage"],
            cell["parameters"],
            mean=fmean(values) if values else None,
            deviation=stdev(values) if len(values) > 1 else None,
            runs=len(values),
            state=cell["state"],
            dead=None if guessing is None else sum(sign * v <= sign * guessing for v in values),
            values=values,
            fingerprints=tuple(json.loads(cell["fingerprints"] or "[]")),
        )


def reruns(engine: Engine) -> list[Rerun]:
    """Return the reruns that are done, by experiment, model and seed."""
    select = f"""select * from (
            select t.trial_id, experiment, model,
                (select cast(param_value as integer) from trial_params p
                    where p.trial_id = t.trial_id and p.param_name = 'seed') as seed,
                (select value from trial_values v where v.trial_id = t.trial_id) as value,
                cast({attribute("train_seconds")} as double precision) as train_seconds,
                replace({attribute("fingerprint")}, '"', '') as fingerprint,
                {attribute("final_error")} as final_error
            from tried t
            where stage = 'rerun' and (trial_state = 'COMPLETE' or trial_state = 'FAIL')
        ) r where value is not null or final_error is not null
        order by experiment, model, seed, case when value is null then 0 else 1 end, trial_id"""
    rows = _rows(engine, trials, select)
    # Of several trials for one seed, which a killed run leaves behind, a finished one counts.
    by_seed = {(row["experiment"], row["model"], row["seed"]): row for row in rows}
    return [_made(Rerun, row) for row in by_seed.values()]


def rerun_curves(engine: Engine, experiment: str, model: str) -> list[tuple[float, ...]]:
    """Return the mean training loss of each epoch, NaN where infinite, by rerun of the winner."""
    select = f"""select t.trial_id, r.loss_curve
        from tried t join training_runs r
            on r.fingerprint = replace({attribute("fingerprint")}, '"', '')
        where experiment = :experiment and t.model = :model and stage = 'rerun'
            and trial_state = 'COMPLETE'
        order by r.seed"""
    rows = _rows(engine, trials, select, {"experiment": experiment, "model": model})
    curves = [json.loads(row["loss_curve"]) for row in rows]
    return [tuple(math.nan if loss is None else loss for loss in curve) for curve in curves]


def studies(engine: Engine) -> list[StudyAttributes]:
    """Return all studies of models, in the order in which they were begun."""
    statement = "select study_id, key, value_json from study_user_attributes order by study_id"
    begun = []
    with explained(engine.url), engine.connect() as connection:
        rows = connection.execute(text(statement)).all()
    for _, of_study in groupby(rows, key=lambda row: row.study_id):
        attributes = {row.key: json.loads(row.value_json) for row in of_study}
        # A run that was killed as it began may have left some out.
        if {"experiment", "model", "stage"} <= attributes.keys():
            names = (attributes["experiment"], attributes["model"], attributes["stage"])
            begun.append(StudyAttributes(*names, attributes))
    return begun


def _rows(
    engine: Engine,
    pieces: Callable[[str, Columns], str],
    select: str,
    asked: Mapping[str, str | None] = {},
) -> list[dict[str, Any]]:
    """Return the rows of a query, with the parameters of the trial that each is about."""
    with explained(engine.url), engine.connect() as connection:
        columns = read_columns(connection)
        statement = f"with {pieces(engine.dialect.name, columns)} {select}"
        rows = connection.execute(text(statement), asked).mappings().all()
        parameters = trial_parameters(connection, (row["trial_id"] for row in rows))
    names = columns.names("parameter")
    ordered = {
        trial: {name: found[name] for name in names if name in found}
        for trial, found in parameters.items()
    }
    return [{**row, "parameters": ordered[row["trial_id"]]} for row in rows]


def trial_parameters(connection: Connection, trials: Iterable[int]) -> dict[int, dict[str, Value]]:
    """Return the parameters of some trials, a seed among them, as they were suggested."""
    # Not from a view, whose column holds the numbers of one experiment as words where another has
    # words.
    statement = """select trial_id, param_name, param_value, distribution_json
        from trial_params where trial_id in :chunk"""
    found: dict[int, dict[str, Value]] = {trial: {} for trial in trials}
    for row in in_chunks(connection, statement, found):
        value = _value(row["param_value"], row["distribution_json"])
        found[row["trial_id"]][row["param_name"]] = value
    return found


def _value(stored: float, distribution_json: str) -> Value:
    distribution = _distribution(distribution_json)
    if distribution["name"].startswith("Categorical"):
        choice: Value = distribution["attributes"]["choices"][int(stored)]
        return choice
    return int(stored) if distribution["name"].startswith("Int") else stored


_distribution = lru_cache(json.loads)


def _asked(**equal: str | None) -> str:
    given = [f"{column} = :{column}" for column, value in equal.items() if value is not None]
    return " and ".join(given) or "true"


def _made(kind: type[_Row], row: Mapping[str, Any]) -> _Row:
    return kind(**{field.name: row[field.name] for field in fields(kind)})
