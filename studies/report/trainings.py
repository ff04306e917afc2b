"""The trainings behind a report, and where its results come from."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from storage.schema import COLUMNS
from studies.report.markdown import escaped
from studies.report.results import KEY, RERUN, ModelRun
from studies.wording import duration

HIDDEN = ("learning_rates", "batch_sizes", "alphas")
"""Lists in a protocol that the searches show."""


def trainings_of(
    runs: Iterable[ModelRun], rows: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows of `training_runs` that the runs rest on, each once.

    One more column, `rerun_of`, names the study of a rerun and is None for a search's training,
    which studies may share.
    """
    reruns: dict[str | None, str] = {}
    searched: dict[tuple[Any, ...], int] = {}
    for run in runs:
        name = f"{run.experiment}/{run.model}/{RERUN}"
        reruns |= {each.fingerprint: name for each in run.reruns}
        for cell in (cell for cells in run.cells.values() for cell in cells):
            for key in run.rows_of(cell):
                searched[key] = max(searched.get(key, 0), run.protocol.get("repeats", 0))
    return list(_marked(rows, reruns, searched))


def _marked(
    rows: Iterable[Mapping[str, Any]],
    reruns: Mapping[str | None, str],
    searched: Mapping[tuple[Any, ...], int],
) -> Iterator[dict[str, Any]]:
    for row in rows:
        study = reruns.get(row["fingerprint"])
        repeats = searched.get(tuple(row[name] for name in KEY), 0)
        if study is not None or row["seed"] < repeats:
            yield {**row, "rerun_of": study}


def csv_of(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The rows as a table: the columns of `training_runs` in their order, then `rerun_of`."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, [*COLUMNS, "rerun_of"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def provenance_section(runs: Sequence[ModelRun], rows: Sequence[Mapping[str, Any]]) -> str:
    """Where the results come from, by experiment, and what they cost."""
    experiments = list(dict.fromkeys(run.experiment for run in runs))
    parts = []
    for name in experiments:
        of_one = [run for run in runs if run.experiment == name]
        facts = _facts(of_one, trainings_of(of_one, rows))
        lines = [f"- {fact}: {escaped(value)}" for fact, value in facts.items()]
        parts += [f"### {escaped(name)}", "\n".join(lines)]
    total = _cost(trainings_of(runs, rows))
    return "\n\n".join(
        [
            *parts,
            f"In all, each training counted once: {total['trainings']} trainings, "
            f"{total['processor time']} of processor time. Experiments share the trainings of "
            "their searches. Times of a search's trainings were taken while others ran beside.",
        ]
    )


def _facts(runs: Sequence[ModelRun], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    protocol = {k: v for k, v in runs[0].protocol.items() if k not in HIDDEN}
    attributes = [study.attributes for run in runs for study in run.studies.values()]
    machines = [str(each.get("machine")) for each in attributes]
    return {
        "protocol": ", ".join(f"{name} {value}" for name, value in sorted(protocol.items())),
        "data": _distinct(str(each.get("data")) for each in attributes),
        "versions": _distinct(
            ", ".join(f"{name} {number}" for name, number in each.get("versions", {}).items())
            for each in attributes
        ),
        "driver's machine": _distinct(machines),
        "git commit": _distinct(str(each.get("git_commit")) for each in attributes),
        "workers' hosts": _distinct(row["host"] for row in rows),
        "begun": min((row["started_at"] for row in rows), default="-"),
        "last training begun": max((row["started_at"] for row in rows), default="-"),
        **_cost(rows),
    }


def _cost(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        "trainings": f"{len(rows):,}",
        "processor time": duration(sum(row["cpu_seconds"] for row in rows)),
        "wall time of all trainings": duration(sum(row["train_seconds"] for row in rows)),
    }


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "-"
