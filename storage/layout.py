"""The layout of older versions: a fixed table of trainings, and less that is noted with trials."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Integer, String, inspect, text

from storage.columns import FIXED, Columns, Value, read_columns, roles_by_place
from storage.queries import trial_parameters
from storage.reader import is_older
from storage.tables import add_columns, create_missing, exclude_others

_Row = Mapping[Any, Any]

_ATTRIBUTE = """
insert into trial_user_attributes (trial_id, key, value_json) values (:trial, :key, :value)
"""

_LACKING = """
select t.trial_id, t.study_id from trials t where not exists (
    select 1 from trial_user_attributes a where a.trial_id = t.trial_id and a.key = :key)
order by t.trial_id
"""


def bring_up_to_date(connection: Connection) -> None:
    """Change a store of an older layout to this version's, in one transaction; leave all others."""
    exclude_others(connection)
    if is_older(connection):
        _rebuild_table(connection)
        _rename_searches(connection)
        _set_places(connection)
        _set_fingerprints(connection)


def _rebuild_table(connection: Connection) -> None:
    """Give the table of trainings its registry; names and places of columns tell their roles."""
    described = {c["name"]: c["type"] for c in inspect(connection).get_columns("training_runs")}
    roles = roles_by_place(described)
    wanted = {(role, name): _kind(described[name]) for name, role in roles.items()}
    objective = next(name for name, role in roles.items() if role == "number")
    connection.execute(text("drop index if exists training_runs_seconds"))
    connection.execute(text("alter table training_runs rename to older_training_runs"))
    create_missing(connection)
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


def _rename_searches(connection: Connection) -> None:
    protocols = connection.execute(
        text("select study_id, value_json from study_user_attributes where key = 'protocol'")
    )
    statement = text(
        "update study_user_attributes set value_json = :value"
        " where study_id = :study and key = 'protocol'"
    )
    for study, value in protocols.all():
        protocol = json.loads(value)
        if protocol.get("search") == "two-stage":
            renamed = json.dumps(protocol | {"search": "stages"})
            connection.execute(statement, {"study": study, "value": renamed})


def _set_places(connection: Connection) -> None:
    """Number the cells of grids in the order of their parameters' columns."""
    names = read_columns(connection).names("parameter")
    trials = [row.trial_id for row in connection.execute(text(_LACKING), {"key": "place"})]
    parameters_of = trial_parameters(connection, trials)
    spaces = connection.execute(
        text("select trial_id, value_json from trial_system_attributes where key = 'search_space'")
    )
    for trial, value in spaces.all():
        space = json.loads(value)
        if trial not in parameters_of or "seed" in space:
            continue
        place = 0
        for name in (name for name in names if name in space):
            if parameters_of[trial].get(name) not in space[name]:
                break
            place = place * len(space[name]) + space[name].index(parameters_of[trial][name])
        else:
            _note(connection, trial, "place", place)


def _set_fingerprints(connection: Connection) -> None:
    """Name the trainings of a search's trial where all of them are there, equal to the bit."""
    studies: dict[int, dict[str, Any]] = defaultdict(dict)
    for study, key, value in connection.execute(
        text("select study_id, key, value_json from study_user_attributes")
    ):
        studies[study][key] = json.loads(value)
    values: dict[int, list[float]] = defaultdict(list)
    for trial, value in connection.execute(
        text(
            "select trial_id, intermediate_value from trial_intermediate_values"
            " order by trial_id, step"
        )
    ):
        values[trial].append(value)
    columns = read_columns(connection)
    trainings = _trainings(connection, columns)
    trials = connection.execute(text(_LACKING), {"key": "fingerprints"}).all()
    parameters_of = trial_parameters(connection, [row.trial_id for row in trials])
    for trial, study in trials:
        attributes = studies[study]
        if attributes.get("stage", "rerun") == "rerun" or not values[trial]:
            continue
        seeds = [
            _matching(
                trainings[_key(attributes, parameters_of[trial], seed)], columns, attributes, value
            )
            for seed, value in enumerate(values[trial])
        ]
        if all(seeds):
            _note(connection, trial, "fingerprints", [row[0]["fingerprint"] for row in seeds])


def _trainings(connection: Connection, columns: Columns) -> dict[Any, list[_Row]]:
    """Return the searches' trainings by model, data, parameters and seed."""
    of_reruns = "select value_json from trial_user_attributes where key = 'fingerprint'"
    fresh = {json.loads(value) for value in connection.scalars(text(of_reruns))}
    names = columns.names("parameter")
    by_key: dict[Any, list[_Row]] = defaultdict(list)
    for row in connection.execute(text("select * from training_runs")).mappings():
        if row["fingerprint"] not in fresh:
            parameters = {name: row[name] for name in names if row[name] is not None}
            by_key[_key(row, parameters, row["seed"])].append(row)
    return by_key


def _key(study: _Row, parameters: Mapping[str, Value], seed: int) -> Any:
    return study["model"], study.get("data"), frozenset(parameters.items()), seed


def _matching(rows: Sequence[_Row], columns: Columns, study: _Row, value: float) -> list[_Row]:
    """Return the trainings that gave the value, with the settings that the study's protocol has."""
    protocol = study.get("protocol", {})
    number = "validation_" * (protocol.get("select_on") == "validation") + columns.objectives[0]
    settings = [name for name in columns.names("setting") if name in protocol]
    return [
        row
        for row in rows
        if row[number] == value
        and all(row[name] is None or row[name] == protocol[name] for name in settings)
    ]


def _note(connection: Connection, trial: int, key: str, value: Any) -> None:
    values = {"trial": trial, "key": key, "value": json.dumps(value)}
    connection.execute(text(_ATTRIBUTE), values)
