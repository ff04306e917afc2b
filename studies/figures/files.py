"""Which figures a study has, by the names of their files."""

import re
from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure
from sqlalchemy import Engine

from storage.queries import (
    GridCell,
    Rerun,
    best_cell,
    model_results,
    rerun_curves,
    reruns,
    stage_cells,
    studies,
)
from studies.figures.curves import curve, loss_curves
from studies.figures.models import (
    DrawnModel,
    objective_against_seconds,
    objective_dots,
    seconds_dots,
)
from studies.figures.search import Search, heat_map


def figures_of(
    engine: Engine, experiment: str, model: str, stage: str
) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a study; those of reruns show all models of the experiment so far.

    Those of a study that goes on beyond a grid show the grid as well.
    Raises `StoreError`.
    """
    attributes = {
        study.model: study.attributes
        for study in studies(engine)
        if study.experiment == experiment and study.stage == stage
    }
    if stage != "rerun":
        known = attributes[model]
        so_far = (experiment, model, known.get("extends", stage), known.get("extension", 0))
        cells = stage_cells(engine, *so_far)
        search = Search.of_study(model, known, cells)
        yield from search_figures(search, cells, best_cell(engine, *so_far))
        return
    curves = rerun_curves(engine, experiment, model)
    is_objective = attributes[model].get("objective") == "loss"
    if any(curves):
        file = "training-loss.png" if is_objective else "loss.png"
        yield file, loss_curves(model, curves)
    results = {result.model: result for result in model_results(engine, experiment)}
    done: dict[str, list[Rerun]] = {}
    for rerun in reruns(engine, experiment):
        done.setdefault(rerun.model, []).append(rerun)
    order = dict.fromkeys([*attributes[model].get("models", ()), *results])
    models = [
        DrawnModel.of(
            results[name],
            attributes[name].get("published") or {},
            attributes[name].get("factors") or {},
            done[name],
        )
        for name in order
        if name in results
    ]
    yield from model_figures(models)


def search_figures(
    search: Search, cells: Sequence[GridCell], best: GridCell | None
) -> Iterator[tuple[str, Figure]]:
    """Draw a search: a heat map of two parameters that vary, and a curve of every other.

    A curve is that of the cells which share all other parameters with the best one.
    """
    names = search.varied
    if len(names) > 1:
        yield "heat-map.png", heat_map(search, cells, best)
    for name in names[2:] if len(names) > 1 else names:
        file = "curve.png" if len(names) <= 3 else f"curve-{name}.png"
        beside = [cell for cell in cells if best is None or _differ_in(cell, best) <= {name}]
        yield file, curve(search, name, beside, best)


def model_figures(models: Sequence[DrawnModel]) -> Iterator[tuple[str, Figure]]:
    """Draw models side by side, where there are any: their objective and their seconds."""
    if models:
        objective = models[0].result.objective
        yield f"{objective}.png", objective_dots(models)
        if any(model.result.mean_seconds for model in models):
            yield "seconds.png", seconds_dots(models)
            yield f"{objective}-against-seconds.png", objective_against_seconds(models)


def file_name(name: str) -> str:
    """Return a name that stays in its folder: names of a store may hold anything, such as `../`."""
    return re.sub(r"[^\w.+=,-]", lambda sign: f"~{ord(sign[0]):x}", name)


def _differ_in(cell: GridCell, other: GridCell) -> set[str]:
    names = cell.parameters.keys() | other.parameters.keys()
    return {name for name in names if cell.parameters.get(name) != other.parameters.get(name)}
