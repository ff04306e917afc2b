"""The whole report: every section in its place, the answer first."""

from collections.abc import Mapping, Sequence

from storage.trainings import TrainingRun
from studies.display.markdown import bullets, document
from studies.display.words import listed
from studies.figures import Format
from studies.report.choice import incomplete
from studies.report.contrasts import Pairs, comparisons, pairs_section
from studies.report.convergence import convergence_section
from studies.report.effects import Effects, effects_section, treatments
from studies.report.findings import findings
from studies.report.headline import headline_section
from studies.report.latex import latex_tables
from studies.report.page import Pictures, html_page
from studies.report.replication import replication_section
from studies.report.runs import ModelRun
from studies.report.searches import searches_section
from studies.report.settings import settings_section
from studies.report.trainings import csv_of, provenance_section, trainings_of


def compose(
    runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun], known: Sequence[TrainingRun],
    figures: Format = "png", has_latex: bool = False,
) -> tuple[list[str], dict[str, bytes]]:  # fmt: skip
    """Report on `runs`, of which `chosen` speak for their models; `known` are all trainings.

    Return the findings, and the files by name, the figures also as `figures` says. A section yields
    paragraphs, its title first.
    """
    names = treatments(chosen)
    effects, pairs = Effects.of(chosen), Pairs.of(comparisons(chosen), "objective")
    sentences = list(findings(chosen, effects, pairs))
    trainings = trainings_of(runs, known)
    objective = next(iter(chosen.values())).objective
    if names:
        title = f"What {listed(names)} {'does' if len(names) == 1 else 'do'}"
    else:
        title = f"Results of {listed(list(dict.fromkeys(run.experiment for run in runs)))}"
    pictures = Pictures(figures)
    values = [rerun.value or 0.0 for run in chosen.values() for rerun in run.measured]
    is_fraction = min(values) >= 0 and max(values) <= 1
    paragraphs = [
        f"# {title}",
        bullets(sentences),
        *incomplete(runs, chosen),
        *headline_section(chosen, objective, pictures),
        *replication_section(runs, chosen),
        *(effects_section(effects, names, objective, is_fraction, pictures) if names else ()),
        *(pairs_section(pairs.contrasts, objective) if len(chosen) > 1 else ()),
        *searches_section(chosen.values(), trainings, pictures),
        *convergence_section(chosen.values(), trainings, pictures),
        *settings_section(runs, trainings),
        *provenance_section(runs, trainings),
    ]
    markdown = document(paragraphs) + "\n"
    return sentences, {
        **pictures,
        "training_runs.csv": csv_of(runs, known),
        "report.md": markdown.encode(),
        "report.html": html_page(markdown, title, pictures),
        **({"tables.tex": latex_tables(chosen)} if has_latex else {}),
    }
