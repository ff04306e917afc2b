"""Which hyper-parameters, settings and numbers `training_runs` holds: every experiment's own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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

RESERVED = frozenset(FIXED) | {
    *("experiment", "stage", "parameters", "runs", "state", "dead", "reruns", "rerun_of"),
    *("mean_train_seconds", "std_train_seconds"),
}
"""Names of columns that no parameter, setting or number can have."""

_LONGEST = 58
"""Bytes of a name: PostgreSQL cuts names after 63, and views put `mean_` before some."""

_ROLE_AFTER = {"model": "parameter", "seed": "setting", "status": "number", "started_at": "setting"}
"""Which role the columns have that follow one of every store, in files and older tables."""

Wanted = Mapping[tuple[str, str], str]
"""Kinds of columns by role and name."""


@dataclass(frozen=True)
class Columns:
    """The registered columns, in the order of their first appearance."""

    kinds: Wanted

    def names(self, role: str) -> dict[str, str]:
        """Return the kinds of the columns of a role, by name."""
        return {name: kind for (its_role, name), kind in self.kinds.items() if its_role == role}

    @property
    def objectives(self) -> list[str]:
        """The objectives of all experiments; `accuracy` while there is none."""
        return list(self.names("objective")) or ["accuracy"]

    @cached_property
    def _converters(self) -> dict[str, dict[str, Callable[[Any], Any]]]:
        return {
            role: {name: _PYTHON[kind] for name, kind in self.names(role).items()} for role in ROLES
        }

    def values(self, role: str, row: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the values of a role in a row that are not NULL, each as its column's type."""
        return {
            name: convert(row[name])
            for name, convert in self._converters[role].items()
            if row.get(name) is not None
        }

    def lacking(self, wanted: Wanted) -> dict[tuple[str, str], str]:
        """Return the columns that are missing or too narrow, with the kinds that they need."""
        # A setting of one experiment may be a parameter of another: they share a column.
        kinds: dict[str, str] = {}
        for (_, name), kind in (*self.kinds.items(), *wanted.items()):
            kinds[name] = widest([kind, kinds.get(name, kind)])
        return {key: kinds[key[1]] for key in wanted if self.kinds.get(key) != kinds[key[1]]}


def widest(kinds: Iterable[str]) -> str:
    """Return the narrowest kind that holds all values of some kinds."""
    return max(kinds, key=list(TYPES).index)


def kind_of(values: Iterable[Value | None]) -> str:
    """Return the kind of a column that holds the values."""
    kinds = ["integer"]
    for value in values:
        kinds += ["word"] * isinstance(value, str) + ["number"] * isinstance(value, float)
    return widest(kinds)


def roles_by_place(header: Iterable[str]) -> dict[str, str]:
    """Return the roles of the columns that not every store has, by name.

    Raises `BadName` for one without a role.
    """
    roles: dict[str, str] = {}
    role = None
    for name in header:
        if name in FIXED or name == "rerun_of":
            role = _ROLE_AFTER.get(name)
        elif role is None or name in roles:
            raise BadName(f"{name} has no place among columns of trainings")
        else:
            roles[name] = role
    return roles


def read_columns(connection: Connection) -> Columns:
    """Return the registered columns."""
    rows = connection.execute(text("select role, name, kind from training_columns order by place"))
    return Columns({(row.role, row.name): row.kind for row in rows})


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
