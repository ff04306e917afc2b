"""Typed reads of studies.

Each raises `StoreError` where the store cannot be read, or no driver has opened it yet.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from statistics import fmean, stdev
from typing import Any, TypeVar

from sqlalchemy import Engine, text

from storage import cells as sql
from storage.attributes import attribute, number
from storage.errors import explained
from storage.reader import rows_of
from storage.rows import (
    BestParams,
    Certainty,
    GridCell,
    ModelResult,
    RankedCell,
    Rerun,
    StudyAttributes,
)
from storage.trainings import recorded

__all__ = ["BestParams", "Certainty", "GridCell", "ModelResult", "RankedCell", "Rerun"]
__all__ += ["StudyAttributes", "best_cell", "best_params", "drawn_parameters", "grid_cells"]
__all__ += ["latest", "model_results", "ranked_cells", "rerun_curves", "reruns", "stage_cells"]
__all__ += ["studies"]

_Row = TypeVar("_Row", BestParams, GridCell, ModelResult, Rerun)

_MEASURED = f"{sql.MEAN} as mean, {sql.DEVIATION} as deviation, {sql.RUNS} as runs"

_CELLS = f"""select c.trial_id, number, experiment, model, stage, {_MEASURED}, state,
    {sql.DEAD} as dead
from cells c where"""


def best_params(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[BestParams]:
    """Return the winners, by experiment and model."""
    select = f"""select c.trial_id, experiment, model, objective, {_MEASURED}
        from winners c where true"""
    order = "order by experiment, model"
    rows = rows_of(engine, sql.winners, select, order, experiment=experiment, model=model)
    return [_made(BestParams, row) for row in rows]


def model_results(
    engine: Engine, experiment: str | None = None, model: str | None = None
) -> list[ModelResult]:
    """Return the results of reruns, by experiment and model."""
    select = f"""select min(trial_id) as trial_id, experiment, model, objective, parameter_count,
            avg(value) as mean, {sql.deviation("value", "mean_value")} as deviation,
            avg(train_seconds) as mean_seconds,
            {sql.deviation("train_seconds", "mean_seconds")} as deviation_seconds,
            count(*) as reruns, count(train_seconds) as timed,
            sum(case when disturbed = 'true' then 1 else 0 end) as disturbed,
            sum(case when disturbed in ('true', 'false') then 0 else 1 end) as unknown
        from reruns where true"""
    order = """group by study_id, experiment, model, objective, parameter_count
        order by experiment, model"""
    rows = rows_of(engine, sql.reruns, select, order, experiment=experiment, model=model)
    return [_made(ModelResult, row).believable() for row in rows]


def grid_cells(engine: Engine, experiment: str, model: str, stage: str) -> list[GridCell]:
    """Return the cells of a study, in any order."""
    select = f"{_CELLS} true"
    rows = rows_of(engine, sql.cells, select, experiment=experiment, model=model, stage=stage)
    return [_made(GridCell, row) for row in rows]


def stage_cells(
    engine: Engine, experiment: str, model: str, stage: str, last: int
) -> list[GridCell]:
    """Return the cells of a stage and of its further studies, up to number `last`.

    A cell that got further repeats to settle the stage comes once, with all of them.
    """
    select = f"{_CELLS} extension <= {last}"
    order = "order by extension desc"
    rows = rows_of(engine, sql.cells, select, order, experiment=experiment, model=model, base=stage)
    by_parameters = {frozenset(row["parameters"].items()): row for row in reversed(rows)}
    return [_made(GridCell, row) for row in by_parameters.values()]


def best_cell(
    engine: Engine, experiment: str, model: str, stage: str, last: int = 0
) -> GridCell | None:
    """Return the best finished cell by the rule of `best_params`, None if there is none.

    That is one of a stage's grid, or of its further studies up to number `last`; where such a study
    settles the stage, one of the last that does.
    """
    select = f"{_CELLS} {sql.RANKABLE} and extension <= {last}"
    order = f"order by {sql.RANKING} limit 1"
    rows = rows_of(engine, sql.cells, select, order, experiment=experiment, model=model, base=stage)
    return _made(GridCell, rows[0]) if rows else None


def ranked_cells(engine: Engine, **study: str) -> Iterator[RankedCell]:
    """Yield the cells of all searches, or of some `experiment`, `model`, `base`.

    Cells come stage by stage, from all studies of a stage: the winner first, unfinished cells last.
    """
    # A left join, as a cell that is not finished, or diverged, has no values.
    select = f"""select t.trial_id, number, experiment, model, stage, base, extension, state,
            sign, guessing, {attribute("fingerprints")} as fingerprints,
            v.intermediate_value as value
        from cells t left join trial_intermediate_values v on v.trial_id = t.trial_id
        where true"""
    order = f"""order by experiment, model, base, case when {sql.RANKABLE} then 0 else 1 end,
        {sql.RANKING}, t.trial_id, v.step"""
    rows = rows_of(engine, sql.cells, select, order, **study)
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
            number=cell["number"],
            values=values,
            fingerprints=tuple(json.loads(cell["fingerprints"] or "[]")),
            base=cell["base"],
            extension=int(cell["extension"]),
        )


def latest(cells: Sequence[RankedCell]) -> list[RankedCell]:
    """Return the cells of a stage, each once: with the repeats that settle the stage, if any."""
    last: dict[frozenset[tuple[str, Any]], int] = {}
    keys = [frozenset(cell.parameters.items()) for cell in cells]
    for key, cell in zip(keys, cells, strict=True):
        last[key] = max(last.get(key, 0), cell.extension)
    pairs = zip(keys, cells, strict=True)
    return [cell for key, cell in pairs if cell.extension == last[key]]


def reruns(engine: Engine, experiment: str | None = None, model: str | None = None) -> list[Rerun]:
    """Return the reruns that are done, by experiment, model and seed."""
    select = f"""select * from (
            select t.trial_id, experiment, model,
                (select cast(param_value as integer) from trial_params p
                    where p.trial_id = t.trial_id and p.param_name = 'seed') as seed,
                (select value from trial_values v where v.trial_id = t.trial_id) as value,
                {number(engine.dialect.name, "train_seconds")} as train_seconds,
                {attribute("disturbed")} as disturbed,
                replace({attribute("fingerprint")}, '"', '') as fingerprint,
                {attribute("final_error")} as final_error
            from tried t where stage = 'rerun' and trial_state in ('COMPLETE', 'FAIL')
        ) r where true"""
    order = """order by experiment, model, seed, case when value is null then 0 else 1 end,
        trial_id"""
    rows = rows_of(engine, sql.trials, select, order, experiment=experiment, model=model)
    # Of several trials for one seed, which a killed run leaves behind, a finished one counts.
    by_seed = {(row["experiment"], row["model"], row["seed"]): row for row in rows}
    words = {"true": True, "false": False}
    return [
        _made(Rerun, {**row, "disturbed": words.get(row["disturbed"])}) for row in by_seed.values()
    ]


def rerun_curves(engine: Engine, experiment: str, model: str) -> list[tuple[float, ...]]:
    """Return the mean training loss of each epoch, NaN where infinite, by rerun of the winner."""
    done = [rerun for rerun in reruns(engine, experiment, model) if rerun.value is not None]
    fingerprints = [rerun.fingerprint for rerun in done if rerun.fingerprint is not None]
    runs = recorded(engine, fingerprints)
    return [runs[name].loss_curve for name in fingerprints if name in runs]


def studies(engine: Engine) -> list[StudyAttributes]:
    """Return all studies of models, in the order in which they were begun.

    Studies of others are left out, and copies: they are not called what their attributes say.
    """
    statement = """select study_id, study_name, key, value_json
        from study_user_attributes join studies using (study_id) order by study_id"""
    begun = []
    with explained(engine.url), engine.connect() as connection:
        rows = connection.execute(text(statement)).all()
    for (_, name), of_study in groupby(rows, key=lambda row: (row.study_id, row.study_name)):
        attributes = {row.key: json.loads(row.value_json) for row in of_study}
        # A run that was killed as it began may have left some out.
        experiment, model, stage = map(attributes.get, ("experiment", "model", "stage"))
        if name == f"{experiment}/{model}/{stage}":
            begun.append(StudyAttributes(str(experiment), str(model), str(stage), attributes))
    return begun


def drawn_parameters(engine: Engine) -> dict[str, dict[str, set[str]]]:
    """Return the distributions, as JSON, of each parameter in the trials of each study by name."""
    statement = """select distinct study_name, param_name, distribution_json
        from studies join trials using (study_id) join trial_params using (trial_id)"""
    drawn: dict[str, dict[str, set[str]]] = {}
    with explained(engine.url), engine.connect() as connection:
        for study, name, distribution in connection.execute(text(statement)):
            drawn.setdefault(study, {}).setdefault(name, set()).add(distribution)
    return drawn


def _made(kind: type[_Row], row: Mapping[str, Any]) -> _Row:
    return kind(**{field.name: row[field.name] for field in fields(kind)})
