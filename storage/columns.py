"""Which hyper-parameters, settings and numbers `training_runs` holds: every experiment's own."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from storage.errors import BadName

Value = int | float | str
"""A hyper-parameter or a setting of a training."""

TYPES = {"integer": "bigint", "number": "double precision", "word": "text"}
"""Kinds of columns with their SQL types: each kind can hold all values of the kinds before it."""

_PYTHON: Mapping[str, Callable[[Any], Value]] = {"integer": int, "number": float, "word": str}

ROLES = {"parameter": "parameters", "setting": "settings", "number": "numbers"}
"""Roles of columns of `training_runs`, with the field of `TrainingRun` that holds their values."""

FIXED = (
    *("fingerprint", "model", "seed", "data", "status", "train_seconds", "cpu_seconds"),
    *("threads", "loss_curve", "host", "started_at"),
)
"""Columns of `training_runs` in every store, in the order of a published file."""

ADDED = {"processor": "text", "disturbance": "double precision", "git_commit": "text"}
"""Columns that stores and files of older versions lack, with their SQL types; they come last."""

RESERVED = (
    frozenset(FIXED)
    | ADDED.keys()
    | {
        *("experiment", "stage", "parameters", "runs", "state", "dead", "reruns", "rerun_of"),
        *("mean_train_seconds", "std_train_seconds", "timed"),
    }
)
"""Names of columns that no parameter, setting or number can have."""

_LONGEST = 58
"""Bytes of a name: PostgreSQL cuts names after 63, and views put `mean_` before some."""

_ROLE_AFTER = {"model": "parameter", "seed": "setting", "status": "number", "started_at": "setting"}
"""Which role the columns have that follow one of every store, in files and older tables."""

Columns = Mapping[str, Mapping[str, str]]
"""Kinds of columns by name, by role; names are in the order of their first appearance."""

_FORMULA = re.compile("'*[=+\\-@\\t\\r]")

Wanted = Mapping[tuple[str, str], str]
"""Kinds of columns by role and name, in the order in which they are to be made."""


def csv_cell(value: object) -> object:
    """Return what a published file has of a value: no word in it may be a spreadsheet's formula."""
    is_formula = isinstance(value, str) and _FORMULA.match(value)
    return f"'{value}" if is_formula else value


def csv_word(cell: str) -> str:
    """Return the word that a published file has as `cell`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_columns(connection: Connection) -> Columns:
    """Return the registered columns of all roles."""
    columns: dict[str, dict[str, str]] = {role: {} for role in (*ROLES, "objective")}
    for row in connection.execute(
        text("select role, name, kind from training_columns order by place")
    ):
        columns[row.role][row.name] = row.kind
    return columns


def objectives(columns: Columns) -> list[str]:
    """Return the objectives of all experiments; `accuracy` while there is none."""
    return list(columns["objective"]) or ["accuracy"]


def typed_values(kinds: Mapping[str, str], row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the values of some columns in a row that are not NULL, each as its column's type."""
    return {
        name: _PYTHON[kind](row[name]) for name, kind in kinds.items() if row.get(name) is not None
    }


def lacking_columns(known: Columns, wanted: Wanted) -> dict[tuple[str, str], str]:
    """Return the columns that are missing or too narrow, with the kinds that they need."""
    # A setting of one experiment may be a parameter of another: they share a column.
    kinds: dict[str, str] = {}
    stored = [(name, kind) for of_role in known.values() for name, kind in of_role.items()]
    for name, kind in [*stored, *((name, kind) for (_, name), kind in wanted.items())]:
        kinds[name] = widest([kind, kinds.get(name, kind)])
    return {
        (role, name): kinds[name] for role, name in wanted if known[role].get(name) != kinds[name]
    }


def widest(kinds: Iterable[str]) -> str:
    """Return the narrowest kind that holds all values of some kinds."""
    return max(kinds, key=list(TYPES).index)


def kind_of(values: Iterable[Value | None]) -> str:
    """Return the kind of a column that holds the values."""
    kinds = {str: "word", float: "number"}
    return widest(
        ["integer", *(kinds[kind] for value in values for kind in kinds if isinstance(value, kind))]
    )


def roles_by_place(header: Iterable[str]) -> dict[str, str]:
    """Return the roles of the columns that not every store has, by name.

    Raises `BadName` for one without a role.
    """
    roles: dict[str, str] = {}
    role = None
    names = list(header)
    for place, name in enumerate(names):
        # In an older file, another column may have the name of an added one.
        is_added = name in ADDED and "started_at" in names[:place]
        if name in FIXED or is_added or name == "rerun_of":
            role = _ROLE_AFTER.get(name)
        elif role is None or name in roles:
            raise BadName(f"{name} has no place among columns of trainings")
        else:
            roles[name] = role
    return roles


def require_names(columns: Sequence[tuple[str, str]]) -> None:
    """Raise `BadName` where two columns, by role and name, cannot be in one store."""
    objectives = [name for role, name in columns if role == "objective"]
    reserved = RESERVED | {f"{word}_{name}" for name in objectives for word in ("mean", "std")}
    uses: dict[str, tuple[str, bool]] = {}
    for role, name in columns:
        if not name.isidentifier() or len(name.encode()) > _LONGEST:
            raise BadName(
                f"{name!r} names no {role}: give a Python name of {_LONGEST} letters at most"
            )
        # SQLite takes upper and lower case for the same.
        use = (name, role in ("number", "objective"))
        if name.lower() in reserved or uses.setdefault(name.lower(), use) != use:
            raise BadName(f"no {role} can be called {name}: the store has such a column already")
