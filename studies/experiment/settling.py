"""The further studies of a stage that settle which of its contenders is the best."""

from collections.abc import Sequence

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
    reason = f"{known.repeats} repeats do not tell which of {len(contenders)} cells is the best"
    repeats = following[0]
    return first.further(f"@{repeats}", len(studies), contenders, winner, reason, repeats)
