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
    log_seconds,
    rows_of_names,
)

Bar = tuple[float, float | None]
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
    objective = _objective(models)
    ours = [(model.result.mean, model.result.deviation) for model in models]
    published = [_published(model, "mean", "deviation") for model in models]
    title = f"Test {objective} of the reruns, mean ± standard deviation"
    figure = _bars(title, models, ours, published, digits=3)
    shown = [bar[0] for bar in (*ours, *published) if bar is not None]
    # An accuracy, or another fraction: its whole range.
    if min(shown) >= 0 and 0.5 <= max(shown) <= 1:
        figure.axes[0].set_xlim(0, 1)
    figure.axes[0].set_xlabel(f"test {objective}")
    return figure


def seconds_bars(models: Sequence[DrawnModel]) -> Figure:
    """Draw the seconds that a training of each model takes, with what is published."""
    models = [model for model in models if model.result.mean_seconds]
    ours = [(m.result.mean_seconds or 0.0, m.result.deviation_seconds) for m in models]
    published = [_published(model, "seconds", "seconds_deviation") for model in models]
    title = "Training time of the reruns, mean ± standard deviation"
    figure = _bars(title, models, ours, published, digits=1)
    # From 1 s to 100 s: on a linear axis half of the bars would not be seen.
    log_seconds(figure.axes[0], [bar[0] for bar in (*ours, *published) if bar is not None])
    figure.axes[0].set_xlabel("seconds per training (wall time, log scale)")
    return figure


def objective_against_seconds(models: Sequence[DrawnModel]) -> Figure:
    """Draw the objective of each model against the time that one training takes.

    Groups have a colour, and what is done to their models a marker; without factors each model has
    a marker.
    """
    models = [model for model in models if model.result.mean_seconds]
    objective = _objective(models)
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


def _bars(
    title: str,
    models: Sequence[DrawnModel],
    ours: Sequence[Bar],
    published: Sequence[Bar | None],
    digits: int,
) -> Figure:
    is_alone = not any(published)
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.42 * max(len(models), 2))
    for bars, shift, colour, label in (
        (ours, 0.0 if is_alone else -0.2, OURS, "ours"),
        (published, 0.2, PUBLISHED, "published"),
    ):
        known = [(place, bar) for place, bar in enumerate(bars) if bar is not None]
        axes.barh(
            [place + shift for place, _ in known],
            [mean for _, (mean, _) in known],
            height=0.38,
            xerr=[deviation or 0.0 for _, (_, deviation) in known],
            error_kw={"ecolor": "black", "elinewidth": 1, "capsize": 2},
            color=colour,
            label=label if known else None,
        )
    texts = [
        "\n".join(plus_minus(*bar, digits) for bar in pair if bar is not None)
        for pair in zip(ours, published, strict=True)
    ]
    rows_of_names(axes, [model.result.model for model in models], texts, 7.5)
    if not is_alone:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _published(model: DrawnModel, mean: str, deviation: str) -> Bar | None:
    value = model.published.get(mean)
    return None if value is None else (value, model.published.get(deviation))


def _objective(models: Sequence[DrawnModel]) -> str:
    return listed(list(dict.fromkeys(model.result.objective for model in models)))
