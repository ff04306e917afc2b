"""The figure of effects: estimates with their intervals, a row for each."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from studies.figures.style import canvas, colours, legend_below, log_axis, rows_of_names
from studies.report.statistics import Estimate

MOST = 1e3
"""Times a ratio: what of its interval lies beyond is not drawn."""


def effects_figure(title: str, label: str, estimates: Mapping[tuple[str, str], Estimate]) -> Figure:
    """Draw estimates by name and group, with their intervals; ratios on a logarithmic axis."""
    figure, axes = canvas(title, width=9.4, height=1.6 + 0.26 * max(len(estimates), 3))
    neutral = next(iter(estimates.values())).neutral
    axes.axvline(neutral, color="black", linewidth=1)
    of_group = colours(group for _, group in estimates)
    ends: list[float] = []
    for place, ((_, group), estimate) in enumerate(estimates.items()):
        value = estimate.value
        low, high = (value if end is None else end for end in (estimate.low, estimate.high))
        if neutral:
            # Of two reruns an interval may have no end.
            low, high = max(low, value / MOST), min(high, value * MOST)
        ends += [low, high]
        axes.errorbar(
            [value], [place], xerr=[[value - low], [high - value]], color=of_group[group],
            marker="o", markersize=6, markeredgecolor="black", ecolor="#303030", elinewidth=1.4,
            capsize=3,
        )  # fmt: skip
    names = [f"{group}: {name}" if group else name for name, group in estimates]
    rows_of_names(axes, names, [estimate.text for estimate in estimates.values()], 8.5)
    if len(of_group) > 1:
        handles = [
            Line2D([], [], color=colour, marker="o", markeredgecolor="black", label=group)
            for group, colour in of_group.items()
        ]
        legend_below(figure, columns=min(len(handles), 6), handles=handles)
    if neutral:
        log_axis(axes, (1, 1.5, 2, 3, 5))
        axes.set_xlim(min([0.8, *ends]) / 1.15, max([1.25, *ends]) * 1.15)
    axes.set_xlabel(label)
    return figure
