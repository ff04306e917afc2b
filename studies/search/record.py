"""Take trainings from the record, where they are what a cell asks for."""

import math
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine

from storage.errors import StoreError, place
from storage.trainings import TrainingRun, recorded
from studies.experiment.study import GridStudy
from studies.experiment.training import Parameters
from studies.search.provenance import Data


def runs_by_seed(
    engine: Engine,
    study: GridStudy,
    parameters: Parameters,
    data: Data,
    by_seed: Mapping[int, str],
) -> dict[int, TrainingRun]:
    """Return the recorded trainings of a cell that can rank it; the others are to be trained.

    `by_seed` are the fingerprints of the cell. Raises StoreError where a training is not what its
    fingerprint stands for.
    """
    cell = study.cell(parameters)
    stored = recorded(engine, by_seed.values())
    runs = {}
    for seed, fingerprint in by_seed.items():
        run = stored.get(fingerprint)
        if run is None or not can_rank(study, run):
            continue
        differences = "; ".join(_differences(study, cell.parameters, seed, data, run))
        if differences:
            raise StoreError(
                f"the training {fingerprint[:12]} in {place(engine.url)} is not what was asked for "
                f"({differences}): delete this row of training_runs, then run again to go on"
            )
        runs[seed] = run
    return runs


def can_rank(study: GridStudy, run: TrainingRun) -> bool:
    """Return whether a training has the number that ranks its cell, or diverged."""
    return run.status != "ok" or study.number in run.numbers


def _differences(
    study: GridStudy, parameters: Parameters, seed: int, data: Data, run: TrainingRun
) -> Iterator[str]:
    """Yield where a recorded training is another than the one asked for."""
    model, asked = study.recorded_as(parameters)
    # Older versions did not store all settings.
    settings = study.experiment.training(model).settings(asked)
    known = {name: value for name, value in settings.items() if name in run.settings}
    of_run = {name: run.settings[name] for name in known}
    stored: Mapping[str, object] = {
        "model": run.model, "seed": run.seed, **run.parameters, **of_run
    }  # fmt: skip
    wanted: Mapping[str, object] = {"model": model, "seed": seed, **asked, **known}
    for name in wanted.keys() | stored.keys():
        if not _is_same(stored.get(name), wanted.get(name)):
            yield f"{name}: stored {stored.get(name)}, asked {wanted.get(name)}"
    # Experiments may call the same data differently: the hash counts.
    labels = [label and label.rpartition(":")[2] for label in (run.data, data.label)]
    if labels[0] != labels[1]:
        yield f"data: stored {run.data}, asked {data.label}"


def _is_same(stored: object, asked: object) -> bool:
    """Return whether two values are the same, also where a column came to hold words."""
    if isinstance(stored, str) and isinstance(asked, int | float):
        try:
            return math.isclose(float(stored), asked, rel_tol=1e-9)
        except ValueError:
            return False
    return stored == asked
