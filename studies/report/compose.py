"""The whole report: every section in its place, the answer first."""

from collections.abc import Mapping, Sequence

from studies.display.markdown import Markdown, bullets, document
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
from studies.report.settings import effects_on_other_grids, settings_section
from studies.report.trainings import csv_of, provenance_section

OPENING = (
    "Brackets hold 95% intervals. An effect is the difference between models that differ in "
    "nothing else: as a mean over all groups, then in each."
)

MORE = Markdown(
    "**More**, in [details.md](details.md): all pairs of models, the searches, convergence, other "
    "ways, and where the results come from."
)


def compose(
    runs: Sequence[ModelRun], chosen: Mapping[str, ModelRun], figures: Format = "png",
    has_latex: bool = False,
) -> tuple[list[str], dict[str, bytes]]:  # fmt: skip
    """Return the findings of the report on `runs`, and its files by name.

    `chosen` has the run of each model that is shown in the tables; `figures` is a further format of
    the figures. A section yields paragraphs, its title first.
    """
    names = treatments(chosen)
    effects, pairs = Effects.of(chosen), Pairs.of(comparisons(chosen), "objective")
    on_other_grids = list(effects_on_other_grids(runs, chosen))
    sentences = list(findings(chosen, effects, pairs, runs, on_other_grids))
    objective = next(iter(chosen.values())).objective
    if names:
        title = f"What {listed(names)} {'does' if len(names) == 1 else 'do'}"
    else:
        title = f"Results of {listed(list(dict.fromkeys(run.experiment for run in runs)))}"
    pictures = Pictures(figures)
    is_fraction = all(run.is_fraction for run in chosen.values())
    answer = [
        f"# {title}",
        *[OPENING] * bool(names),
        bullets(sentences),
        *incomplete(runs, chosen),
        *headline_section(chosen, objective, pictures),
        *(
            effects_section(effects, names, objective, is_fraction, pictures, on_other_grids)
            if names
            else ()
        ),
        *replication_section(runs, chosen),
    ]
    details = [
        *(pairs_section(pairs, objective) if len(chosen) > 1 else ()),
        *searches_section(chosen.values(), pictures),
        *convergence_section(chosen.values(), pictures),
        *settings_section(runs),
        *provenance_section(runs),
    ]
    return sentences, {
        **pictures,
        "training_runs.csv": csv_of(runs),
        "report.md": _file([*answer, MORE]),
        "details.md": _file([f"# {title}: details", *details]),
        "report.html": html_page(document([*answer, *details]), title, pictures),
        **({"tables.tex": latex_tables(chosen)} if has_latex else {}),
    }


def _file(paragraphs: Sequence[str]) -> bytes:
    return f"{document(paragraphs)}\n".encode()
