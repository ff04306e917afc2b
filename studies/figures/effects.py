"""What each change to a model does: estimates with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from studies.figures.style import canvas, colours, rows_of_names


@dataclass(frozen=True)
class Row:
    """One estimate: the value and the ends of its interval, if it has one."""

    group: str
    name: str
    value: float
    low: float | None
    high: float | None


def objective_effects(rows: Sequence[Row], objective: str) -> Figure:
    """Draw differences of the mean objective from the unchanged model, with 95% intervals."""
    title = f"What each change does to test {objective}"
    figure = _intervals(title, rows, 0.0, "{:+.3f}")
    figure.axes[0].set_xlabel(f"difference of mean test {objective} from the unchanged model")
    return figure


def seconds_effects(rows: Sequence[Row]) -> Figure:
    """Draw ratios of mean training seconds to the unchanged model's, on a logarithmic axis."""
    figure = _intervals("What each change does to training time", rows, 1.0, "×{:.2f}")
    axes = figure.axes[0]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    ends = [end for row in rows for end in (row.low or row.value, row.high or row.value)]
    axes.set_xlim(min([0.8, *ends]) / 1.15, max([1.25, *ends]) * 1.15)
    axes.set_xlabel("training seconds over the unchanged model's (ratio, log scale)")
    return figure


def _intervals(title: str, rows: Sequence[Row], neutral: float, form: str) -> Figure:
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.3 * max(len(rows), 3))
    axes.axvline(neutral, color="black", linewidth=1)
    of_group = colours(row.group for row in rows)
    for place, row in enumerate(rows):
        low = row.value if row.low is None else row.low
        high = row.value if row.high is None else row.high
        # A bootstrap interval of few seeds may leave its value out.
        errors = [[max(row.value - low, 0.0)], [max(high - row.value, 0.0)]]
        axes.errorbar(
            [row.value], [place], xerr=errors, color=of_group[row.group], marker="o",
            markersize=6, markeredgecolor="black", ecolor="#303030", elinewidth=1.4, capsize=3,
        )  # fmt: skip
    names = [f"{row.group}: {row.name}" if row.group else row.name for row in rows]
    rows_of_names(axes, names, [form.format(row.value) for row in rows], 8.5)
    if len(of_group) > 1:
        handles = [
            Line2D([], [], color=colour, marker="o", markeredgecolor="black", label=group)
            for group, colour in of_group.items()
        ]
        figure.legend(
            handles=handles, loc="outside lower center", ncols=min(len(handles), 6),
            frameon=False, fontsize=9,
        )  # fmt: skip
    return figure
