"""How far all studies are, in a few statements, however many studies there are."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, text

from storage import cells as sql
from storage.columns import read_columns
from storage.errors import explained
from storage.reader import rows_of
from storage.rows import GridCell

_STATES = """select study_id, state, count(*) as trials from (
        select study_id, state from cells
        union all
        select study_id, trial_state from (
            select study_id, trial_state, row_number() over (partition by study_id, (
                select param_value from trial_params p
                where p.trial_id = t.trial_id and p.param_name = 'seed'
            ) order by case trial_state when 'COMPLETE' then 0 else 1 end, number desc) as attempt
            from tried t where stage = 'rerun' and trial_state in ('COMPLETE', 'FAIL')
        ) r where attempt = 1
    ) s where state <> 'RUNNING' group by study_id, state"""

_RUNNING = """select study_id, count(*) as trials from trials
    where cast(state as varchar) = 'RUNNING' group by study_id"""


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is."""

    identifier: int
    """Optuna's number of the study."""
    name: str
    done: int
    """Cells that are decided, or reruns that are complete."""
    failed: int
    """Cells and reruns whose trainings went wrong."""
    running: int
    """Trials that are begun; those of a killed run among them, until the next one."""
    figures: Mapping[str, str]
    """Ids of its artifacts that are pictures, by file name."""


def study_progress(engine: Engine) -> dict[str, StudyProgress]:
    """Return how far all studies of models are, by name. Raises `StoreError`."""
    with explained(engine.url), engine.connect() as connection:
        columns = read_columns(connection)
        pieces = sql.cells(engine.dialect.name, columns)
        states: dict[int, dict[str, int]] = defaultdict(dict)
        for row in connection.execute(text(f"with {pieces} {_STATES}")):
            states[row.study_id][row.state] = row.trials
        running = {row.study_id: row.trials for row in connection.execute(text(_RUNNING))}
        figures = _figures(connection)
        names = connection.execute(text("select study_id, study_name from studies")).all()
    return {
        row.study_name: StudyProgress(
            row.study_id,
            row.study_name,
            done=sum(states[row.study_id].get(state, 0) for state in sql.DECIDED),
            failed=states[row.study_id].get("FAIL", 0),
            running=running.get(row.study_id, 0),
            figures=figures.get(row.study_id, {}),
        )
        for row in names
    }


def stage_winners(engine: Engine) -> dict[tuple[str, str, str], GridCell]:
    """Return the best finished cell of each stage, by experiment, model and stage.

    That is one of its grid, or of the studies that go on beyond it. Raises `StoreError`.
    """
    select = f"""select c.trial_id, number, experiment, model, stage, base, state,
            {sql.MEAN} as mean, {sql.DEVIATION} as deviation, {sql.RUNS} as runs, {sql.DEAD} as dead
        from (select cells.*, row_number() over (
                partition by experiment, model, base order by {sql.RANKING}
            ) as rank_in_stage from cells where {sql.RANKABLE}) c
        where rank_in_stage = 1"""
    return {
        (row["experiment"], row["model"], row.pop("base")): _cell(row)
        for row in rows_of(engine, sql.cells, select)
    }


def _cell(row: dict[str, Any]) -> GridCell:
    return GridCell(**{name: value for name, value in row.items() if name != "trial_id"})


def _figures(connection: Connection) -> dict[int, dict[str, str]]:
    """Return the pictures of studies by id; they may be called anything."""
    figures: dict[int, dict[str, str]] = defaultdict(dict)
    statement = """select study_id, value_json from study_system_attributes
        where key like 'artifacts:%' order by key"""
    for row in connection.execute(text(statement)):
        try:
            # Optuna keeps JSON in JSON.
            known = json.loads(json.loads(row.value_json))
            name, identifier = known["filename"], known["artifact_id"]
            is_picture = str(known["mimetype"]).startswith("image/")
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
        if is_picture and isinstance(name, str) and re.fullmatch(r"[0-9a-fA-F-]+", str(identifier)):
            figures[row.study_id][name] = str(identifier)
    return figures
