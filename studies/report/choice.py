"""Which runs of models are reported, and which of them speak for their model."""

import difflib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from storage import measurements
from storage.measurements import RankedCell, Rerun, StudyAttributes
from studies.errors import UsageError
from studies.paper import PAPER
from studies.report.results import ModelRun


def model_runs(engine: Engine) -> list[ModelRun]:
    """Return all that a store holds, by experiment and in the paper's order.

    First come experiments that choose as the paper does, among these those with its auxiliary loss.

    Raises `StoreError`.
    """
    studies: dict[tuple[str, str], dict[str, StudyAttributes]] = defaultdict(dict)
    cells: dict[tuple[str, str], dict[str, list[RankedCell]]] = defaultdict(dict)
    reruns: dict[tuple[str, str], list[Rerun]] = defaultdict(list)
    for study in measurements.studies(engine):
        studies[study.experiment, study.model][study.stage] = study
    for cell in measurements.ranked_cells(engine):
        cells[cell.experiment, cell.model].setdefault(cell.stage, []).append(cell)
    for rerun in measurements.reruns(engine):
        reruns[rerun.experiment, rerun.model].append(rerun)
    order = list(PAPER)
    runs = [
        ModelRun(*key, by_stage, cells[key], reruns[key])
        for key, by_stage in studies.items()
        if key[1] in PAPER
    ]
    variants = {run.experiment for run in runs if run.is_variant}

    def place(run: ModelRun) -> tuple[bool, bool, bool, str, int]:
        name, is_other_loss = run.experiment, run.protocol["auxiliary"] != "softmax"
        return name in variants, is_other_loss, name != "paper", name, order.index(run.model)

    return sorted(runs, key=place)


def asked_for(runs: Sequence[ModelRun], experiments: Sequence[str]) -> list[ModelRun]:
    """Return the runs of some experiments in the order they are named in; of none named, all.

    Raises UsageError for an experiment that is not there.
    """
    known = list(dict.fromkeys(run.experiment for run in runs))
    for name in experiments:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
            hint = f"did you mean {nearest[0]}?" if nearest else "the store has none"
            raise UsageError(f"no experiment is called {name!r}: {hint}")
    wanted = list(dict.fromkeys(experiments)) or known
    return [run for name in wanted for run in runs if run.experiment == name]


def headline(runs: Sequence[ModelRun]) -> dict[str, ModelRun]:
    """Return one complete run for each model, in the paper's order: the first there is.

    All of them trained alike, as often and on the same data as the first complete run.
    """
    complete = [run for run in runs if not run.missing]
    alike = [run for run in complete if run.alike == complete[0].alike]
    first: Mapping[str, ModelRun] = {run.model: run for run in reversed(alike)}
    return {model: first[model] for model in PAPER if model in first}
