"""What each change to a plain model does: estimates with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from studies.figures.style import COLOURS, canvas


@dataclass(frozen=True)
class Row:
    """One estimate: the value and the ends of its interval, if it has one."""

    architecture: str
    name: str
    value: float
    low: float | None
    high: float | None


def accuracy_effects(rows: Sequence[Row]) -> Figure:
    """Differences of mean test accuracy from the plain model, with 95% intervals."""
    figure = _forest("What each change does to test accuracy", rows, 0.0, "{:+.3f}")
    figure.axes[0].set_xlabel("difference of mean test accuracy from the plain model (fraction)")
    return figure


def seconds_effects(rows: Sequence[Row]) -> Figure:
    """Ratios of mean training seconds to the plain model's, with 95% intervals, on a log axis."""
    figure = _forest("What each change does to training time", rows, 1.0, "×{:.2f}")
    axes = figure.axes[0]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    ends = [end for row in rows for end in (row.low or row.value, row.high or row.value)]
    axes.set_xlim(min([0.8, *ends]) / 1.15, max([1.25, *ends]) * 1.15)
    axes.set_xlabel("training seconds over the plain model's (ratio, log scale)")
    return figure


def _forest(title: str, rows: Sequence[Row], neutral: float, form: str) -> Figure:
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.3 * max(len(rows), 3))
    axes.axvline(neutral, color="black", linewidth=1)
    for place, row in enumerate(rows):
        low = row.value if row.low is None else row.low
        high = row.value if row.high is None else row.high
        # A bootstrap interval of few seeds may leave its value out.
        errors = [[max(row.value - low, 0.0)], [max(high - row.value, 0.0)]]
        axes.errorbar(
            [row.value], [place], xerr=errors, color=COLOURS[row.architecture], marker="o",
            markersize=6, markeredgecolor="black", ecolor="#303030", elinewidth=1.4, capsize=3,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    values = axes.secondary_yaxis("right")
    values.set_yticks(range(len(rows)), [form.format(row.value) for row in rows], fontsize=8.5)
    values.tick_params(length=0)
    values.spines[:].set_visible(False)
    kinds = dict.fromkeys(row.architecture for row in rows)
    figure.legend(
        handles=[
            Line2D([], [], color=COLOURS[kind], marker="o", markeredgecolor="black", label=kind)
            for kind in kinds
        ],
        loc="outside lower center", ncols=3, frameon=False, fontsize=9,
    )  # fmt: skip
    return figure
