"""The section on the searches: winners, how certain they are, and what they promised."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from storage.queries import RankedCell
from storage.trainings import TrainingRun
from studies.display.certainty import LEGEND, settling_text, share_text
from studies.display.words import edges, listed, number_text
from studies.figures import Search, search_figures
from studies.report.gaps import Gap, paired_gap, summarized, unpaired_gap
from studies.report.page import Pictures, folded, table
from studies.report.runs import ModelRun

Trainings = Mapping[str, TrainingRun]
"""By fingerprint."""


def searches_section(
    runs: Iterable[ModelRun], trainings: Trainings, pictures: Pictures
) -> Iterator[str]:
    """Yield each search's winner and runner-up, and how the winners fared on fresh seeds."""
    yield "## Searches"
    runs = [run for run in runs if run.searches]
    if not runs:
        yield "Nothing was searched: these models were trained at published parameters."
        return
    objective = runs[0].objective
    names = list(dict.fromkeys(name for run in runs for name in run.names))
    guesses = [run for run in runs if run.guessing is not None]
    yield (
        f"Cells are {listed(names)}. {LEGEND} The gap is by how much the winner's mean is better "
        "than the runner-up's, paired by seed, ± its standard error; one repeat has none."
        + "".join(map(_dead_ones, guesses[:1]))
    )
    titles = ["study", "winner", objective, "contenders", "wins again", "runner-up", "gap"]
    titles += ["to settle", "diverged", *["dead"] * bool(guesses), "edge"]
    yield table(
        titles, [_stage_row(run, stage, bool(guesses)) for run in runs for stage in run.searches]
    )
    if any(run.protocol["select_on"] != "test" for run in runs):
        yield f"Searches that select on validation show their {objective} on validation data."
    promises = [
        (run.model, number_text(fmean(before), 4), number_text(run.result.mean, 4),
         optimism(run, trainings))
        for run in runs
        if (before := values_on_test(run, trainings))
    ]  # fmt: skip
    if promises:
        yield (
            f"Optimism: by how much test {objective} of the winner's cell in the search is better "
            "than that of its reruns, ± the standard error. A winner that was chosen for its luck "
            "falls back."
        )
        yield table(("model", "search", "reruns", "optimism"), promises)
    for run in runs:
        shown = [
            pictures.shown(f"{run.model}, {stage}", f"{run.model}-{stage}-{name}", figure)
            for stage in run.searches
            for name, figure in search_figures(
                _search(run, stage), run.cells[stage], run.cells[stage][0]
            )
        ]
        if shown:
            yield folded(f"{run.model}: figures of its search", shown)


def _search(run: ModelRun, stage: str) -> Search:
    """Return what figures show of a search, also of one that an older version completed."""
    certainty = run.certainty.get(stage)
    return replace(run.search(stage), contenders=() if certainty is None else certainty.contenders)


def _dead_ones(run: ModelRun) -> str:
    """Return a sentence on trainings that learned nothing."""
    limit = f"{run.objective} {'up to' if run.sign > 0 else 'from'} {run.guessing:g}"
    return (
        f" Dead trainings ended no better than guessing ({limit}); they count, and one can "
        "decide a cell's mean: the table has their number in all cells, and in the "
        "winner's and the runner-up's where there are any."
    )


def _stage_row(run: ModelRun, stage: str, has_guessing: bool) -> list[object]:
    cells = run.cells[stage]
    ranked = [cell for cell in cells if cell.state == "COMPLETE" and cell.values]
    winner = ranked[0]
    second = ranked[1] if len(ranked) > 1 else None
    lead = None if second is None else winners_lead(run, winner, second)
    certainty = run.certainty.get(stage)
    return [
        f"{run.model}/{stage}",
        run.text(winner.parameters),
        number_text(fmean(winner.values), 4),
        None if certainty is None else f"{len(certainty.contenders)} of {len(cells)}",
        None if certainty is None else share_text(certainty),
        None if second is None else run.text(second.parameters),
        lead,
        None if certainty is None else settling_text(certainty),
        sum(cell.state == "DIVERGED" for cell in cells),
        *[dead_trainings(cells, ranked[:2])] * has_guessing,
        "; ".join(edges(run.search(stage).grid, winner.parameters)) or None,
    ]


def dead_trainings(cells: Sequence[RankedCell], leaders: Sequence[RankedCell]) -> str:
    """Return how many trainings of all cells learned nothing, and how many of the first two."""
    total, leading = (sum(cell.dead or 0 for cell in group) for group in (cells, leaders))
    return f"{total} ({leading} in the first two)" if leading else str(total)


def winners_lead(run: ModelRun, winner: RankedCell, second: RankedCell) -> Gap:
    """Return by how much a cell is better than another, over the seeds that both have."""
    common = min(len(winner.values), len(second.values))
    return _better(run, paired_gap(winner.values[:common], second.values[:common]))


def values_on_test(run: ModelRun, trainings: Trainings) -> list[float]:
    """Return the objective of the winner's cell in the search, on test data.

    Empty where the search chose by validation data and its trainings are not known.
    """
    winner = run.winner
    if run.protocol["select_on"] == "test":
        return list(winner.values)
    numbers = [trainings[name].numbers for name in winner.fingerprints if name in trainings]
    return [known[run.objective] for known in numbers if run.objective in known]


def optimism(run: ModelRun, trainings: Trainings) -> Gap | None:
    """Return by how much the winner is better in the search than in its reruns, where known."""
    before = values_on_test(run, trainings)
    return _better(run, unpaired_gap(summarized(before), run.summary)) if before else None


def _better(run: ModelRun, difference: Gap) -> Gap:
    return Gap(run.sign * difference.value, difference.error)
