"""The trainings behind a report, and where its results come from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from storage.trainings import TrainingRun
from storage.trainings_file import as_csv
from studies.display.markdown import bullets
from studies.display.words import duration, value_text
from studies.experiment.stage import RERUN
from studies.report.runs import ModelRun


def trainings_of(runs: Sequence[ModelRun]) -> list[TrainingRun]:
    """Return the trainings that the runs of a store rest on, in its order."""
    wanted: set[str | None] = set()
    for run in runs:
        wanted |= {rerun.fingerprint for rerun in run.reruns}
        for cells in run.cells.values():
            wanted |= {name for cell in cells for name in cell.fingerprints}
    # Each run knows all trainings of the store.
    return [training for name, training in runs[0].trainings.items() if name in wanted]


def csv_of(runs: Sequence[ModelRun]) -> bytes:
    """Return the trainings that the runs rest on, as `storage.load` takes them."""
    studies = {
        str(rerun.fingerprint): f"{run.experiment}/{run.model}/{RERUN}"
        for run in runs
        for rerun in run.reruns
    }
    return as_csv(trainings_of(runs), studies)


def provenance_section(runs: Sequence[ModelRun]) -> Iterator[str]:
    """Yield where results come from, and what they cost: first what all experiments share."""
    yield "## Where the results come from"
    names = dict.fromkeys(run.experiment for run in runs)
    by_name = {name: _facts([run for run in runs if run.experiment == name]) for name in names}
    first = next(iter(by_name.values()))
    shared = {
        fact: value
        for fact, value in first.items()
        if all(facts.get(fact) == value for facts in by_name.values())
    }
    yield _listed(shared)
    if len(by_name) > 1:
        yield bullets(
            f"**{name}**: {_listed({f: value for f, value in facts.items() if f not in shared})}"
            for name, facts in by_name.items()
        )
    total = _cost(trainings_of(runs))
    yield (
        f"In all, each training counted once: {total['trainings']} trainings, "
        f"{total['processor time']} of processor time. Experiments share the trainings of "
        "their searches. Times of a search's trainings were taken while others ran beside."
    )


def _facts(runs: Sequence[ModelRun]) -> dict[str, str]:
    trainings = trainings_of(runs)
    protocol = {k: v for k, v in runs[0].protocol.items() if not isinstance(v, list)}
    attributes = [study.attributes for run in runs for study in run.studies.values()]
    machines = [str(known.get("machine")) for known in attributes]
    started = [run.started_at for run in trainings]
    return {
        **{name: str(value) for name, value in sorted(protocol.items())},
        "grid": _grid(runs[0]),
        "data": _distinct(str(known["data"]) for known in attributes if known.get("data")),
        "versions": _distinct(
            ", ".join(f"{name} {number}" for name, number in known.get("versions", {}).items())
            for known in attributes
        ),
        "driver's machine": _distinct(machines),
        "git commit": _distinct(run.git_commit or "not known" for run in trainings),
        "workers' hosts": _distinct(run.host for run in trainings),
        "processors": _distinct(run.processor or "not known" for run in trainings),
        "begun": min(started, default="-"),
        "last training begun": max(started, default="-"),
        **_cost(trainings),
    }


def _listed(facts: Mapping[str, str]) -> str:
    return "; ".join(f"{fact}: {value}" for fact, value in facts.items())


def _grid(run: ModelRun) -> str:
    """Return the values that an experiment searches: `rate 0.005, 0.001; depth 4, 8`."""
    grid = {name: run.protocol.get(f"{name}s") for name in run.names if run.searches}
    return (
        "; ".join(
            f"{name} {', '.join(map(value_text, values))}"
            for name, values in grid.items()
            if isinstance(values, list)
        )
        or "no search"
    )


def _cost(trainings: Sequence[TrainingRun]) -> dict[str, str]:
    return {
        "trainings": f"{len(trainings):,}",
        "processor time": duration(sum(run.cpu_seconds for run in trainings)),
        "wall time of all trainings": duration(sum(run.train_seconds for run in trainings)),
    }


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "-"
