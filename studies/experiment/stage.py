"""One stage of a chain: its name, and a grid of values for some parameters."""

import math
import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from storage.trainings import Value
from studies.display.errors import UsageError
from studies.experiment.beyond import MOST_WHOLE, Beyond

RERUN, JOINT = "rerun", "joint"
"""Names of stages that users do not define."""

MOST = 10_000
"""Values, cells, repeats or reruns: more than anyone can wait for would fill the memory."""

FURTHER_SEEDS = 10_000
"""The first seed of the repeats that settle a stage, beyond those of every cell. Reruns have the
seeds right after those of every cell: they must measure a winner on seeds that did not elect it."""


@dataclass(frozen=True, init=False)
class Stage:
    """One stage of the chain: a grid over some parameters, at the winner of the stage before.

    `Stage("size", max_depth=[4, 8], criterion=["gini", "entropy"])`: values are numbers or words.
    A single value is a fixed start, which a later stage may search. `beyond` says how parameters go
    on where `--extend` follows a winner beyond the grid; None: not at all. Raises UsageError.
    """

    name: str
    grid: Mapping[str, tuple[Value, ...]]
    beyond: Mapping[str, Beyond | None] = field(default_factory=dict)

    def __init__(
        self,
        name: str,
        /,
        *,
        beyond: Mapping[str, Beyond | None] | None = None,
        **grid: Iterable[Any],
    ) -> None:
        check_name("stage", name, 50)
        if name in (RERUN, JOINT):
            raise UsageError(f"no stage can be called {name}: every experiment may have it")
        if not grid:
            raise UsageError(f"stage {name} has no values: give Stage({name!r}, parameter=[...])")
        object.__setattr__(self, "name", name)
        checked = {parameter: grid_values(parameter, given) for parameter, given in grid.items()}
        object.__setattr__(self, "grid", checked)
        object.__setattr__(self, "beyond", {} if beyond is None else beyond)
        check_beyond(self)

    def with_grid(self, grid: Mapping[str, Iterable[Any]]) -> "Stage":
        """Return the stage with another grid over the same parameters."""
        return Stage(self.name, beyond=self.beyond, **grid)


def grid_values(
    parameter: str, given: Iterable[Any], others: Iterable[Value] = ()
) -> tuple[Value, ...]:
    """Return the values of a parameter in a grid; integers among fractions become fractions.

    So they do where the parameter has fractions in other grids: equal values must be the same
    everywhere, for trainings to be shared. Raises UsageError for what is no value.
    """
    if isinstance(given, str | Mapping | Set) or not isinstance(given, Iterable):
        raise UsageError(f"{parameter} needs a list of values, not {given!r}")
    taken = list(islice(given, MOST + 1))
    if len(taken) > MOST:
        raise UsageError(f"{parameter} has more than {MOST} values: give fewer")
    # NumPy's numbers become Python's.
    values = [value.item() if callable(getattr(value, "item", None)) else value for value in taken]
    if not values:
        raise UsageError(f"{parameter} has no values: give at least one")
    for value in values:
        if not is_value(value):
            raise UsageError(
                f"{parameter}: {value!r} is neither a finite number nor a word: write a "
                "word, and let train translate it"
            )
    if any(isinstance(value, float) for value in (*values, *others)):
        values = [value if isinstance(value, str) else float(value) for value in values]
    # As text: a store shows words and numbers in one column.
    if len({str(value) for value in values}) < len(values):
        raise UsageError(f"{parameter} has a value twice: {', '.join(map(str, values))}")
    return tuple(values)


def check_beyond(stage: Stage) -> None:
    """Raise UsageError where `beyond` names no parameter of the stage, or has another value."""
    if not isinstance(stage.beyond, Mapping):
        raise UsageError(
            f"beyond in stage {stage.name} is {stage.beyond!r}: give a mapping from parameters, "
            "such as {'depth': Beyond(factor=2)}"
        )
    for parameter, rule in stage.beyond.items():
        if parameter not in stage.grid:
            raise UsageError(f"stage {stage.name} has no parameter {parameter} that could go on")
        if rule is not None and not isinstance(rule, Beyond):
            raise UsageError(f"{parameter} goes on by a Beyond(...) or None, not by {rule!r}")


def is_value(value: object) -> bool:
    """Return whether a parameter or a setting may have a value: a finite number, or a word."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int) and not isinstance(value, bool):
        # Optuna and SQLite count so far in floats without a gap.
        return abs(value) <= MOST_WHOLE
    return isinstance(value, str) and value != ""


def check_name(kind: str, name: object, most: int, advice: str = "", more: str = "") -> None:
    """Raise UsageError for a name that cannot be part of a study's name."""
    if not isinstance(name, str) or not re.fullmatch(rf"[A-Za-z0-9._{more}-]{{1,{most}}}", name):
        signs = " ".join(["._", *more, "-"]).replace("._", ". _")
        raise UsageError(
            f"{name!r} names no {kind}: give up to {most} letters, digits or any of {signs}{advice}"
        )
