"""Whether the stored studies of an experiment follow the protocol that is asked for."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from storage.store import Store
from studies.display.errors import UsageError
from studies.experiment.definition import Experiment
from studies.experiment.study import chain
from studies.search.adoption import check_studies, labelled
from studies.search.provenance import Data


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
    known = stored_protocol(experiment, attributes, asked)
    for name in sorted(asked.keys() | known.keys()):
        if known.get(name) != asked.get(name):
            yield f"{name}: stored {known.get(name)}, asked {asked.get(name)}"
    for stage in experiment.stages:
        grid = attributes.get("grid", {}) if stage.name == attributes.get("stage") else {}
        for name, values in stage.grid.items():
            if name in grid and as_json(grid[name]) != as_json(values):
                yield f"{name} in {stage.name}: stored {grid[name]}, asked {list(values)}"
    # Other experiments of this name may have other models.
    model = attributes.get("model", "")
    if model in experiment.models:
        stages = list(chain(experiment, model))
        if attributes.get("stages", stages) != stages:
            yield f"stages: stored {attributes['stages']}, asked {stages}"
        if attributes.get("code") not in (None, experiment.training(model).code):
            yield "its training function has changed"


def stored_protocol(
    experiment: Experiment, attributes: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the protocol of a study.

    What a study of an older version did not store has its default, or what `older` names.
    """
    fields = {name: getattr(Experiment, name) for name in asked if hasattr(Experiment, name)}
    known = {**fields, **experiment.older, **attributes["protocol"]}
    return known if "grid" in attributes else {name: known.get(name, asked[name]) for name in asked}


def as_json(value: Any) -> str:
    """Return a value as text in which 1 and 1.0 differ, as they do for Optuna."""
    return json.dumps(value)
