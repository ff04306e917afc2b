"""The SQL views that people query: of winners, of cells, of reruns, of how sure a winner is."""

from sqlalchemy import Connection, text

from storage.cells import (
    DEAD,
    DEVIATION,
    MEAN,
    RUNS,
    cells,
    contenders,
    deviation,
    parameters,
    reruns,
    trials,
    winners,
)
from storage.columns import Columns, objectives

# PostgreSQL rewrites a view's text, so there it is kept as the view's comment.
_STORED = {
    "sqlite": "select name, sql as definition from sqlite_master where type = 'view'",
    "postgresql": "select relname as name, obj_description(oid, 'pg_class') as definition"
    " from pg_class where relkind = 'v' and pg_table_is_visible(oid)",
}

VIEWS = ("best_params", "grid_cells", "model_results", "certainty", "contenders")


def definitions(dialect: str, columns: Columns) -> dict[str, str]:
    """Return the statements that create the views, by name.

    Users query the views by these columns: one for each parameter of any experiment, two for each
    objective, NULL in the rows of studies that have others.
    """
    names = parameters(columns).items()
    values = "".join(f'{column} as "{name}", ' for name, column in names)
    measured = _by_objective(columns, MEAN, DEVIATION) + f"{RUNS} as runs"
    rerun = _by_objective(columns, "avg(value)", deviation("value", "mean_value"))
    selects = {
        "best_params": f"""
with {winners(dialect, columns)}
select experiment, model, {values}{measured}
from winners c
""",
        "grid_cells": f"""
with {cells(dialect, columns)}
select experiment, model, stage, {values}{measured}, state, {DEAD} as dead
from cells c
""",
        "model_results": f"""
with {reruns(dialect, columns)}
select experiment, model, parameter_count as parameters,
    {"".join(f'max({column}) as "{name}", ' for name, column in names)}{rerun}
    avg(train_seconds) as mean_train_seconds,
    {deviation("train_seconds", "mean_seconds")} as std_train_seconds,
    count(*) as reruns, count(train_seconds) as timed
from reruns group by study_id, experiment, model, objective, parameter_count
""",
        # What the driver keeps with a search that is complete: statistics are not done in SQL.
        "certainty": f"""
with {trials(dialect, columns)}
select experiment, model, stage, repeats,
    length(contenders) - length(replace(contenders, '#', '')) as contenders,
    win_again, repeats_to_settle
from labelled where repeats is not null and contenders is not null
""",
        "contenders": f"""
with {contenders(dialect, columns)}
select experiment, model, search as stage, {values}{measured}
from contending c
""",
    }
    return {name: f"CREATE VIEW {name} AS\n{select.strip()}" for name, select in selects.items()}


def _by_objective(columns: Columns, mean: str, deviation: str) -> str:
    return "".join(
        f"""
    case objective when '{name}' then {value} end as "{word}_{name}","""
        for name in objectives(columns)
        for word, value in (("mean", mean), ("std", deviation))
    )


def create_views(connection: Connection, columns: Columns) -> None:
    """Create the views; replace them where their text has changed, for that waits for readers."""
    dialect = connection.dialect.name
    wanted = definitions(dialect, columns)
    stored = {row.name: row.definition for row in connection.execute(text(_STORED[dialect]))}
    if stored.items() >= wanted.items():
        return
    drop_views(connection)
    for name, definition in wanted.items():
        connection.execute(text(definition))
        if dialect == "postgresql":
            comment = definition.replace("'", "''")
            connection.execute(text(f"comment on view {name} is '{comment}'"))


def drop_views(connection: Connection) -> None:
    """Drop the views; none need be there."""
    for name in VIEWS:
        connection.execute(text(f"drop view if exists {name}"))
