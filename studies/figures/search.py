"""Figures of the searches: accuracy over learning rate and batch size, and over alpha."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from storage.queries import GridCell
from studies.figures.style import OURS, canvas
from studies.paper import PAPER
from studies.protocol import BATCH_SIZES, LEARNING_RATES

ASIDE = 0.015
"""How far the paper's alpha is drawn from its place, where one of ours stands already."""

HALO = [withStroke(linewidth=5, foreground="white")]
"""Around frames, so that they stand out from cells of any lightness."""

UNDONE = {
    "COMPLETE": "",
    "RUNNING": "running",
    "DIVERGED": "diverged",
    "FAIL": "failed",
    "PRUNED": "given up",
}


def heat_map(
    model: str, cells: Sequence[GridCell], best: GridCell | None, pairs: str = "test"
) -> Figure:
    """Mean accuracy on `pairs` over learning rate x batch size, with the standard deviation.

    The winner and the paper's are framed. Source: Fig. 2a.
    """
    figure, axes = canvas(f"{model}: {pairs} accuracy, mean ± standard deviation")
    rates = sorted({*LEARNING_RATES, *(cell.learning_rate for cell in cells)}, reverse=True)
    sizes = sorted({*BATCH_SIZES, *(cell.batch_size for cell in cells)})
    by_place = {(rates.index(c.learning_rate), sizes.index(c.batch_size)): c for c in cells}
    means = [
        [_mean(by_place.get((row, column))) for column in range(len(sizes))]
        for row in range(len(rates))
    ]
    image = axes.imshow(means, cmap="cividis", aspect="auto")
    axes.set_facecolor("#EEEEEE")
    tones = np.asarray(image.norm(np.array(means)))
    for (row, column), cell in by_place.items():
        # Not a number where the cell has no result: then the ground is light.
        dark = tones[row, column] < 0.55
        _write(axes, row, column, cell, "white" if dark else "black")
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set_xlabel("batch size (pairs)")
    axes.set_ylabel("learning rate")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, label=f"mean {pairs} accuracy (fraction)")
    published = PAPER[model]
    paper = (published.learning_rate, published.batch_size)
    if best is not None:
        _frame(axes, rates.index(best.learning_rate), sizes.index(best.batch_size), "winner", 0)
    if paper[0] in rates and paper[1] in sizes:
        name = f"the paper's winner ({published.accuracy:.3f} ± {published.accuracy_deviation:.3f})"
        _frame(axes, rates.index(paper[0]), sizes.index(paper[1]), name, 1)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _mean(cell: GridCell | None) -> float:
    done = cell is not None and cell.state == "COMPLETE" and cell.mean_accuracy is not None
    return cell.mean_accuracy if done else float("nan")  # type: ignore[union-attr,return-value]


def _write(axes: Axes, row: int, column: int, cell: GridCell, colour: str) -> None:
    said = UNDONE.get(cell.state, cell.state.lower())
    if not said and cell.mean_accuracy is not None:
        said = f"{cell.mean_accuracy:.3f}"
        if cell.std_accuracy is not None:
            said += f"\n± {cell.std_accuracy:.3f}"
    axes.text(column, row, said, ha="center", va="center", fontsize=9, color=colour)


def _frame(axes: Axes, row: int, column: int, label: str, inset: int) -> None:
    """Frame a cell: the first frame solid and wide, the second dashed, and inside the first."""
    edge = 0.47 - 0.07 * inset
    style = {"linestyle": (0, (3, 2)), "linewidth": 1.6} if inset else {"linewidth": 3}
    axes.add_patch(
        Rectangle(
            (column - edge, row - edge), 2 * edge, 2 * edge,
            fill=False, edgecolor="#D0006F", label=label, path_effects=HALO, **style,
        )
    )  # fmt: skip


def alpha_curve(
    model: str, cells: Sequence[GridCell], best: GridCell | None, pairs: str = "test"
) -> Figure:
    """Mean accuracy on `pairs` against alpha, with the standard deviation as error bars.

    Source: Fig. 2b.
    """
    figure, axes = canvas(f"{model}: {pairs} accuracy against alpha")
    done = sorted(
        (cell.alpha, cell.mean_accuracy, cell.std_accuracy or 0.0)
        for cell in cells
        if cell.alpha is not None and cell.state == "COMPLETE" and cell.mean_accuracy is not None
    )
    alphas, means, deviations = zip(*done, strict=True) if done else ((), (), ())
    axes.errorbar(
        alphas, means, deviations, color=OURS, marker="o", capsize=3, label="ours, mean ± sd"
    )
    published = PAPER[model]
    axes.errorbar(
        [(published.alpha or 0.0) + ASIDE], [published.accuracy], [published.accuracy_deviation],
        color="#707070", marker="s", markerfacecolor="white", linestyle="none", capsize=6,
        label="the paper's winner",
    )  # fmt: skip
    if best is not None and best.alpha is not None and best.mean_accuracy is not None:
        axes.plot(
            best.alpha, best.mean_accuracy, marker="*", markersize=17, color="#DDAA33",
            markeredgecolor="black", linestyle="none", zorder=3,
            label=f"winner: alpha {best.alpha:g}, {best.mean_accuracy:.3f}",
        )  # fmt: skip
    axes.set_xlabel("alpha (weight of the auxiliary loss)")
    axes.set_ylabel(f"{pairs} accuracy (fraction)")
    axes.set_xticks([tenth / 10 for tenth in range(11)])
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
