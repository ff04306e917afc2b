"""Who won a stage: the start of the next one."""

from sqlalchemy import Engine

from digitcmp.training import Hyperparameters
from storage.cells import DECIDED
from storage.queries import best_cell, grid_cells
from studies.grid import Grid
from studies.stages import Stage


def winner(engine: Engine, stage: Stage) -> Hyperparameters | None:
    """The winner of a stage; None while a cell is undecided, or where every cell diverged."""
    cells = grid_cells(engine, stage.experiment, stage.model, stage.name)
    if sum(cell.state in DECIDED for cell in cells) < len(Grid(stage.search_space)):
        return None
    best = best_cell(engine, stage.experiment, stage.model, stage.name)
    if best is None:
        return None
    return Hyperparameters(best.learning_rate, best.batch_size, best.alpha)
