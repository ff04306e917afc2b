"""Which runs of models are reported, and which one of a model stands in the tables."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine

from storage import queries
from storage.queries import RankedCell, Rerun, StudyAttributes, latest
from storage.trainings import training_runs
from studies.display.errors import UsageError
from studies.display.words import did_you_mean, listed
from studies.report.runs import USUAL, ModelRun

DATA = "data_sha256"
"""The field of a protocol that holds the hash of the data."""


def model_runs(engine: Engine) -> list[ModelRun]:
    """Return the runs of all models in a store, by experiment, models in their order.

    Experiments that choose their winners as usual come first, of these the ones with the fewest
    changes in their names, of these the first begun. Raises `StoreError`.
    """
    studies: dict[tuple[str, str], dict[str, StudyAttributes]] = defaultdict(dict)
    cells: dict[tuple[str, str], dict[str, list[RankedCell]]] = defaultdict(dict)
    reruns: dict[tuple[str, str], list[Rerun]] = defaultdict(list)
    for study in queries.studies(engine):
        studies[study.experiment, study.model][study.stage] = study
    for cell in queries.ranked_cells(engine):
        key = cell.experiment, cell.model
        # A study that goes on beyond a stage's grid is part of the stage.
        stage = cell.base if cell.base in studies[key] else cell.stage
        cells[key].setdefault(stage, []).append(cell)
    for key, of_stages in cells.items():
        cells[key] = {stage: latest(of_stage) for stage, of_stage in of_stages.items()}
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
    known = {run.fingerprint: run for run in training_runs(engine)}
    settings = {name for training in known.values() for name in training.settings}
    runs = [
        ModelRun(*key, by_stage, cells[key], reruns[key], tuple(names[key[0]]), known, settings)
        for key, by_stage in studies.items()
    ]
    order = model_order(runs)
    variants = {run.experiment for run in runs if not USUAL.items() <= run.protocol.items()}
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


def differences(run: ModelRun, other: ModelRun) -> list[str]:
    """Return the fields in which two protocols differ.

    A setting that only one of them has does not count where they search in different ways, as
    there it may have no meaning.
    """
    ours, theirs = run.protocol, other.protocol
    fields = ours.keys() | theirs.keys()
    if ours["search"] != theirs["search"]:
        fields = ours.keys() & theirs.keys()
    differing = sorted(name for name in fields if ours.get(name) != theirs.get(name))
    # A setting of trainings, such as which data are taken, decides the hash of the data.
    decided = any(_is_of_trainings(name, run, other) for name in differing if name != DATA)
    return [name for name in differing if name != DATA or not decided]


def trained_otherwise(run: ModelRun, other: ModelRun) -> list[str]:
    """Return the fields by which trainings differ so that they cannot share a table."""
    definitions = {run.attribute("definition"), other.attribute("definition")} - {None}
    return ["definition"] * (len(definitions) > 1) + [
        name for name in differences(run, other) if _is_of_trainings(name, run, other)
    ]


def _is_of_trainings(name: str, run: ModelRun, other: ModelRun) -> bool:
    """Return whether a field says how a model is trained: not how often, or what is searched."""
    is_grid = isinstance(run.protocol.get(name, other.protocol.get(name)), list)
    if name in (*USUAL, "repeats", "reruns") or is_grid:
        return False
    # Trainings are not recorded with a setting that shapes the search, or the data, alone.
    is_recorded = name in ("objective", "direction", *run.recorded_settings)
    return (
        is_recorded
        or not run.recorded_settings
        or run.protocol.get(DATA) != other.protocol.get(DATA)
    )


def headline(runs: Sequence[ModelRun]) -> dict[str, ModelRun]:
    """Return one complete run for each model, in the order of models: the first there is.

    All of them are trained alike, on the same data, as the first complete run.
    """
    complete = [run for run in runs if not run.missing]
    alike = [run for run in complete if not trained_otherwise(run, complete[0])]
    first: Mapping[str, ModelRun] = {run.model: run for run in reversed(alike)}
    return {model: first[model] for model in model_order(runs) if model in first}


def incomplete(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield sentences on models that have no complete run, and on what is left aside."""
    open_runs = [run for run in runs if run.model not in chosen and run.missing]
    if open_runs:
        text = "; ".join(
            f"{run.model} in {run.experiment} ({', '.join(run.missing)})" for run in open_runs
        )
        yield f"**Not complete, so left out**: {text}."
    begun = {run.model for run in runs}
    absent = [model for model in model_order(runs) if model not in begun]
    if absent:
        yield f"**Not begun**: {listed(absent)}."
    apart = {
        run.experiment: [other_way(field, run, first) for field in fields]
        for first in list(chosen.values())[:1]
        for run in runs
        if not run.missing and (fields := trained_otherwise(run, first))
    }
    if apart:
        text = "; ".join(f"{name} ({listed(fields)})" for name, fields in apart.items())
        yield f"**Trained otherwise, so not mixed in**: {text}."


def other_way(field: str, run: ModelRun, first: ModelRun) -> str:
    """Return in which way a run differs from another in a field: `epochs 9 instead of 25`."""
    if field == DATA:
        own = {name: run.protocol[name] for name in run.protocol.keys() - first.protocol.keys()}
        return f"other data{''.join(f', {name} {value}' for name, value in sorted(own.items()))}"
    if field not in run.protocol and field not in first.protocol:
        return f"another {field}"
    ways = [str(of.protocol.get(field, "the default")) for of in (run, first)]
    return f"{field} {' instead of '.join(ways)}"
