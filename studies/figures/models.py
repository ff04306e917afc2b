"""The models side by side: objective and training time, what is published beside ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from storage.queries import ModelResult
from studies.display.words import listed, plus_minus
from studies.figures.style import (
    COLOURS,
    FAINT,
    MARKERS,
    OURS,
    PUBLISHED,
    canvas,
    colours,
    legend_below,
    log_seconds,
    rows_of_names,
)

Bar = tuple[Any, float | None]
"""Mean and standard deviation."""


@dataclass(frozen=True)
class DrawnModel:
    """What a figure shows of a model."""

    result: ModelResult
    published: Mapping[str, Any] = field(default_factory=dict)
    """As the study attribute of that name; empty where nothing is published."""
    factors: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The factors that are words, such as an architecture."""
        return ", ".join(value for value in self.factors.values() if isinstance(value, str))

    @property
    def treatments(self) -> tuple[str, ...]:
        """The factors that are true of it."""
        return tuple(name for name, value in self.factors.items() if value is True)


def objective_bars(models: Sequence[DrawnModel]) -> Figure:
    """Draw the objective of each model's reruns, with what is published."""
    objective = models[0].result.objective
    title = f"Test {objective} of the reruns, mean ± standard deviation"
    ours = [(model.result.mean, model.result.deviation) for model in models]
    figure, means = _bars(title, models, ours, ("mean", "deviation"), digits=3)
    # An accuracy, or another fraction: its whole range.
    if min(means) >= 0 and 0.5 <= max(means) <= 1:
        figure.axes[0].set_xlim(0, 1)
    figure.axes[0].set_xlabel(f"test {objective}")
    return figure


def seconds_bars(models: Sequence[DrawnModel]) -> Figure:
    """Draw the seconds that a training of each model takes, with what is published."""
    models = [model for model in models if model.result.mean_seconds]
    title = "Training time of the reruns, mean ± standard deviation"
    ours = [(m.result.mean_seconds or 0.0, m.result.deviation_seconds) for m in models]
    figure, means = _bars(title, models, ours, ("seconds", "seconds_deviation"), digits=1)
    # From 1 s to 100 s: on a linear axis half of the bars would not be seen.
    log_seconds(figure.axes[0], means)
    figure.axes[0].set_xlabel("seconds per training (wall time, log scale)")
    return figure


def _bars(
    title: str,
    models: Sequence[DrawnModel],
    ours: Sequence[Bar],
    names: tuple[str, str],
    digits: int,
) -> tuple[Figure, list[float]]:
    """Draw our bars beside those published under two names; return the means of all, too."""
    published = [(m.published.get(names[0]), m.published.get(names[1])) for m in models]
    is_alone = all(mean is None for mean, _ in published)
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.42 * max(len(models), 2))
    means: list[float] = []
    texts: list[list[str]] = [[] for _ in models]
    for bars, shift, colour, label in (
        (ours, 0.0 if is_alone else -0.2, OURS, "ours"), (published, 0.2, PUBLISHED, "published"),
    ):  # fmt: skip
        known = {place: bar for place, bar in enumerate(bars) if bar[0] is not None}
        for place, (mean, deviation) in known.items():
            means.append(mean)
            texts[place].append(plus_minus(mean, deviation, digits))
        axes.barh(
            [place + shift for place in known], [mean for mean, _ in known.values()], height=0.38,
            xerr=[deviation or 0.0 for _, deviation in known.values()], color=colour,
            error_kw={"ecolor": "black", "elinewidth": 1, "capsize": 2},
            label=label if known else None,
        )  # fmt: skip
    names_of_models = [model.result.model for model in models]
    rows_of_names(axes, names_of_models, ["\n".join(text) for text in texts], 7.5)
    if not is_alone:
        legend_below(figure)
    return figure, means


def objective_against_seconds(models: Sequence[DrawnModel]) -> Figure:
    """Draw the objective of each model against the time that one training takes.

    Groups have a colour, and what is done to their models a marker; without factors each model has
    a marker.
    """
    models = [model for model in models if model.result.mean_seconds]
    objective = models[0].result.objective
    figure, axes = canvas(f"Test {objective} against training time, mean ± sd", width=8.4)
    looks, legend = _looks(models)
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
    figure.legend(handles=legend, loc="outside right center", frameon=False)
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
    forms = dict.fromkeys(listed(model.treatments) or "none" for model in models)
    of_form = {form: MARKERS[place % len(MARKERS)] for place, form in enumerate(forms)}
    looks = {
        model.result.model: (of_group[model.group], of_form[listed(model.treatments) or "none"])
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
