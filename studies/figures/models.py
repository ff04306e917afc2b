"""The models side by side: objective and training time, what is published beside ours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import stdtrit

from storage.queries import ModelResult, Rerun
from studies.display.words import listed, plus_minus
from studies.figures.style import (
    COLOURS,
    FAINT,
    HEIGHT,
    MARKERS,
    OURS,
    canvas,
    colours,
    legend_below,
    log_seconds,
    rows_of_names,
)

PUBLISHED_LABEL = "published, mean ± sd"


@dataclass(frozen=True)
class DrawnModel:
    """What a figure shows of a model."""

    result: ModelResult
    published: Mapping[str, Any] = field(default_factory=dict)
    """As the study attribute of that name; empty where nothing is published."""
    factors: Mapping[str, str | bool] = field(default_factory=dict)
    values: Sequence[float] = ()
    """The objective of each rerun."""
    seconds: Sequence[float] = ()
    """The undisturbed seconds of each rerun."""

    @classmethod
    def of(
        cls,
        result: ModelResult,
        published: Mapping[str, Any],
        factors: Mapping[str, str | bool],
        reruns: Sequence[Rerun],
    ) -> "DrawnModel":
        """Return what a figure shows of a model with these reruns."""
        values = [rerun.value for rerun in reruns]
        seconds = [rerun.counted_seconds for rerun in reruns]
        return cls(
            result,
            published,
            factors,
            [value for value in values if value is not None],
            [taken for taken in seconds if taken is not None],
        )

    @property
    def group(self) -> str:
        """The factors that are words, such as an architecture."""
        return ", ".join(value for value in self.factors.values() if isinstance(value, str))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The factors that are true of it."""
        return tuple(name for name, value in self.factors.items() if value is True)


def objective_dots(models: Sequence[DrawnModel]) -> Figure:
    """Draw the objective of each model's reruns, with what is published."""
    objective = models[0].result.objective
    title = f"Test {objective} of the reruns: each, and their mean"
    figure = _dots(title, models, [model.values for model in models], ("mean", "deviation"), 3)
    figure.axes[0].set_xlabel(f"test {objective}")
    return figure


def seconds_dots(models: Sequence[DrawnModel]) -> Figure:
    """Draw the seconds that a training of each model takes, with what is published."""
    models = [model for model in models if model.result.mean_seconds]
    title = "Training time of the reruns: each, and their mean"
    names = ("seconds", "seconds_deviation")
    figure = _dots(title, models, [model.seconds for model in models], names, 1)
    known = [second for model in models for second in model.seconds]
    known += [model.published["seconds"] for model in models if model.published.get("seconds")]
    # They range from 1 s to 100 s.
    log_seconds(figure.axes[0], known)
    figure.axes[0].set_xlabel("seconds per training (wall time, log scale)")
    return figure


def _dots(
    title: str,
    models: Sequence[DrawnModel],
    samples: Sequence[Sequence[float]],
    names: tuple[str, str],
    digits: int,
) -> Figure:
    """Draw our reruns and their mean, and what is published under two names below them."""
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.42 * max(len(models), 2))
    texts = []
    for place, (model, sample) in enumerate(zip(models, samples, strict=True)):
        mean, deviation = fmean(sample), stdev(sample) if len(sample) > 1 else None
        axes.plot(
            sample, [place - 0.12] * len(sample), marker="|", markersize=9, color=f"{OURS}73",
            linestyle="none", label="ours, each rerun" if place == 0 else None,
        )  # fmt: skip
        axes.errorbar(
            [mean], [place - 0.12], xerr=[_half_width(sample)], color=OURS, marker="o",
            markersize=6, markeredgecolor="black", ecolor="black", elinewidth=1.6, capsize=3,
            label="ours, mean with its 95% interval by itself" if place == 0 else None,
        )  # fmt: skip
        text = plus_minus(mean, deviation, digits)
        theirs, spread = (model.published.get(name) for name in names)
        if theirs is not None:
            axes.errorbar(
                [theirs], [place + 0.24], xerr=None if spread is None else [spread],
                color="#707070", marker="D", markersize=5, markerfacecolor="white", elinewidth=1,
                capsize=2, label=None if PUBLISHED_LABEL in _labels(axes) else PUBLISHED_LABEL,
            )  # fmt: skip
            text += f"\n{plus_minus(theirs, spread, digits)}"
        texts.append(text)
    rows_of_names(axes, [model.result.model for model in models], texts, 7.5)
    legend_below(figure, columns=3)
    return figure


def _labels(axes: Axes) -> list[str]:
    return axes.get_legend_handles_labels()[1]


def _half_width(sample: Sequence[float]) -> float:
    """Return half the width of the 95% interval of a mean; 0 for a single value."""
    count = len(sample)
    if count < 2:
        return 0.0
    return float(stdtrit(count - 1, 0.975)) * stdev(sample) / math.sqrt(count)


def objective_against_seconds(models: Sequence[DrawnModel]) -> Figure:
    """Draw the objective of each model against the time that one training takes.

    Groups have a colour, and what is done to their models a marker; without factors each model has
    a marker.
    """
    models = [model for model in models if model.result.mean_seconds]
    objective = models[0].result.objective
    looks, legend = _looks(models)
    columns = 2 if any(model.factors for model in models) else 3
    rows = math.ceil(len(legend) / columns)
    title = f"Test {objective} against training time, mean ± sd"
    figure, axes = canvas(title, height=HEIGHT + 0.2 * rows)
    for model in models:
        colour, marker = looks[model.result.model]
        axes.errorbar(
            model.result.mean_seconds or 0.0, model.result.mean,
            model.result.deviation, model.result.deviation_seconds,
            color=colour, marker=marker, markersize=8, markeredgecolor="black",
            ecolor="#505050", elinewidth=1, capsize=2,
        )  # fmt: skip
    log_seconds(axes, [model.result.mean_seconds or 0.0 for model in models])
    axes.set_xlabel("seconds per training (wall time, all cores)")
    axes.set_ylabel(f"test {objective}")
    axes.grid(color=FAINT)
    legend_below(figure, columns, handles=legend)
    return figure


def _looks(models: Sequence[DrawnModel]) -> tuple[dict[str, tuple[str, str]], list[Line2D]]:
    """Return colour and marker of each model, and what the legend says of them."""
    if not any(model.factors for model in models):
        looks = {
            model.result.model: (
                OURS if place < len(MARKERS) else COLOURS[place // len(MARKERS) % len(COLOURS)],
                MARKERS[place % len(MARKERS)],
            )
            for place, model in enumerate(models)
        }
        return looks, [_handle(name, *look) for name, look in looks.items()]
    of_group = colours(model.group for model in models)
    forms = {model.result.model: listed(model.treatments) or "none of these" for model in models}
    of_form = {
        form: MARKERS[place % len(MARKERS)]
        for place, form in enumerate(dict.fromkeys(forms.values()))
    }
    looks = {
        model.result.model: (of_group[model.group], of_form[forms[model.result.model]])
        for model in models
    }
    groups = [
        Line2D([], [], color=colour, linewidth=6, label=group or "no group")
        for group, colour in of_group.items()
        if len(of_group) > 1
    ]
    return looks, groups + [_handle(form, "black", marker) for form, marker in of_form.items()]


def _handle(label: str, colour: str, marker: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, linestyle="none", label=label)
