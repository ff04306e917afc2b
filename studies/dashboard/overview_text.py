"""What the overview says of a stage, in words and numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from storage.queries import Certainty, ModelResult
from storage.rows import kept_certainty
from studies.dashboard.overview import Stage
from studies.display.certainty import settling_text, share_text
from studies.display.words import (
    cell_text,
    edges,
    measured_figures,
    plus_minus,
    published_figures,
    value_text,
)
from studies.experiment.stage import RERUN

_NUMBERS = ("mean", "deviation", "seconds", "seconds_deviation")


def progress_text(stage: Stage) -> str:
    """Return how far a stage is: `12 of 20 cells, 2 running, 1 failed`."""
    what = "reruns" if stage.name == RERUN else "cells"
    parts = [f"{stage.done} of {stage.cells} {what}" if stage.cells else f"{stage.done} {what}"]
    if stage.running:
        parts.append(f"{stage.running} running")
    if stage.failed:
        parts.append(f"{stage.failed} failed")
    return ", ".join(parts)


def winner_text(stage: Stage) -> tuple[str, str]:
    """Return the searched parameters of a search's best cell, and the published ones."""
    if stage.winner is None:
        return "", ""
    varied = set(_grid(stage))
    ours = {name: v for name, v in stage.winner.parameters.items() if name in varied or not varied}
    theirs = _published(stage).get("parameters")
    known = theirs if isinstance(theirs, dict) else {}
    beside = {name: known[name] for name in ours if isinstance(known.get(name), int | float | str)}
    if not beside:
        return cell_text(ours), ""
    # In the same order, so that names need not be read twice.
    values = [value_text(beside[name]) if name in beside else "-" for name in ours]
    return cell_text(ours), "as published" if beside == ours else f"published {', '.join(values)}"


def mean_text(stage: Stage) -> str:
    """Return mean and standard deviation of a search's best cell; empty where there is none."""
    best = stage.winner
    return "" if best is None or best.mean is None else plus_minus(best.mean, best.deviation, 3)


def edges_text(stage: Stage) -> str:
    """Return on which edges of what was tried the winner lies: `largest depth, smallest rate`."""
    if stage.winner is None:
        return ""
    parameters = stage.winner.parameters
    return ", ".join(
        f"{text.rpartition(' ')[2]} {name}"
        for name, values in _grid(stage).items()
        for text in edges({name: values}, parameters)
    )


def certainty_text(stage: Stage) -> str:
    """Return how sure the winner of a complete search is: `wins again 49%, 5 contenders, ...`."""
    known = _certainty(stage)
    if known is None or stage.winner is None:
        return ""
    if known.repeats < 2:
        return "one repeat does not tell how sure it is"
    count = len(known.contenders)
    parts = [f"wins again {share_text(known)}", f"{count} contender{'s' * (count != 1)}"]
    if known.repeats_to_settle is not None:
        parts.append(f"{settling_text(known)} to settle")
    return ", ".join(parts)


def result_rows(stage: Stage) -> list[tuple[str, str, str]]:
    """Return objective and seconds of reruns: ours, a unit, and what is published."""
    if stage.result is None:
        return []
    known = {
        name: value
        for name, value in _published(stage).items()
        if name in _NUMBERS and isinstance(value, int | float)
    }
    ours = measured_figures(stage.result)
    units = ("", "" if stage.result.mean_seconds is None else "s")
    rows = zip(ours, units, published_figures(known), strict=True)
    return [row for row in rows if row[0] or row[2]]


def timings_text(result: ModelResult | None) -> str:
    """Return how many timings of reruns others disturbed; empty for none."""
    if result is None:
        return ""
    if result.disturbed:
        return f"{result.disturbed} of {result.timed + result.disturbed} timings disturbed"
    return "not known whether timings are disturbed" if result.unknown else ""


def _certainty(stage: Stage) -> Certainty | None:
    """Return the certainty that a stage's last study keeps, of all cells of the stage."""
    return kept_certainty(stage.attributes[-1])


def _published(stage: Stage) -> Mapping[str, Any]:
    known = stage.attributes[-1].get("published")
    return known if isinstance(known, dict) else {}


def _grid(stage: Stage) -> dict[str, list[Any]]:
    """Return all values that a stage and the studies beyond it try, of parameters that vary."""
    grids = [attributes.get("grid") for attributes in stage.attributes]
    tried: dict[str, list[Any]] = {}
    for name, value in _values(grids):
        values = tried.setdefault(name, [])
        if value not in values:
            values.append(value)
    return {name: values for name, values in tried.items() if len(values) > 1}


def _values(grids: Sequence[object]) -> Iterator[tuple[str, Any]]:
    for grid in grids:
        for name, values in grid.items() if isinstance(grid, dict) else ():
            for value in values if isinstance(values, list) else ():
                if isinstance(value, int | float | str):
                    yield name, value
