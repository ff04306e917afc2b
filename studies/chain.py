"""Run the chain of studies of a model, each stage from the winner of the one before."""

import warnings
from typing import Any

from optuna import Study, create_study, load_study
from optuna.exceptions import ExperimentalWarning
from optuna.study import StudyDirection
from optuna.trial import TrialState

from digitcmp.models import MODELS
from digitcmp.training import Hyperparameters
from storage.store import Store
from studies.driver import Driver
from studies.errors import UsageError
from studies.grid import Grid, fail_unfinished
from studies.paper import GUESSING
from studies.protocol import Protocol, differences
from studies.provenance import provenance
from studies.racing import pruner
from studies.records import Data
from studies.stages import Stage, chain, make_stage, start
from studies.winners import winner


def check_protocol(store: Store, experiment: str, protocol: Protocol, data: Data) -> None:
    """Raise UsageError where a study of the experiment, of any model, follows another protocol."""
    asked = protocol.stored(data.sha256)
    for study in store.optuna.get_all_studies():
        is_part = study.study_name.startswith(f"{experiment}/")
        stored = study.user_attrs.get("protocol") if is_part else None
        if stored is not None and (found := list(differences(stored, asked))):
            raise UsageError(
                f"{study.study_name} follows another protocol ({'; '.join(found)}): give this one "
                "a name of its own with --experiment, or ask for the stored settings"
            )


def run_chain(driver: Driver, experiment: str, model: str, protocol: Protocol) -> None:
    """Complete the stages of a model; what is complete already is left as it is.

    Stops after a stage with failed cells, as its winner is not certain. The driver knows them.
    """
    before: Stage | None = None
    won = start(model, protocol)
    for name in chain(model, protocol):
        if before is not None:
            won = winner(driver.store.engine, before)
            if won is None:
                driver.failed.append(f"{model} stops at {before.name}: it has no certain winner")
                return
        stage = make_stage(experiment, model, name, protocol, won)
        study = open_study(driver, stage, before, won)
        fail_unfinished(study)
        driver.run(stage, study)
        if driver.board is not None:
            driver.lock.check()
            driver.board.complete(stage, study)
        before = stage


def open_study(
    driver: Driver, stage: Stage, before: Stage | None = None, won: Hyperparameters | None = None
) -> Study:
    """Create or load the study of a stage, with all that tells where it comes from."""
    study = create_study(
        study_name=stage.study_name,
        storage=driver.store.optuna,
        sampler=Grid(stage.search_space),
        pruner=pruner() if stage.is_race else None,
        direction=StudyDirection.MAXIMIZE,
        load_if_exists=True,
    )
    attributes: dict[str, Any] = {
        "experiment": stage.experiment,
        "model": stage.model,
        "stage": stage.name,
        "parameters": MODELS[stage.model].parameters,
        "guessing": GUESSING,
        "protocol": stage.protocol.stored(driver.data.sha256),
        "data": str(driver.data),
    }
    if before is not None and won is not None:
        attributes["parent"] = _parent(driver.store, before, won)
    # A run that was killed may have left some out; those of the first run stay.
    for key, value in (attributes | provenance()).items():
        if key not in study.user_attrs:
            study.set_user_attr(key, value)
    if study.metric_names is None:
        with warnings.catch_warnings():
            # Optuna calls this experimental since 3.2; the pin on 5.0 keeps it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([stage.metric])
    return study


def _parent(store: Store, before: Stage, won: Hyperparameters) -> dict[str, Any]:
    """The study and the trial that a stage starts from."""
    study = load_study(study_name=before.study_name, storage=store.optuna)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        if before.cell(trial.params).hyperparameters == won:
            return {"study": before.study_name, "trial": trial.number}
    raise LookupError(f"{before.study_name} has no trial of its winner")
