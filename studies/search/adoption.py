"""Protect a run from what others do to studies under its names: make them, or delete them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    check_distribution_compatibility,
    json_to_distribution,
)
from optuna.storages._rdb.models import NOT_FOUND_MSG
from optuna.study._frozen import FrozenStudy

from storage.errors import StoreError
from storage.queries import drawn_parameters
from storage.store import Store
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy, chain, grid_study
from studies.search.grid_sampler import distribution, foreign
from studies.search.provenance import Data, study_attributes

NAMES = ("experiment", "model", "stage")
SAME = (*NAMES, "objective", "direction")
"""Attributes that must be equal to the experiment's, where a study has them."""


def labelled(attributes: Mapping[str, Any]) -> str:
    """Return what a study with these attributes is called."""
    return "/".join(str(attributes.get(key)) for key in NAMES)


def check_studies(
    store: Store, studies: Iterable[FrozenStudy], experiment: Experiment, data: Data
) -> None:
    """Raise UsageError where a stored study has a name of the experiment's, but does not fit it."""
    grids = {
        grid.study_name: grid for model in experiment.models for grid in _grids(experiment, model)
    }
    drawn = drawn_parameters(store.engine)
    for study in studies:
        grid = grids.get(study.study_name)
        if grid is not None:
            for reason in _reasons(study, grid, data, drawn.get(study.study_name, {})):
                raise UsageError(foreign(study.study_name, reason))


def _grids(experiment: Experiment, model: str) -> Iterator[GridStudy]:
    """Yield the studies of a chain, each at the first cell of the one before, and further ones."""
    chosen = None
    for name in chain(experiment, model):
        grid = grid_study(experiment, model, name, chosen)
        chosen = {parameter: values[0] for parameter, values in grid.grid.items()}
        yield grid
        if not grid.is_rerun:
            for number in range(1, experiment.extend + 1):
                yield replace(grid, name=f"{name}+{number}", extension=number)
            for number, repeats in enumerate(experiment.rounds, 1):
                yield replace(grid, name=f"{name}@{repeats}", extension=number, repeats=repeats)


def _reasons(
    study: FrozenStudy, grid: GridStudy, data: Data, drawn: Mapping[str, set[str]]
) -> Iterator[str]:
    """Yield what is wrong with a study; an empty one is what a driver that was killed leaves."""
    stored, asked = study.user_attrs, study_attributes(grid, data)
    directions = [direction.name.lower() for direction in study.directions]
    if directions != [grid.experiment.direction]:
        yield f"is to {' and '.join(directions)}, not to {grid.experiment.direction}"
    for key, value in {**asked, "parent": {}}.items():
        if key not in stored or not isinstance(value, str | list | dict):
            continue
        if type(stored[key]) is not type(value) or (key in SAME and stored[key] != value):
            yield f"has the attribute {key} {json.dumps(stored[key]):.60}"
    if drawn and not {*NAMES, "protocol"} <= stored.keys():
        yield "has trials, but not the attributes of a run"
    for name, distributions in drawn.items():
        for text in distributions:
            if name in grid.grid and not _fits(text, distribution(grid.grid[name])):
                yield f"has trials with another kind of {name}"


def _fits(stored: str, asked: BaseDistribution) -> bool:
    """Return whether Optuna takes two distributions for those of one parameter."""
    known = json_to_distribution(stored)
    if isinstance(asked, CategoricalDistribution) and len(asked.choices) == 1:
        # It may be the word of another winner.
        return isinstance(known, CategoricalDistribution)
    try:
        check_distribution_compatibility(known, asked)
    except ValueError:
        return False
    return True


@contextmanager
def undeleted(store: Store) -> Iterator[list[str]]:
    """Raise StoreError where one of the studies used is deleted, in place of other errors."""
    used: list[str] = []
    error: Exception | None = None
    try:
        yield used
    except Exception as raised:
        if hasattr(type(raised), "exit_code"):
            raise
        error = raised
    there = {study.study_name for study in store.optuna.get_all_studies()}
    lost = [name for name in used if name not in there]
    # One that was made anew under its name lacks what was in it.
    if error is not None and error.args == (NOT_FOUND_MSG,):
        lost = lost or used
    if lost:
        raise StoreError(
            f"{lost[-1]} was deleted while this run used it: run again to go on"
        ) from error
    if error is not None:
        raise error
