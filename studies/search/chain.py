"""Run the chains of studies of models, each stage from the winner of the one before."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from optuna import Study, create_study
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from sqlalchemy import Engine

from studies.certainty import certainty
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.experiment.study import GridStudy, chain, grid_study
from studies.experiment.training import Parameters
from studies.search.adoption import undeleted
from studies.search.driver import Driver
from studies.search.grid_sampler import Grid
from studies.search.protocol import as_json, stored_protocol
from studies.search.provenance import study_attributes
from studies.search.rounds import Round
from studies.search.stage import cells_of, stage_studies, winner

DESCRIPTIVE = ("guessing", "models", "published", "factors", "no_better", "parent", "reason")
"""Attributes of a study that decide no training."""


def run_chains(driver: Driver, experiment: Experiment, models: Sequence[str]) -> None:
    """Complete the stages of models, side by side; what is complete already is left as it is.

    A chain stops after a stage with failed cells, as its winner is not certain; `driver.failed` has
    these cells. Raises StoreError where a study is deleted meanwhile.
    """
    with undeleted(driver.store) as used:
        first_jobs = [driver.first_jobs.get(model) for model in models]
        driver.run((_rounds(driver, experiment, model, used) for model in models), first_jobs)


def _rounds(driver: Driver, experiment: Experiment, model: str, used: list[str]) -> Iterator[Round]:
    """Yield what can be trained of a model; add the names of its studies to `used`."""
    parent: dict[str, Any] | None = None
    won: Parameters | None = None
    engine = driver.store.engine
    for name in chain(experiment, model):
        studies: list[GridStudy] = []
        for grid in stage_studies(engine, grid_study(experiment, model, name, won)):
            studies.append(grid)
            used.append(grid.study_name)
            study = open_study(driver, grid, grid.parent or parent)
            yield from driver.rounds(grid, study)
            best = None if grid.is_rerun else winner(engine, studies)
            driver.lock.check()
            if best is not None:
                keep_certainty(engine, studies, study)
            if driver.notes is not None:
                driver.notes.complete(grid, study)
        if grid.is_rerun:
            return
        if best is None:
            driver.failed.append(f"{model} stops at {grid.name}: it has no certain winner")
            return
        parent = {"study": f"{experiment.name}/{model}/{best.stage}", "trial": best.number}
        won = best.parameters


def keep_certainty(engine: Engine, studies: Sequence[GridStudy], study: Study) -> None:
    """Keep with a complete search how sure its winner is, for views and typed reads.

    That is the winner of all studies of the stage so far; `study` is the last of them.
    """
    grid = studies[0]
    experiment = grid.experiment
    cells = cells_of(engine, studies)
    known = certainty(cells, grid.sign, experiment.rank_by, experiment.looks)
    assert known is not None
    stored = study.user_attrs
    for key, value in asdict(known).items():
        value = list(value) if isinstance(value, tuple) else value
        if key not in stored or stored[key] != value:
            study.set_user_attr(key, value)


def open_study(driver: Driver, grid: GridStudy, parent: Mapping[str, Any] | None = None) -> Study:
    """Create or load the study of a stage, with all that people and reports read of it.

    `parent` names the study and the trial that it starts from. Raises UsageError where it was made
    with another grid.
    """
    study = create_study(
        study_name=grid.study_name,
        storage=driver.store.optuna,
        sampler=Grid(grid.grid, grid.only),
        direction=StudyDirection.MAXIMIZE if grid.sign > 0 else StudyDirection.MINIMIZE,
        load_if_exists=True,
    )
    attributes = {**study_attributes(grid, driver.data), "parent": parent}
    stored = study.user_attrs
    for key in ("grid", "cells"):
        searched = stored.get(key, attributes[key])
        if as_json(searched) != as_json(attributes[key]):
            raise UsageError(
                f"{grid.study_name} was searched over {searched}, not {attributes[key]}: give this "
                "experiment a name of its own with --experiment"
            )
    if "grid" not in stored and "protocol" in stored:
        # An older version's: from now on it has all settings.
        protocol = stored_protocol(grid.experiment, stored, attributes["protocol"])
        study.set_user_attr("protocol", protocol)
    # A run that was killed may have left some out. Those of the first run stay, but for those
    # that only reports read, which people correct.
    for key, value in attributes.items():
        is_new = key not in stored or (key in DESCRIPTIVE and stored[key] != value)
        if is_new and (value is not None or key in stored):
            study.set_user_attr(key, value)
    if study.metric_names is None:
        with warnings.catch_warnings():
            # Optuna calls this experimental since 3.2; the pin on 5.0 keeps it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([grid.metric])
    return study
