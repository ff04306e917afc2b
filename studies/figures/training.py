"""Figures of how winners train: loss against epoch, and accuracy against seconds."""

import statistics
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from storage.queries import ModelResult
from studies.figures.style import (
    ARCHITECTURES,
    COLOURS,
    MARKERS,
    OURS,
    VARIANTS,
    architecture,
    canvas,
    log_seconds,
    variant,
)


def loss_curve(model: str, curves: Sequence[tuple[float, ...]]) -> Figure:
    """Training loss against epoch: the mean of the reruns, and the band from least to most.

    Source: Fig. 2c.
    """
    figure, axes = canvas(f"{model}: training loss of {_count(curves)}")
    by_epoch = list(zip(*curves, strict=True))
    epochs = range(1, len(by_epoch) + 1)
    if len(curves) > 1:
        axes.fill_between(
            epochs, [min(losses) for losses in by_epoch], [max(losses) for losses in by_epoch],
            color=OURS, alpha=0.25, linewidth=0, label="from the least to the most of the reruns",
        )  # fmt: skip
    means = [statistics.fmean(losses) for losses in by_epoch]
    axes.plot(epochs, means, color=OURS, marker=".", label="mean")
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss (mean per pair, nats)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    return figure


def _count(curves: Sequence[object]) -> str:
    return f"{len(curves)} rerun{'s' * (len(curves) != 1)} of the winner"


def accuracy_against_seconds(results: Sequence[ModelResult]) -> Figure:
    """Test accuracy of each model against the time that one training takes, in seconds."""
    figure, axes = canvas("Test accuracy against training time, mean ± sd")
    for result in results:
        if result.mean_train_seconds is None:
            continue
        kind, form = architecture(result.model), variant(result.model)
        axes.errorbar(
            result.mean_train_seconds, result.mean_accuracy,
            result.std_accuracy, result.std_train_seconds,
            color=COLOURS[kind], marker=MARKERS[form], markersize=8, markeredgecolor="black",
            ecolor="#505050", elinewidth=1, capsize=2,
        )  # fmt: skip
    log_seconds(axes, [each.mean_train_seconds for each in results if each.mean_train_seconds])
    axes.set_xlabel("seconds per training (wall time, all cores)")
    axes.set_ylabel("test accuracy (fraction)")
    axes.grid(alpha=0.3)
    shown = {result.model for result in results}
    kinds = [each for each in ARCHITECTURES if any(architecture(m) == each for m in shown)]
    forms = [each for each in VARIANTS if any(variant(m) == each for m in shown)]
    figure.legend(
        handles=[Line2D([], [], color=COLOURS[each], linewidth=6, label=each) for each in kinds]
        + [
            Line2D([], [], color="black", marker=MARKERS[each], linestyle="none", label=each)
            for each in forms
        ],
        loc="outside right center",
        frameon=False,
    )
    return figure
