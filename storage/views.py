"""The SQL views that people query: `best_params`, `grid_cells`, `model_results`."""

from sqlalchemy import Connection, Engine, text

from storage.cells import CELLS, DEAD, MEASURED, RANKABLE, RANKING, TRIALS, attribute, deviation

_BEST_PARAMS = f"""
with {CELLS},
ranked as (
    select cells.*, row_number() over (
        partition by experiment, model
        order by case stage when 'joint' then 0 when 'alpha' then 1 else 2 end, {RANKING}
    ) as place
    from cells where {RANKABLE}
)
select experiment, model, learning_rate, batch_size, alpha, {MEASURED}
from ranked c where place = 1
"""

GRID_CELLS = f"""
with {CELLS}
select experiment, model, stage, learning_rate, batch_size, alpha, {MEASURED}, state,{DEAD}
from cells c
"""

_MODEL_RESULTS = f"""
with {TRIALS},
reruns as (
    select t.*,
        (select value from trial_values v where v.trial_id = t.trial_id) as accuracy,
        cast({attribute("train_seconds")} as double precision) as train_seconds
    from tried t where stage = 'rerun' and trial_state = 'COMPLETE'
),
centred as (
    select reruns.*, avg(accuracy) over (partition by study_id) as accuracy_of_study,
        avg(train_seconds) over (partition by study_id) as seconds_of_study
    from reruns
)
select experiment, model, parameters, max(learning_rate) as learning_rate,
    max(batch_size) as batch_size, max(alpha) as alpha,
    avg(accuracy) as mean_accuracy,
    {deviation("accuracy", "accuracy_of_study")} as std_accuracy,
    avg(train_seconds) as mean_train_seconds,
    {deviation("train_seconds", "seconds_of_study")} as std_train_seconds,
    count(*) as reruns
from centred group by study_id, experiment, model, parameters
"""

VIEWS = {
    name: f"CREATE VIEW {name} AS\n{select.strip()}"
    for name, select in {
        "best_params": _BEST_PARAMS,
        "grid_cells": GRID_CELLS,
        "model_results": _MODEL_RESULTS,
    }.items()
}

# PostgreSQL rewrites a view's text, so there it is kept as the view's comment.
_STORED = {
    "sqlite": "select name, sql as definition from sqlite_master where type = 'view'",
    "postgresql": "select relname as name, obj_description(oid, 'pg_class') as definition"
    " from pg_class where relkind = 'v' and pg_table_is_visible(oid)",
}


def create_views(engine: Engine) -> None:
    """Create the views; replace them where their text has changed, for that waits for readers."""
    dialect = engine.dialect.name
    with engine.begin() as connection:
        rows = connection.execute(text(_STORED[dialect]))
        stored = {row.name: row.definition for row in rows}
        if stored.items() >= VIEWS.items():
            return
        drop_views(connection)
        for name, definition in VIEWS.items():
            connection.execute(text(definition))
            if dialect == "postgresql":
                comment = definition.replace("'", "''")
                connection.execute(text(f"comment on view {name} is '{comment}'"))


def drop_views(connection: Connection) -> None:
    """Drop the views; none need be there."""
    for name in VIEWS:
        connection.execute(text(f"drop view if exists {name}"))
