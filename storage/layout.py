"""The layout of older versions: a fixed table of trainings, and less that is noted with trials."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Integer, String, inspect, text

from storage.cells import parameters, trials
from storage.columns import FIXED, objectives, read_columns, roles_by_place
from storage.reader import is_older, trial_parameters
from storage.tables import add_columns, create_tables, exclude_others

_NOTE = """
insert into trial_user_attributes (trial_id, key, value_json) values (:trial, :key, :value)
"""

_LACKING = """not exists (
    select 1 from trial_user_attributes a where a.trial_id = t.trial_id and a.key = '{key}')"""

_RENAME_SEARCHES = """
update study_user_attributes
set value_json = replace(value_json, '"search": "two-stage"', '"search": "stages"')
where key = 'protocol'
"""


def bring_up_to_date(connection: Connection) -> None:
    """Change a store of an older layout to this version's, in one transaction; leave all others."""
    exclude_others(connection)
    if is_older(connection):
        _rebuild_table(connection)
        connection.exec_driver_sql(_RENAME_SEARCHES)
        _set_places(connection)
        _set_fingerprints(connection)


def _rebuild_table(connection: Connection) -> None:
    """Add the registry of columns; the role of a column follows from its name and place."""
    described = {c["name"]: c["type"] for c in inspect(connection).get_columns("training_runs")}
    roles = roles_by_place(described)
    wanted = {(role, name): _kind(described[name]) for name, role in roles.items()}
    objective = next(name for name, role in roles.items() if role == "number")
    connection.execute(text("drop index if exists training_runs_seconds"))
    connection.execute(text("alter table training_runs rename to older_training_runs"))
    create_tables(connection)
    add_columns(connection, wanted | {("objective", objective): "number"})
    names = ", ".join(f'"{name}"' for name in (*FIXED, *roles))
    connection.execute(
        text(f"insert into training_runs ({names}) select {names} from older_training_runs")
    )
    connection.execute(text("drop table older_training_runs"))


def _kind(declared: Any) -> str:
    if isinstance(declared, Integer):
        return "integer"
    return "word" if isinstance(declared, String) else "number"


def _set_places(connection: Connection) -> None:
    """Number the cells of grids in the order of their parameters' columns."""
    names = read_columns(connection)["parameter"]
    spaces = {
        trial: json.loads(value)
        for trial, value in connection.execute(
            text(
                "select trial_id, value_json from trial_system_attributes t"
                f" where key = 'search_space' and {_LACKING.format(key='place')}"
            )
        )
    }
    for trial, drawn in trial_parameters(connection, spaces).items():
        space = spaces[trial]
        if "seed" in space or any(drawn.get(name) not in space[name] for name in space):
            continue
        place = 0
        for name in (name for name in names if name in space):
            place = place * len(space[name]) + space[name].index(drawn[name])
        _note(connection, trial, "place", place)


def _set_fingerprints(connection: Connection) -> None:
    """Name the trainings of a search's trial where all of them are there, equal to the bit."""
    studies: dict[int, dict[str, Any]] = defaultdict(dict)
    for study, key, value in connection.execute(
        text("select study_id, key, value_json from study_user_attributes")
    ):
        studies[study][key] = json.loads(value)
    columns = read_columns(connection)
    same_parameters = "".join(
        f""" and coalesce(r."{name}" = t.{column}, r."{name}" is null and t.{column} is null)"""
        for name, column in parameters(columns).items()
    )
    repeats = connection.execute(
        text(f"""with {trials(connection.dialect.name, columns)}
            select t.trial_id, t.study_id, v.step, v.intermediate_value, r.*
            from tried t join trial_intermediate_values v on v.trial_id = t.trial_id
            left join training_runs r on r.model = t.model and r.seed = v.step{same_parameters}
                and '"' || r.fingerprint || '"' not in (
                    select value_json from trial_user_attributes where key = 'fingerprint')
            where stage <> 'rerun' and {_LACKING.format(key="fingerprints")}
            order by t.trial_id, v.step""")
    ).mappings()
    settings = list(columns["setting"])
    for trial, of_trial in groupby(repeats.all(), key=lambda row: row["trial_id"]):
        fingerprints: dict[int, str | None] = {}
        for row in of_trial:
            is_its_own = _matches(row, studies[row["study_id"]], objectives(columns)[0], settings)
            known = fingerprints.get(row["step"])
            fingerprints[row["step"]] = known or (row["fingerprint"] if is_its_own else None)
        if all(fingerprints.values()):
            _note(connection, trial, "fingerprints", list(fingerprints.values()))


def _matches(
    row: Mapping[Any, Any], study: Mapping[str, Any], objective: str, settings: Sequence[str]
) -> bool:
    """Return whether a training has a trial's value and the settings of the study's protocol."""
    protocol = study.get("protocol", {})
    number = f"validation_{objective}" if protocol.get("select_on") == "validation" else objective
    return (
        row[number] == row["intermediate_value"]
        and row["data"] == study.get("data")
        and all(row[name] in (None, protocol[name]) for name in settings if name in protocol)
    )


def _note(connection: Connection, trial: int, key: str, value: Any) -> None:
    values = {"trial": trial, "key": key, "value": json.dumps(value)}
    connection.execute(text(_NOTE), values)
