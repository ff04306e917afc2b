"""Run the chain of studies of a model, each stage from the winner of the one before."""

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from optuna import Study, create_study
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection

from storage.store import Store
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy, chain, grid_study
from studies.experiment.training import Parameters
from studies.search.adoption import check_studies, labelled, undeleted
from studies.search.driver import Driver
from studies.search.grid_sampler import Grid
from studies.search.plan import winner
from studies.search.provenance import Data, study_attributes

DESCRIPTIVE = ("guessing", "models", "published", "factors", "no_better", "parent")
"""Attributes of a study that decide no training."""


def check_protocol(store: Store, experiment: Experiment, data: Data) -> None:
    """Raise UsageError where a stored study of the experiment, of any model, disagrees with it."""
    studies = store.optuna.get_all_studies()
    check_studies(store, studies, experiment, data)
    asked = experiment.protocol(data.sha256)
    for study in studies:
        # One of another name is a copy, or somebody else's.
        if not study.study_name.startswith(f"{experiment.name}/") or (
            "stage" in study.user_attrs and labelled(study.user_attrs) != study.study_name
        ):
            continue
        disagreements = list(_disagreements(experiment, study.user_attrs, asked))
        if disagreements:
            raise UsageError(
                f"{study.study_name} follows another protocol ({'; '.join(disagreements)}): give "
                "this one a name of its own with --experiment, or go back to what is stored"
            )


def _disagreements(
    experiment: Experiment, attributes: Mapping[str, Any], asked: Mapping[str, Any]
) -> Iterator[str]:
    """Yield where a stored study disagrees with an experiment, a setting at a time."""
    if not isinstance(attributes.get("protocol"), dict):
        return
    known = _stored_protocol(experiment, attributes, asked)
    for name in sorted(asked.keys() | known.keys()):
        if known.get(name) != asked.get(name):
            yield f"{name}: stored {known.get(name)}, asked {asked.get(name)}"
    for stage in experiment.stages:
        grid = attributes.get("grid", {}) if stage.name == attributes.get("stage") else {}
        for name, values in stage.grid.items():
            if name in grid and _json(grid[name]) != _json(values):
                yield f"{name} in {stage.name}: stored {grid[name]}, asked {list(values)}"
    # Other experiments of this name may have other models.
    model = attributes.get("model", "")
    if model in experiment.models:
        stages = list(chain(experiment, model))
        if attributes.get("stages", stages) != stages:
            yield f"stages: stored {attributes['stages']}, asked {stages}"
        if attributes.get("code") not in (None, experiment.training(model).code):
            yield "its training function has changed"


def _stored_protocol(
    experiment: Experiment, attributes: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the protocol of a study.

    What a study of an older version did not store has its default, or what `older` names.
    """
    fields = {name: getattr(Experiment, name) for name in asked if hasattr(Experiment, name)}
    known = {**fields, **experiment.older, **attributes["protocol"]}
    return known if "grid" in attributes else {name: known.get(name, asked[name]) for name in asked}


def _json(value: Any) -> str:
    """Return a value as text in which 1 and 1.0 differ, as they do for Optuna."""
    return json.dumps(value)


def run_chain(driver: Driver, experiment: Experiment, model: str) -> None:
    """Complete the stages of a model; what is complete already is left as it is.

    Stops after a stage with failed cells, as its winner is not certain. The driver knows them.
    """
    parent: dict[str, Any] | None = None
    won: Parameters | None = None
    with undeleted(driver.store) as used:
        for name in chain(experiment, model):
            grid = grid_study(experiment, model, name, won)
            used.append(grid.study_name)
            study = open_study(driver, grid, parent)
            driver.run(grid, study)
            if driver.board is not None:
                driver.lock.check()
                driver.board.complete(grid, study)
            if grid.is_rerun:
                return
            best = winner(driver.store.engine, grid)
            if best is None:
                driver.failed.append(f"{model} stops at {name}: it has no certain winner")
                return
            parent, won = {"study": grid.study_name, "trial": best.number}, best.parameters


def open_study(driver: Driver, grid: GridStudy, parent: Mapping[str, Any] | None = None) -> Study:
    """Create or load the study of a stage, with all that people and reports read of it.

    `parent` names the study and the trial that it starts from. Raises UsageError where it was made
    with another grid.
    """
    study = create_study(
        study_name=grid.study_name,
        storage=driver.store.optuna,
        sampler=Grid(grid.grid),
        direction=StudyDirection.MAXIMIZE if grid.sign > 0 else StudyDirection.MINIMIZE,
        load_if_exists=True,
    )
    attributes = {**study_attributes(grid, driver.data), "parent": parent}
    stored = study.user_attrs
    searched = stored.get("grid", attributes["grid"])
    if _json(searched) != _json(attributes["grid"]):
        raise UsageError(
            f"{grid.study_name} was searched over {searched}, not {attributes['grid']}: give this "
            "experiment a name of its own with --experiment"
        )
    if "grid" not in stored and "protocol" in stored:
        # An older version's: from now on it has all settings.
        protocol = _stored_protocol(grid.experiment, stored, attributes["protocol"])
        study.set_user_attr("protocol", protocol)
    # A run that was killed may have left some out; those of the first run stay, but for what only
    # reports read, which people mend.
    for key, value in attributes.items():
        is_new = key not in stored or (key in DESCRIPTIVE and stored[key] != value)
        if is_new and value is not None:
            study.set_user_attr(key, value)
    if study.metric_names is None:
        with warnings.catch_warnings():
            # Optuna calls this experimental since 3.2; the pin on 5.0 keeps it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([grid.metric])
    return study
