"""The section on the searches: winners, how certain they are, and what they promised."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from storage.queries import RankedCell
from studies.display.certainty import LEGEND, settling_text, share_text
from studies.display.markdown import Markdown
from studies.display.words import edges, listed, number_text
from studies.figures import Search, scale, search_figures
from studies.report.gaps import Gap, paired_gap
from studies.report.optimism import optimism_section
from studies.report.page import Pictures, folded, table
from studies.report.runs import ModelRun


def searches_section(runs: Iterable[ModelRun], pictures: Pictures) -> Iterator[str]:
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
        "than the runner-up's, paired by seed, ± its standard error; one repeat has none. =n marks "
        "n cells with exactly the winner's mean: of these the first in the order of the grid wins."
        + "".join(map(_dead_ones, guesses[:1]))
    )
    titles = ["study", "winner", objective, "contenders", "wins again", "runner-up", "gap"]
    titles += ["to settle", "diverged", *["dead"] * bool(guesses), "edge"]
    yield table(
        titles, [_stage_row(run, stage, bool(guesses)) for run in runs for stage in run.searches]
    )
    if any(run.protocol["select_on"] != "test" for run in runs):
        yield f"Searches that select on validation show their {objective} on validation data."
    yield from optimism_section(runs)
    shown = [
        pictures.shown(f"{run.model}, {stage}", f"{run.model}-{stage}-{name}", figure)
        for run, search, stage in drawn(runs)
        for name, figure in search_figures(search, run.cells[stage], run.cells[stage][0])
    ]
    ((group, count),) = Counter(run.drawn.group for run in runs).most_common(1)
    alike = listed([run.model for run in runs if run.drawn.group == group])
    note = (
        f"Colours mean the same in all heat maps of models that belong together, such as {alike}."
    )
    yield folded("Figures of all searches", [*[note] * (count > 1), Markdown("\n".join(shown))])


def drawn(runs: Sequence[ModelRun]) -> Iterator[tuple[ModelRun, Search, str]]:
    """Yield what figures show of each search; the colours of a group's heat maps mean the same."""
    for run in runs:
        beside = [other for other in runs if other.drawn.group == run.drawn.group]
        for stage in run.searches:
            certainty = run.certainty.get(stage)
            cells = [cell for other in beside for cell in other.cells.get(stage, ())]
            yield (
                run,
                replace(
                    run.search(stage),
                    contenders=() if certainty is None else certainty.contenders,
                    scale=scale(run.sign < 0, cells),
                ),
                stage,
            )


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
        None if lead is None else f"{lead}{ties(ranked)}",
        None if certainty is None else settling_text(certainty),
        sum(cell.state == "DIVERGED" for cell in cells),
        *[dead_trainings(cells, ranked[:2])] * has_guessing,
        "; ".join(edges(run.search(stage).grid, winner.parameters)) or None,
    ]


def ties(ranked: Sequence[RankedCell]) -> str:
    """Return ` =n` where n other cells are exactly as good as the winner; empty for none."""
    best = fmean(ranked[0].values)
    tied = [cell for cell in ranked[1:] if math.isclose(fmean(cell.values), best, rel_tol=1e-12)]
    return f" ={len(tied)}" if tied else ""


def dead_trainings(cells: Sequence[RankedCell], leaders: Sequence[RankedCell]) -> str:
    """Return how many trainings of all cells learned nothing, and how many of the first two."""
    total, leading = (sum(cell.dead or 0 for cell in group) for group in (cells, leaders))
    return f"{total} ({leading} in the first two)" if leading else str(total)


def winners_lead(run: ModelRun, winner: RankedCell, second: RankedCell) -> Gap:
    """Return by how much a cell is better than another, over the seeds that both have."""
    common = min(len(winner.values), len(second.values))
    return run.gain(paired_gap(winner.values[:common], second.values[:common]))
