"""The trainings behind a report, and where its results come from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from storage.trainings import TrainingRun
from storage.trainings_file import as_csv
from studies.display.markdown import bullets
from studies.display.words import duration, value_text
from studies.experiment.stage import RERUN
from studies.report.runs import ModelRun

METHOD = (
    "± is the standard deviation (n-1) over reruns, on seeds that no search used. A seed fixes all "
    "that is random in a training, so models are compared by seed: intervals are Student's, of the "
    "differences by seed, or of the logarithms of ratios, and hold for all that a table shows at "
    "once with a probability of 95% (Šidák). They tell of the chance in seeds, not of that in the "
    "choice of the winner."
)


def trainings_of(runs: Iterable[ModelRun], known: Sequence[TrainingRun]) -> dict[str, TrainingRun]:
    """Return the trainings that the runs rest on, by fingerprint and in the order of the store."""
    wanted: set[str | None] = set()
    for run in runs:
        wanted |= {rerun.fingerprint for rerun in run.reruns}
        for cells in run.cells.values():
            wanted |= {name for cell in cells for name in cell.fingerprints}
    return {run.fingerprint: run for run in known if run.fingerprint in wanted}


def csv_of(runs: Sequence[ModelRun], known: Sequence[TrainingRun]) -> bytes:
    """Return the trainings that the runs rest on, as `storage.load` takes them."""
    studies = {
        str(rerun.fingerprint): f"{run.experiment}/{run.model}/{RERUN}"
        for run in runs
        for rerun in run.reruns
    }
    return as_csv(list(trainings_of(runs, known).values()), studies)


def provenance_section(
    runs: Sequence[ModelRun], trainings: Mapping[str, TrainingRun]
) -> Iterator[str]:
    """Yield how results were measured, where they come from, by experiment, and what they cost."""
    yield "## How this was measured"
    yield METHOD
    known = list(trainings.values())
    for name in dict.fromkeys(run.experiment for run in runs):
        its_runs = [run for run in runs if run.experiment == name]
        facts = _facts(its_runs, list(trainings_of(its_runs, known).values()))
        yield f"### {name}"
        yield bullets(f"{fact}: {value}" for fact, value in facts.items())
    total = _cost(known)
    yield (
        f"In all, each training counted once: {total['trainings']} trainings, "
        f"{total['processor time']} of processor time. Experiments share the trainings of "
        "their searches. Times of a search's trainings were taken while others ran beside."
    )


def _facts(runs: Sequence[ModelRun], trainings: Sequence[TrainingRun]) -> dict[str, str]:
    protocol = {k: v for k, v in runs[0].protocol.items() if not isinstance(v, list)}
    attributes = [study.attributes for run in runs for study in run.studies.values()]
    machines = [str(known.get("machine")) for known in attributes]
    started = [run.started_at for run in trainings]
    return {
        "protocol": ", ".join(f"{name} {value}" for name, value in sorted(protocol.items())),
        "grid": _grid(runs[0]),
        "data": _distinct(str(known["data"]) for known in attributes if known.get("data")),
        "versions": _distinct(
            ", ".join(f"{name} {number}" for name, number in known.get("versions", {}).items())
            for known in attributes
        ),
        "driver's machine": _distinct(machines),
        "git commit": _distinct(str(known.get("git_commit")) for known in attributes),
        "workers' hosts": _distinct(run.host for run in trainings),
        "begun": min(started, default="-"),
        "last training begun": max(started, default="-"),
        **_cost(trainings),
    }


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
