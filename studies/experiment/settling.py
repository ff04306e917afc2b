"""The further studies of a stage that settle which of its contenders is the best."""

from collections.abc import Sequence
from itertools import product

from storage.rows import RankedCell
from studies.certainty import certainty
from studies.experiment.study import GridStudy


def settling_study(studies: Sequence[GridStudy], cells: Sequence[RankedCell]) -> GridStudy | None:
    """Return the study that gives a stage's contenders further repeats; None where none is due.

    `cells` are those of all its studies, the winner first. None is due where the winner is the only
    contender, where all others are shown to be behind it by less than the margin, and after as many
    repeats as the experiment allows.
    """
    first, winner = studies[0], cells[0]
    experiment = first.experiment
    following = [n for n in experiment.rounds if n > studies[-1].trainings_per_cell]
    known = certainty(cells, first.sign, experiment.rank_by, experiment.looks)
    if not following or known is None or len(known.contenders) < 2:
        return None
    if known.largest_gap is not None and known.largest_gap < experiment.margin:
        return None
    contenders = [cell.parameters for cell in cells if cell.name in known.contenders]
    grid = {}
    for name, values in first.grid.items():
        used = {cell[name] for cell in contenders}
        known_ones = [value for value in values if value in used]
        grid[name] = (*known_ones, *sorted(used.difference(known_ones)))
    in_product = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return GridStudy(
        experiment,
        first.model,
        f"{first.name}@{following[0]}",
        grid,
        extension=len(studies),
        repeats=following[0],
        only=tuple(cell for cell in in_product if cell in contenders),
        parent={
            "study": f"{experiment.name}/{first.model}/{winner.stage}",
            "trial": winner.number,
        },
        reason=f"{known.repeats} repeats do not tell which of {len(contenders)} cells is the best",
    )
