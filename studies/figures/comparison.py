"""The models side by side: accuracy and training time, with the paper's beside ours."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from storage.queries import ModelResult
from studies.figures.style import OURS, PUBLISHED, canvas, log_seconds
from studies.paper import PAPER

Bar = tuple[float, float | None]
"""Mean and standard deviation."""


def accuracy_bars(results: Sequence[ModelResult]) -> Figure:
    """Test accuracy of the reruns of each model, with the paper's. Source: Fig. 3a."""
    figure, axes = _bars(
        "Test accuracy of the winners, mean ± standard deviation",
        {each.model: (each.mean_accuracy, each.std_accuracy) for each in results},
        {model: (each.accuracy, each.accuracy_deviation) for model, each in PAPER.items()},
        digits=3,
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel("test accuracy (fraction)")
    return figure


def seconds_bars(results: Sequence[ModelResult]) -> Figure:
    """Seconds that a training of each model takes, with the paper's. Source: Fig. 3b."""
    figure, axes = _bars(
        "Training time of the winners, mean ± standard deviation",
        {
            each.model: (each.mean_train_seconds, each.std_train_seconds)
            for each in results
            if each.mean_train_seconds is not None
        },
        {model: (each.seconds, each.seconds_deviation) for model, each in PAPER.items()},
        digits=1,
    )
    # From 1 s to 100 s: on a linear axis half of the bars would not be seen.
    shown = [each.mean_train_seconds for each in results if each.mean_train_seconds]
    log_seconds(axes, shown + [PAPER[each.model].seconds for each in results])
    axes.set_xlabel("seconds per training (wall time, log scale)")
    return figure


def _bars(
    title: str, ours: dict[str, Bar], published: dict[str, Bar], digits: int
) -> tuple[Figure, Axes]:
    models = [model for model in PAPER if model in ours]
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.42 * max(len(models), 2))
    for bars, shift, colour, label in (
        (ours, -0.2, OURS, "ours"),
        (published, 0.2, PUBLISHED, "the paper's"),
    ):
        axes.barh(
            [place + shift for place in range(len(models))],
            [bars[model][0] for model in models],
            height=0.38,
            xerr=[bars[model][1] or 0.0 for model in models],
            error_kw={"ecolor": "black", "elinewidth": 1, "capsize": 2},
            color=colour,
            label=label,
        )
    axes.set_yticks(range(len(models)), models)
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    numbers = axes.secondary_yaxis("right")
    numbers.set_yticks(
        range(len(models)),
        [f"{_text(ours[m], digits)}\n{_text(published[m], digits)}" for m in models],
        fontsize=7.5,
    )
    numbers.tick_params(length=0)
    numbers.spines[:].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure, axes


def _text(bar: Bar, digits: int) -> str:
    mean, deviation = bar
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
