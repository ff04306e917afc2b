"""The whole report: every section in its place, the answer first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studies.figures import png
from studies.paper import PAPER
from studies.report import pictures
from studies.report.beside import beside_section
from studies.report.comparing import effects_section, pairs_section
from studies.report.effects import comparisons, effects
from studies.report.findings import findings
from studies.report.headline import MARKS, headline_table, settings_table
from studies.report.html import html_page
from studies.report.markdown import folded, listed, picture
from studies.report.replication import replication_section
from studies.report.results import ModelRun
from studies.report.searching import searches_section
from studies.report.statistics import RESAMPLES
from studies.report.trainings import csv_of, provenance_section, trainings_of

TITLE = "What weight sharing and an auxiliary loss do"

METHOD = (
    "± is the standard deviation (n-1) over reruns, on seeds that no search used. "
    "A seed fixes the pairs of digits, the initial weights and the shuffling, so models are "
    f"compared by seed. Intervals are BCa bootstrap intervals of {RESAMPLES:,} resamples of the "
    "seeds; with ten seeds they come out a little too narrow. They tell of the chance in seeds "
    "alone, not of the choice of the winner, and not of other data."
)


@dataclass(frozen=True)
class Report:
    """What is written, and what is said of it."""

    findings: Sequence[str]
    files: Mapping[str, bytes]


def compose(
    runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun], rows: Sequence[Mapping[str, Any]]
) -> Report:
    """Report on `runs`, of which `chosen` speak for their models; `rows` are all trainings."""
    changes, tests = effects(chosen), comparisons(chosen)
    said = findings(chosen, changes, tests)
    drawn = {name: png(figure) for name, figure in pictures.pictures(chosen, changes)}
    trainings = trainings_of(runs, rows)

    def shown(text: str, *names: str) -> list[str]:
        return [picture(text, name) for name in names if name in drawn]

    parts = [
        f"# {TITLE}",
        "\n".join(f"- {sentence}" for sentence in said),
        *incomplete(runs, chosen),
        "## Accuracy and time",
        headline_table(chosen),
        f"{MARKS} The paper's seconds were taken on another machine.{_mixture(chosen)}",
        *shown("Test accuracy of each model, the paper's beside it", pictures.ACCURACY),
        *shown("Seconds per training, the paper's beside them", pictures.SECONDS),
        *shown("Test accuracy against seconds per training", pictures.BOTH),
        "Their settings:",
        settings_table(chosen),
        "## At the paper's own settings",
        replication_section(runs, chosen),
        "## Effects of weight sharing and of the auxiliary loss",
        *shown("Effects on test accuracy, with intervals", pictures.ACCURACY_EFFECTS),
        *shown("Effects on training time, with intervals", pictures.SECONDS_EFFECTS),
        effects_section(changes),
        "## Pairs of models",
        pairs_section(tests),
        "## Searches",
        searches_section(chosen.values(), trainings),
        *_search_pictures(chosen),
    ]
    beside = beside_section(runs, trainings)
    if beside:
        parts += ["## Other ways", beside]
    parts += ["## How this was measured", METHOD, provenance_section(runs, trainings)]
    markdown = "\n\n".join(parts) + "\n"
    return Report(
        said,
        {
            **drawn,
            "training_runs.csv": csv_of(trainings),
            "report.md": markdown.encode(),
            "report.html": html_page(markdown, TITLE, drawn),
        },
    )


def incomplete(runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun]) -> list[str]:
    """Say what is missing of the models that have no complete run, and what is left aside."""
    said = []
    open_runs = [run for run in runs if run.model not in chosen and run.missing]
    if open_runs:
        text = "; ".join(
            f"{run.model} in {run.experiment} ({', '.join(run.missing)})" for run in open_runs
        )
        said.append(f"**Not complete, so left out**: {text}.")
    absent = [model for model in PAPER if all(run.model != model for run in runs)]
    if absent:
        said.append(f"**Not begun**: {listed(absent)}.")
    usual = {run.alike for run in chosen.values()}
    apart = dict.fromkeys(
        run.experiment for run in runs if not run.missing and run.alike not in usual
    )
    if apart:
        said.append(
            f"**Trained otherwise, so not mixed in**: {', '.join(apart)} (another "
            "auxiliary loss, other epochs, pairs or data)."
        )
    return said


def _mixture(chosen: Mapping[str, ModelRun]) -> str:
    """Say what differs between the experiments that the rows come from."""
    protocols = {run.experiment: run.protocol for run in chosen.values()}
    (first, usual), *others = protocols.items()
    said = ""
    for name, protocol in others:
        differing = [
            f"{field} {protocol.get(field)} instead of {usual.get(field)}"
            for field in sorted(protocol.keys() | usual.keys())
            if protocol.get(field) != usual.get(field)
        ]
        said += f" Experiment `{name}` differs from `{first}` in {', '.join(differing) or 'name'}."
    return said


def _search_pictures(chosen: Mapping[str, ModelRun]) -> list[str]:
    return [
        folded(
            f"{run.model}: figures of its search",
            "\n\n".join(
                picture(f"{run.model}, {stage}", pictures.search_name(run, stage))
                for stage in run.searches
            ),
        )
        for run in chosen.values()
        if run.searches
    ]
