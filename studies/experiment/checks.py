"""Refuse experiments that make no sense, each in one sentence."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args, get_origin, get_type_hints

from storage.trainings import RESERVED
from studies.display.errors import UsageError
from studies.experiment.stage import FURTHER_SEEDS, MOST, Stage, check_name, is_value

if TYPE_CHECKING:
    from studies.experiment.definition import Experiment

FIRST_REPEATS = 3
"""Repeats that every cell of a race gets: as few as let a signed-rank test tell it from the leader.
The one-sided p-value of three pairs is at least 1/8."""

PROTOCOL = (
    "repeats", "reruns", "select_on", "search", "rank_by", "racing", "extend", "settle",
    "margin", "objective", "direction",
)  # fmt: skip
"""Fields of an experiment that its studies keep, beside settings and grids."""

MOST_FURTHER = 100
"""Further studies of a stage."""

_LONGEST = 50
"""Letters of a column: PostgreSQL cuts names after 63, and others are made of them."""


def check_fields(experiment: "Experiment") -> None:
    """Raise UsageError for a bad choice or number, or two that do not go together."""
    check_name("experiment", experiment.name, 100, " with --experiment", "+=,")
    for name, kind in get_type_hints(type(experiment)).items():
        known = get_args(kind)
        if get_origin(kind) is Literal and getattr(experiment, name) not in known:
            words = f"{', '.join(known[:-1])} or {known[-1]}"
            raise UsageError(
                f"{name.replace('_', '-')} must be {words}, not {getattr(experiment, name)}"
            )
    for name in ("repeats", "reruns"):
        number = getattr(experiment, name)
        if not isinstance(number, int) or not 1 <= number <= MOST:
            raise UsageError(f"{name} must be from 1 to {MOST}, not {number}")
    if experiment.rank_by == "lower-bound" and experiment.repeats < 2:
        raise UsageError("rank-by lower-bound needs at least 2 repeats, for their spread")
    if experiment.racing and experiment.repeats <= FIRST_REPEATS:
        raise UsageError(
            f"racing gives up a cell after {FIRST_REPEATS} repeats at the earliest: it needs "
            f"more of them, not {experiment.repeats}"
        )
    number = experiment.extend
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST_FURTHER:
        raise UsageError(f"extend must be from 0 to {MOST_FURTHER}, not {number}")
    _check_settling(experiment)
    if experiment.data is not None and not callable(experiment.data):
        raise UsageError("data must be a function that loads it, without arguments")
    deadline = experiment.deadline
    if deadline is not None and not (isinstance(deadline, int | float) and deadline > 0):
        raise UsageError(f"deadline must be a number of seconds above 0, not {deadline!r}")
    for model, published in experiment.published.items():
        unknown = set(getattr(published, "parameters", ["it"])) - set(experiment.parameters)
        if unknown:
            raise UsageError(f"what is published of {model} has no such parameter: {min(unknown)}")
    for model in experiment.models if experiment.search == "published" else ():
        if model not in experiment.published:
            raise UsageError(f"nothing is published of {model}, so it must be searched")


def _check_settling(experiment: "Experiment") -> None:
    """Raise UsageError for further repeats that are none, or whose seeds are those of reruns."""
    settle, margin, repeats = experiment.settle, experiment.margin, experiment.repeats
    if isinstance(settle, bool) or not isinstance(settle, int) or not 0 <= settle <= MOST:
        raise UsageError(f"settle must be from 0 to {MOST}, not {settle}")
    if 0 < settle <= repeats:
        raise UsageError(
            f"settle must be more than the {repeats} repeats that every cell gets, not {settle}"
        )
    is_number = isinstance(margin, int | float) and not isinstance(margin, bool)
    if not is_number or not 0 <= margin < math.inf:
        raise UsageError(f"margin must be a number from 0, not {margin}")
    if not settle and margin != type(experiment).margin:
        raise UsageError("margin has no meaning without settle: give --settle, too")
    if settle and experiment.rerun_seeds.stop > FURTHER_SEEDS:
        raise UsageError(
            f"settle has the seeds from {FURTHER_SEEDS} on, which {repeats} repeats and "
            f"{experiment.reruns} reruns use themselves: give fewer of them"
        )


def check_parts(experiment: "Experiment") -> None:
    """Raise UsageError for models and stages that are none, or whose names collide."""
    for part in ("models", "stages"):
        if not getattr(experiment, part):
            raise UsageError(f"experiment {experiment.name} has no {part}: give at least one")
    if not isinstance(experiment.models, Mapping):
        raise UsageError("models must be a mapping from names to functions")
    for model in experiment.models:
        check_name("model", model, 50)
        if model == "all":
            raise UsageError("no model can be called all: that stands for all of them")
    stages = experiment.stages
    if isinstance(stages, Stage) or not all(isinstance(stage, Stage) for stage in stages):
        raise UsageError("stages must be a list of Stage(name, parameter=[...])")
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two stages are called {name}: give one another name")
    cells = [math.prod(map(len, stage.grid.values())) for stage in stages]
    if experiment.search == "joint":
        cells = [math.prod(cells)]
    if max(cells) > MOST:
        raise UsageError(f"a grid has at most {MOST} cells, not {max(cells)}: give fewer values")
    searched: dict[str, str] = {}
    for stage in stages:
        for parameter, values in stage.grid.items():
            if parameter in searched:
                raise UsageError(
                    f"{parameter} is searched in stage {searched[parameter]} already, so "
                    f"stage {stage.name} cannot have values for it"
                )
            if len(values) > 1:
                searched[parameter] = stage.name


def check_columns(experiment: "Experiment") -> None:
    """Raise UsageError for names that cannot be columns of a store, beside each other."""
    objective = experiment.objective
    taken = dict.fromkeys(RESERVED, "is kept for the store")
    taken |= dict.fromkeys((f"mean_{objective}".lower(), f"std_{objective}".lower()), "is kept")
    # A study keeps the values of `rate` as `rates`.
    taken |= dict.fromkeys(("repeat", "rerun"), "is kept for the protocol")
    taken["validation"] = "is the objective on other data"
    _take("objective", objective, taken, "is the objective")
    taken[f"validation_{objective}".lower()] = "is the objective on other data"
    for name, value in experiment.settings.items():
        if not is_value(value):
            raise UsageError(f"setting {name}: {value!r} is neither a finite number nor a word")
        if name in PROTOCOL:
            raise UsageError(f"no setting can be called {name}: that is a field of its own")
        taken |= dict.fromkeys((name.lower(), name.lower().removesuffix("s")), "is a setting")
    for parameter in experiment.parameters:
        other = "is another parameter's, but for upper and lower case"
        _take("parameter", parameter, taken, other)


def check_setting_columns(experiment: "Experiment") -> None:
    """Raise UsageError for settings that cannot be columns of a store."""
    taken = dict.fromkeys(RESERVED, "is kept for the store")
    for name in experiment.settings:
        _take("setting", name, taken, "is another setting's, but for upper and lower case")


def _take(kind: str, name: str, taken: dict[str, str], use: str) -> None:
    if not isinstance(name, str) or not name.isidentifier() or len(name.encode()) > _LONGEST:
        raise UsageError(f"{name!r} names no {kind}: give a Python name of up to {_LONGEST} signs")
    if name.lower() in taken:
        raise UsageError(f"no {kind} can be called {name}: that {taken[name.lower()]}")
    taken[name.lower()] = use
