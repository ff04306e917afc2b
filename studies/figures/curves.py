"""Curves: the objective of a search against one parameter, and the loss of reruns by epoch."""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from storage.queries import GridCell
from storage.trainings import Value
from studies.display.words import number_text, value_text
from studies.figures.search import AS_GOOD, FRAME, Search, is_done
from studies.figures.style import FAINT, OURS, canvas, legend_below, log_axis

ASIDE = 0.015
"""How far beside our value a published one is drawn, as a share of the axis."""

CROWDED = 0.05
"""Share of the axis below which numbers lie too close, and are drawn at equal distances."""

TICKS = 15

PANELS = 4
"""Panels in a row."""


def curve(search: Search, name: str, cells: Sequence[GridCell], best: GridCell | None) -> Figure:
    """Draw the mean objective against one parameter, with the deviation as error bars.

    Cells that cannot be told from the winner have a ring.
    """
    figure, axes = canvas(search.title(f"{search.measured} against {name}"))
    values = search.values(name, cells)
    places = _places(values)
    shown = values[:: math.ceil(len(values) / TICKS)]
    axes.set_xticks([places[value] for value in shown], [value_text(value) for value in shown])
    by_place = {
        places[cell.parameters[name]]: (cell.mean or 0.0, cell.deviation or 0.0)
        for cell in search.best_last(cells)
        if name in cell.parameters and is_done(cell)
    }
    ours = sorted(by_place)
    axes.errorbar(
        ours, [by_place[place][0] for place in ours], [by_place[place][1] for place in ours],
        color=OURS, marker="o", capsize=3, linestyle="none", label="ours, mean ± sd",
    )  # fmt: skip
    published = search.published or {"parameters": {}}
    if published["parameters"].get(name) in places:
        aside = ASIDE * (max(places.values()) - min(places.values()))
        axes.errorbar(
            [places[published["parameters"][name]] + aside], [published["mean"]],
            [published["deviation"]], color="#707070", marker="s", markerfacecolor="white",
            linestyle="none", capsize=6, label=f"published{search.published_elsewhere}",
        )  # fmt: skip
    won = None if best is None else best.name
    rings = {
        places[cell.parameters[name]]: cell.mean
        for cell in cells
        if cell.name in search.contenders and cell.name != won and cell.mean is not None
    }
    if rings:
        axes.plot(
            list(rings), list(rings.values()), marker="o", markersize=13, markerfacecolor="none",
            markeredgecolor=FRAME, linestyle="none", label=AS_GOOD,
        )  # fmt: skip
    if best is not None and best.mean is not None:
        value = best.parameters[name]
        axes.plot(
            places[value], best.mean, marker="*", markersize=17, color="#DDAA33",
            markeredgecolor="black", linestyle="none", zorder=3,
            label=f"winner: {name} {value_text(value)}, {number_text(best.mean, 3)}",
        )  # fmt: skip
    axes.set_xlabel(name)
    axes.set_ylabel(search.measured)
    axes.grid(axis="y", color=FAINT)
    legend_below(figure, columns=3)
    return figure


def _places(values: Sequence[Value]) -> dict[Value, float]:
    """Return where to draw values: numbers to scale, or to that of their logarithms.

    Words, and numbers that would crowd, stand at equal distances.
    """
    numbers = [float(value) for value in values if not isinstance(value, str)]
    if len(numbers) == len(values) > 1:
        if numbers[0] > 0 and numbers[-1] >= 10 * numbers[0]:
            numbers = [math.log(number) for number in numbers]
        gaps = [after - before for before, after in pairwise(numbers)]
        if min(gaps) >= CROWDED * (numbers[-1] - numbers[0]):
            return dict(zip(values, numbers, strict=True))
    return {value: float(place) for place, value in enumerate(values)}


def loss_curves(model: str, curves: Sequence[tuple[float, ...]]) -> Figure:
    """Draw the training loss of reruns by epoch: the mean, and the band from least to most."""
    number = f"{len(curves)} rerun{'s' * (len(curves) != 1)}"
    figure, axes = canvas(f"{model}: training loss of {number}")
    # Of reruns that end early, the epochs that all of them have.
    by_epoch = list(zip(*curves, strict=False))
    epochs = range(1, len(by_epoch) + 1)
    if len(curves) > 1:
        axes.fill_between(
            epochs, [min(losses) for losses in by_epoch], [max(losses) for losses in by_epoch],
            color=f"{OURS}40", linewidth=0, label="from the least to the most of the reruns",
        )  # fmt: skip
    means = [statistics.fmean(losses) for losses in by_epoch]
    axes.plot(epochs, means, color=OURS, marker=".", label="mean")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss")
    if not any(loss < 0 for losses in by_epoch for loss in losses):
        axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", color=FAINT)
    axes.legend(frameon=False)
    return figure


def loss_panels(curves: Mapping[str, Sequence[Sequence[float]]]) -> Figure:
    """Draw the training loss of each rerun by epoch, a panel for each model.

    Models may have other losses, so each panel has its own scale.

    Source: Fig. 2c, which shows one model.
    """
    rows = math.ceil(len(curves) / PANELS)
    figure = Figure(figsize=(2.6 * PANELS, 0.4 + 1.9 * rows), layout="constrained")
    panels = figure.subplots(rows, PANELS, sharex=True, squeeze=False).flat
    for axes, (model, of_model) in zip(panels, curves.items(), strict=False):
        for losses in of_model:
            axes.plot(range(1, len(losses) + 1), losses, color=f"{OURS}80", linewidth=0.8)
        axes.set_title(model, loc="left", fontsize=10)
        axes.grid(axis="y", color=FAINT)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        all_losses = [loss for losses in of_model for loss in losses if math.isfinite(loss)]
        if all_losses and min(all_losses) > 0:
            # Plain numbers at powers of ten alone, where these are many.
            many = max(all_losses) > 100 * min(all_losses)
            log_axis(axes, (1,) if many else (1, 2, 3, 5), "y")
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    for place, axes in enumerate(figure.axes):
        axes.set_visible(place < len(curves))
        # Also above an empty place.
        axes.tick_params(labelbottom=place + PANELS >= len(curves))
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("training loss", fontsize=10)
    return figure
