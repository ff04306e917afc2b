"""The whole report: every section in its place, the answer first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from storage.trainings import TrainingRun
from studies.display.words import listed
from studies.figures import (
    model_figures,
    objective_effects,
    png,
    search_figures,
    seconds_effects,
)
from studies.figures.effects import Row
from studies.report.choice import incomplete, mixture
from studies.report.effects import INTERACTION, Effect, effects, effects_section, treatments
from studies.report.findings import findings
from studies.report.headline import headline_table, marks, settings_table
from studies.report.page import folded, html_page, picture
from studies.report.pairs import comparisons, pairs_section
from studies.report.replication import replication_section
from studies.report.runs import ModelRun
from studies.report.searches import searches_section
from studies.report.settings import settings_section
from studies.report.statistics import RESAMPLES, Estimate
from studies.report.trainings import csv_of, provenance_section, trainings_of

METHOD = (
    "± is the standard deviation (n-1) over reruns, on seeds that no search used. "
    "A seed fixes all that is random in a training, so models are compared by seed. Intervals are "
    f"BCa bootstrap intervals of {RESAMPLES:,} resamples of the seeds; with ten seeds they come "
    "out a little too narrow. They tell of the chance in seeds alone, not of the choice of the "
    "winner, and not of other data."
)


@dataclass(frozen=True)
class Report:
    """What is written, and its findings."""

    findings: Sequence[str]
    files: Mapping[str, bytes]


def compose(
    runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun], known: Sequence[TrainingRun]
) -> Report:
    """Report on `runs`, of which `chosen` speak for their models; `known` are all trainings."""
    names = treatments(chosen)
    changes, tests = effects(chosen), comparisons(chosen)
    sentences = findings(chosen, names, changes, tests)
    drawn = {f"figures/{name}": png(figure) for name, figure in _figures(chosen, changes)}
    trainings = trainings_of(runs, known)
    objective = next(iter(chosen.values())).objective
    title = _title(runs, names)

    def shown(text: str, name: str) -> list[str]:
        file = f"figures/{name}.png"
        return [picture(text, file)] if file in drawn else []

    parts = [
        f"# {title}",
        "\n".join(f"- {sentence}" for sentence in sentences),
        *incomplete(runs, chosen),
        f"## {objective.capitalize()} and time",
        headline_table(chosen),
        f"{marks(list(chosen.values()))}{mixture(chosen)}",
        *shown(f"Test {objective} of each model", objective),
        *shown("Seconds per training", "seconds"),
        *shown(f"Test {objective} against seconds per training", f"{objective}-against-seconds"),
        "Their settings:",
        settings_table(chosen),
    ]
    if any(run.published for run in runs):
        parts += ["## At the published settings", replication_section(runs, chosen)]
    if names:
        parts += [
            f"## Effects of {listed(names)}",
            *shown(f"Effects on test {objective}, with intervals", f"effects-on-{objective}"),
            *shown("Effects on training time, with intervals", "effects-on-seconds"),
            effects_section(changes, names, objective),
        ]
    if len(chosen) > 1:
        parts += ["## Pairs of models", pairs_section(tests, objective)]
    parts += ["## Searches", searches_section(chosen.values(), trainings)]
    parts += _search_pictures(chosen.values(), drawn)
    beside = settings_section(runs, trainings)
    if beside:
        parts += ["## Other ways", beside]
    parts += ["## How this was measured", METHOD, provenance_section(runs, trainings)]
    markdown = "\n\n".join(parts) + "\n"
    files = {
        **drawn,
        "training_runs.csv": csv_of(runs, known),
        "report.md": markdown.encode(),
        "report.html": html_page(markdown, title, drawn),
    }
    return Report(sentences, files)


def _title(runs: Sequence[ModelRun], treatments: Sequence[str]) -> str:
    if treatments:
        return f"What {listed(treatments)} {'does' if len(treatments) == 1 else 'do'}"
    return f"Results of {listed(list(dict.fromkeys(run.experiment for run in runs)))}"


def _figures(
    runs: Mapping[str, ModelRun], changes: Sequence[Effect]
) -> Iterator[tuple[str, Figure]]:
    """Draw the results of `runs`, and their effects where there are any."""
    yield from model_figures([run.drawn for run in runs.values()])
    alone = [effect for effect in changes if effect.name != INTERACTION]
    if alone:
        objective = next(iter(runs.values())).objective
        rows = [_row(effect, effect.objective) for effect in alone]
        yield f"effects-on-{objective}.png", objective_effects(rows, objective)
    timed = [_row(effect, effect.seconds) for effect in alone if effect.seconds is not None]
    if timed:
        yield "effects-on-seconds.png", seconds_effects(timed)
    for run in runs.values():
        for stage in run.searches:
            cells = run.cells[stage]
            for name, figure in search_figures(run.search(stage), cells, cells[0]):
                yield f"{run.model}-{stage}-{name}", figure


def _row(effect: Effect, value: Estimate) -> Row:
    return Row(effect.group, effect.name, value.value, value.low, value.high)


def _search_pictures(runs: Iterable[ModelRun], drawn: Mapping[str, bytes]) -> Iterator[str]:
    for run in runs:
        files = {
            file: f"{run.model}, {stage}"
            for stage in run.searches
            for file in drawn
            if file.startswith(f"figures/{run.model}-{stage}-")
        }
        if files:
            content = "\n\n".join(picture(text, file) for file, text in files.items())
            yield folded(f"{run.model}: figures of its search", content)
