"""The studies of a stage and their winner: the grid's own, what lies beyond, what settles it."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Engine

from storage.cells import DECIDED
from storage.queries import GridCell, RankedCell, best_cell, grid_cells, ranked_cells
from studies.experiment.extension import further_study
from studies.experiment.settling import settling_study
from studies.experiment.study import GridStudy


def stage_studies(engine: Engine, first: GridStudy) -> Iterator[GridStudy]:
    """Yield the studies of a stage; each is to be complete before the next one is asked for.

    It ends where the winner needs no further study, or is not certain. What follows depends on the
    results alone, so that a run that was interrupted goes on with the same studies.
    """
    studies = [first]
    for study in studies:
        yield study
        goes_on = first.experiment.extend or first.experiment.settle
        if first.is_rerun or not goes_on or winner(engine, studies) is None:
            return
        cells = cells_of(engine, studies)
        most = first.experiment.extend if study.repeats is None else 0
        further = further_study(studies, cells, most) or settling_study(studies, cells)
        if further is not None:
            studies.append(further)


def cells_of(engine: Engine, studies: Sequence[GridStudy]) -> list[RankedCell]:
    """Return the cells of a stage's studies, the winner first."""
    first, names = studies[0], {study.name for study in studies}
    of_stage = ranked_cells(
        engine, experiment=first.experiment.name, model=first.model, base=first.name
    )
    return [cell for cell in of_stage if cell.stage in names]


def winner(engine: Engine, studies: Sequence[GridStudy]) -> GridCell | None:
    """Return the best cell of a stage; None while a cell is undecided, or where all diverged.

    `studies` are all of the stage, in their order.
    """
    first, last = studies[0], studies[-1]
    for study in studies:
        cells = grid_cells(engine, study.experiment.name, study.model, study.name)
        if sum(cell.state in DECIDED for cell in cells) < len(study):
            return None
    best = best_cell(engine, first.experiment.name, first.model, first.name, last.extension)
    # Where all contenders diverged on further seeds, a cell that lost before has not won.
    has_lost = best is not None and last.repeats is not None and best.stage != last.name
    return None if has_lost else best
