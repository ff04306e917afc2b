"""Which runs of models are reported, and which of them speak for their model."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine

from storage import queries
from storage.queries import RankedCell, Rerun, StudyAttributes
from studies.display.errors import UsageError
from studies.display.words import did_you_mean, listed
from studies.report.runs import ModelRun


def model_runs(engine: Engine) -> list[ModelRun]:
    """Return all that a store holds, by experiment, models in their order.

    First come experiments that choose their winners as usual, among these those whose names say
    that they differ least from another, then those that were begun first. Raises `StoreError`.
    """
    studies: dict[tuple[str, str], dict[str, StudyAttributes]] = defaultdict(dict)
    cells: dict[tuple[str, str], dict[str, list[RankedCell]]] = defaultdict(dict)
    reruns: dict[tuple[str, str], list[Rerun]] = defaultdict(list)
    for study in queries.studies(engine):
        studies[study.experiment, study.model][study.stage] = study
    for cell in queries.ranked_cells(engine):
        cells[cell.experiment, cell.model].setdefault(cell.stage, []).append(cell)
    for rerun in queries.reruns(engine):
        reruns[rerun.experiment, rerun.model].append(rerun)
    names: dict[str, dict[str, None]] = defaultdict(dict)
    for (experiment, model), by_stage in studies.items():
        published = [study.attributes.get("published") or {} for study in by_stage.values()]
        for parameters in (
            *(cell.parameters for group in cells[experiment, model].values() for cell in group),
            *(rerun.parameters for rerun in reruns[experiment, model]),
            *(result.get("parameters", {}) for result in published),
        ):
            names[experiment].update(dict.fromkeys(parameters))
    runs = [
        ModelRun(*key, by_stage, cells[key], reruns[key], tuple(names[key[0]]))
        for key, by_stage in studies.items()
    ]
    order = model_order(runs)
    variants = {run.experiment for run in runs if run.is_variant}
    begun = list(dict.fromkeys(run.experiment for run in runs))

    def place(run: ModelRun) -> tuple[bool, int, int, int]:
        name = run.experiment
        changes = name.count("+") + name.count(",")
        return name in variants, changes, begun.index(name), order.index(run.model)

    return sorted(runs, key=place)


def model_order(runs: Sequence[ModelRun]) -> list[str]:
    """Return all models of some runs: those that experiments name, in their order, then others."""
    named = [model for run in runs for model in run.attribute("models", [])]
    return list(dict.fromkeys([*named, *(run.model for run in runs)]))


def asked_for(runs: Sequence[ModelRun], experiments: Sequence[str]) -> list[ModelRun]:
    """Return the runs of some experiments in the order they are named in; of none named, all.

    Raises UsageError for an experiment that is not there.
    """
    known = list(dict.fromkeys(run.experiment for run in runs))
    for name in experiments:
        if name not in known:
            hint = did_you_mean(name, known) or "the store has none"
            raise UsageError(f"no experiment is called {name!r}: {hint}")
    wanted = list(dict.fromkeys(experiments)) or known
    return [run for name in wanted for run in runs if run.experiment == name]


def headline(runs: Sequence[ModelRun]) -> dict[str, ModelRun]:
    """Return one complete run for each model, in the order of models: the first there is.

    All of them are trained alike, on the same data, as the first complete run.
    """
    complete = [run for run in runs if not run.missing]
    alike = [run for run in complete if not run.trained_otherwise(complete[0])]
    first: Mapping[str, ModelRun] = {run.model: run for run in reversed(alike)}
    return {model: first[model] for model in model_order(runs) if model in first}


def incomplete(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> list[str]:
    """Return sentences on models that have no complete run, and on what is left aside."""
    sentences = []
    open_runs = [run for run in runs if run.model not in chosen and run.missing]
    if open_runs:
        text = "; ".join(
            f"{run.model} in {run.experiment} ({', '.join(run.missing)})" for run in open_runs
        )
        sentences.append(f"**Not complete, so left out**: {text}.")
    begun = {run.model for run in runs}
    absent = [model for model in model_order(runs) if model not in begun]
    if absent:
        sentences.append(f"**Not begun**: {listed(absent)}.")
    apart = {
        run.experiment: fields
        for run in runs
        for first in list(chosen.values())[:1]
        if not run.missing and (fields := run.trained_otherwise(first))
    }
    if apart:
        text = "; ".join(f"{name} (another {listed(fields)})" for name, fields in apart.items())
        sentences.append(f"**Trained otherwise, so not mixed in**: {text}.")
    return sentences


def mixture(chosen: Mapping[str, ModelRun]) -> str:
    """Return what differs between the experiments that the rows of a table come from."""
    first, *others = {run.experiment: run for run in chosen.values()}.values()
    text = ""
    for run in others:
        differing = [
            f"{name} {run.protocol.get(name)} instead of {first.protocol.get(name)}"
            for name in run.differences(first)
        ]
        text += (
            f" Experiment `{run.experiment}` differs from `{first.experiment}` in "
            f"{', '.join(differing) or 'name'}."
        )
    return text
