"""What the dashboard shows of a study in words: its note, in Markdown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from storage.cells import DECIDED
from storage.queries import Certainty, GridCell, ModelResult
from storage.trainings import Value
from studies.display.certainty import sureness_sentence
from studies.display.markdown import Markdown, document, escaped, table
from studies.display.words import (
    cell_text,
    edges,
    measured_figures,
    plus_minus,
    published_figures,
    timing_remarks,
    value_text,
)
from studies.experiment.definition import Experiment
from studies.experiment.extension import open_axes
from studies.experiment.study import GridStudy

GAP = " | \u2003"
"""An em space between columns, as the dashboard draws none."""

TITLES = ("ours", "published")


def search_note(
    study: GridStudy,
    cells: Sequence[GridCell],
    best: GridCell | None,
    trial: str,
    start: str,
    certainty: Certainty | None = None,
) -> str:
    """Return the note of a search: what it does, how far it is, its best cell and a warning.

    `cells` are those of the study and of the earlier studies of its stage; `best` is the best of
    them. `trial` is a link to its trial, `start` a sentence on the parent study, both in
    Markdown; `certainty` is known of a complete search.
    """
    experiment = study.experiment
    sign = "less" if study.sign > 0 else "plus"
    middle = "median" if experiment.rank_by == "median" else "mean"
    bound = f", {sign} one standard error," if experiment.rank_by == "lower-bound" else ""
    verb, before = (
        ("Searches", "") if study.repeats is None else ("Settles", ", old ones among them")
    )
    own = [cell for cell in cells if cell.stage == study.name]
    states = Counter(cell.state for cell in own)
    done = sum(states[state] for state in DECIDED)
    losses = (("DIVERGED", "diverged"), ("PRUNED", "given up in the race"))
    lost = "".join(f", {states[key]} of them {text}" for key, text in losses if states[key])
    what = (
        f"{verb} {_grid(study)}. A cell is {study.trainings_per_cell} trainings{before}: their "
        f"{middle} {study.pairs} {experiment.objective}{bound} decides."
    )
    parts = [
        Markdown(escaped(what) + start),
        f"**{done} of {len(study)} cells done**{lost}.{_dead(experiment, own)} {_next(study)}",
    ]
    if best is None or best.mean is None:
        return document(parts)
    published = _published(experiment, study.model)
    mean = plus_minus(best.mean, best.deviation, 3)
    rows = _parameters(best.parameters, published)
    rows.append((f"{study.pairs} {experiment.objective}", mean, published_figures(published)[0]))
    if best.dead:
        rows.append(("no better than guessing", f"{best.dead} of {best.runs} runs", ""))
    title = "winner" if done == len(study) else "best so far"
    parts.append(_table((Markdown(f"{title}: {trial}"), *TITLES), rows))
    if certainty is not None:
        parts.append(sureness_sentence(certainty))
    tried = open_axes(study, [cell.parameters for cell in cells], best.parameters)
    at_the_end = list(edges(tried, best.parameters))
    if at_the_end:
        parts.append(
            f"⚠ **This cell lies on the grid's edge** ({', '.join(at_the_end)} that was tried): "
            f"{_beyond(study, done)}"
        )
    return document(parts)


def _beyond(study: GridStudy, done: int) -> str:
    """Return what becomes of a winner on the edge."""
    further = study.extension + 1
    if study.repeats is not None or further > study.experiment.extend:
        return "a better one may lie beyond."
    name = f"{study.stage}+{further}"
    if done < len(study):
        return f"if it wins, {name} tries what lies beyond."
    return f"{name} tries what lies beyond."


def rerun_note(study: GridStudy, results: Sequence[ModelResult], dead: int, start: str) -> str:
    """Return the note of reruns, with the results of all models of the experiment so far.

    `dead` of the reruns ended no better than guessing; `start` is a sentence on the parent study in
    Markdown.
    """
    experiment, seeds = study.experiment, study.grid["seed"]
    result = next((result for result in results if result.model == study.model), None)
    done = result.reruns if result else 0
    is_winner = experiment.search != "published"
    what = (
        f"Trains {'the winner' if is_winner else 'this model at the published parameters'} afresh "
        f"on seeds {seeds[0]} to {seeds[-1]}, one at a time with all cores, to measure its "
        f"{experiment.objective} and its training time."
    )
    parts = [
        Markdown(escaped(what) + start),
        f"**{done} of {len(seeds)} reruns done.** {_next(study)}",
    ]
    if dead:
        parts.append(
            f"⚠ {_no_better(experiment, dead)}: the mean {experiment.objective} and its spread "
            "include them."
        )
    if result is not None:
        published = _published(experiment, study.model)
        names = (f"test {experiment.objective}", "seconds per training")
        rows = _parameters(result.parameters, published)
        rows += zip(names, measured_figures(result), published_figures(published), strict=True)
        if result.parameter_count is not None:
            rows.append(("trainable parameters", str(result.parameter_count), ""))
        parts.append(_table(("result", *TITLES), rows))
    if len(results) > 1:
        order = [*experiment.models, *(result.model for result in results)]
        of_all = []
        for result in sorted(results, key=lambda result: order.index(result.model)):
            published = _published(experiment, result.model)
            pairs = zip(measured_figures(result), published_figures(published), strict=True)
            of_all.append((result.model, *chain.from_iterable(pairs)))
        titles = ("model", f"test {experiment.objective}", "published", "seconds", "published")
        parts += [f"Models of experiment {experiment.name} so far:", _table(titles, of_all)]
    parts += timing_remarks(results)
    return document(parts)


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Markdown:
    """Return a table in Markdown, without columns of published results where there are none."""
    shown = [
        number
        for number, title in enumerate(titles)
        if title != "published" or any(row[number] for row in rows)
    ]
    lines = [[line[number] for number in shown] for line in (titles, *rows)]
    return table(lines[0], lines[1:], GAP)


def _published(experiment: Experiment, model: str) -> Mapping[str, Any]:
    """Return what is published of a model, by name; nothing where there is nothing to compare."""
    published = experiment.published_of(model)
    return {} if published is None else asdict(published)


def _parameters(
    parameters: Mapping[str, Value], published: Mapping[str, Any]
) -> list[tuple[str, str, str]]:
    beside, missing = published.get("parameters", {}), "-" if published else ""
    return [
        (name, value_text(value), value_text(beside.get(name, missing)))
        for name, value in parameters.items()
    ]


def _grid(study: GridStudy) -> str:
    """Return what is searched: `depth {4, 8} x kernel {linear, rbf} at rate 0.1`."""
    varied = " x ".join(
        f"{name} {{{', '.join(map(value_text, values))}}}" for name, values in study.varied.items()
    )
    text = " at ".join(filter(None, [varied, cell_text(study.fixed)]))
    if not study.extension:
        return text
    if study.repeats is not None:
        return f"{text}, as {study.reason}"
    count = f"{len(study)} new cell{'s' * (len(study) > 1)}"
    return f"{count} {'of' if varied else 'at'} {text}, as {study.reason}"


def _dead(experiment: Experiment, cells: Sequence[GridCell]) -> str:
    """Return a sentence on trainings that learned nothing; nothing where there are none."""
    dead = [cell.dead for cell in cells if cell.dead]
    if not dead:
        return ""
    where = f" in {len(dead)} cell{'s' * (len(dead) > 1)}"
    sentence = _no_better(experiment, sum(dead), where)
    return f" {sentence}, and count{'s' * (sum(dead) == 1)} like any other."


def _no_better(experiment: Experiment, dead: int, where: str = "") -> str:
    limit = "up to" if experiment.direction == "maximize" else "from"
    return (
        f"{dead} training{'s' * (dead > 1)}{where} ended no better than guessing "
        f"({experiment.objective} {limit} {experiment.guessing or 0.0:g})"
    )


def _next(study: GridStudy) -> str:
    following = study.following
    return f"Next stage: {following[0]}." if following else "This is the last stage."
