"""Which figures a study has, each with the name of its file."""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from sqlalchemy import Engine

from storage.curves import rerun_curves
from storage.queries import GridCell, best_cell, grid_cells, model_results
from studies.figures.comparison import accuracy_bars, seconds_bars
from studies.figures.search import alpha_curve, heat_map
from studies.figures.training import accuracy_against_seconds, loss_curve


def figures_of(
    engine: Engine, experiment: str, model: str, stage: str, pairs: str = "test"
) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a study; those of reruns show all models of the experiment so far.

    `pairs` are those on which the cells of a search compete. Raises `StoreError`.
    """
    if stage == "rerun":
        results = model_results(engine, experiment)
        yield "fig-2c-loss.png", loss_curve(model, rerun_curves(engine, experiment, model))
        yield "fig-3a-accuracy.png", accuracy_bars(results)
        yield "fig-3b-seconds.png", seconds_bars(results)
        yield "fig-accuracy-against-seconds.png", accuracy_against_seconds(results)
        return
    cells = grid_cells(engine, experiment, model, stage)
    best = best_cell(engine, experiment, model, stage)
    if stage != "alpha":
        yield "fig-2a-heat-map.png", heat_map(model, _best_alphas(cells), best, pairs)
    beside = cells
    if stage == "joint" and best is not None:
        place = best.learning_rate, best.batch_size
        beside = [cell for cell in cells if (cell.learning_rate, cell.batch_size) == place]
    if stage == "alpha" or (stage == "joint" and len(beside) > 1):
        yield "fig-2b-alpha.png", alpha_curve(model, beside, best, pairs)


def _best_alphas(cells: Sequence[GridCell]) -> list[GridCell]:
    """Of the cells that differ in alpha alone, the best one, as a map has one place for them."""
    ranked = sorted(cells, key=lambda c: (c.state == "COMPLETE", c.mean_accuracy or 0.0))
    return list({(cell.learning_rate, cell.batch_size): cell for cell in ranked}.values())
