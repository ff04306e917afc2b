"""What the factors of models do: the estimates, their section and their figures.

Factors that are true or false are treatments; the others, such as an architecture, form groups.
"""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from studies.display.words import listed
from studies.figures.style import canvas, colours, legend_below, log_axis, rows_of_names
from studies.report.contrasts import Contrast
from studies.report.page import Pictures, table
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate

INTERACTION = "interaction"


def treatments(runs: Mapping[str, ModelRun]) -> list[str]:
    """Return the factors that are true or false of models, in their order."""
    factors = [run.attribute("factors", {}).items() for run in runs.values()]
    known = (name for given in factors for name, value in given if isinstance(value, bool))
    return list(dict.fromkeys(known))


def together(names: Sequence[str]) -> str:
    """Return what all treatments at once are called."""
    return "both" if len(names) == 2 else "all"


def weights(names: Sequence[str]) -> dict[str, dict[frozenset[str], int]]:
    """Return each treatment alone against none, all of them, and the interaction of two.

    Each is a weight for the mean of the model with just these treatments.
    """
    none: frozenset[str] = frozenset()
    every = frozenset(names)
    effects = {name: {none: -1, frozenset({name}): 1} for name in names}
    if len(names) > 1:
        effects[together(names)] = {none: -1, every: 1}
    if len(names) == 2:
        first, second = (frozenset({name}) for name in names)
        effects[INTERACTION] = {none: 1, first: -1, second: -1, every: 1}
    return effects


def effects(runs: Mapping[str, ModelRun]) -> list[Contrast]:
    """Return each effect whose models are among `runs` and share seeds, by group."""
    groups: dict[str, dict[frozenset[str], ModelRun]] = {}
    for run in runs.values():
        if run.attribute("factors", {}):
            form = frozenset(run.drawn.treatments)
            groups.setdefault(run.drawn.group, {}).setdefault(form, run)
    contrasts = [
        Contrast(name, [forms[form] for form in of_form], list(of_form.values()))
        for forms in groups.values()
        for name, of_form in weights(treatments(runs)).items()
        if of_form.keys() <= forms.keys()
    ]
    return [contrast for contrast in contrasts if contrast.seeds]


def effects_section(
    effects: Sequence[Contrast], names: Sequence[str], objective: str, pictures: Pictures
) -> Iterator[str]:
    """Yield the effects, per group, on the objective and on time."""
    yield f"## Effects of {listed(names)}"
    if not effects:
        yield "No group has a complete model with one of these changes, and one with none of them."
        return
    alone = [effect for effect in effects if effect.name != INTERACTION]
    yield pictures.shown(
        f"Effects on test {objective}, with intervals", f"effects-on-{objective}.png",
        effects_figure(
            f"What each change does to test {objective}",
            f"difference of mean test {objective} from the unchanged model",
            [(effect.group, effect.name, effect.objective) for effect in alone],
        ),
    )  # fmt: skip
    timed = [(e.group, e.name, e.seconds) for e in alone if e.seconds is not None]
    if timed:
        yield pictures.shown(
            "Effects on training time, with intervals", "effects-on-seconds.png",
            effects_figure(
                "What each change does to training time",
                "training seconds over the unchanged model's (ratio, log scale)",
                timed,
            ),
        )  # fmt: skip
    columns = list(weights(names))
    by_group: dict[str, dict[str, Contrast]] = {}
    for effect in effects:
        by_group.setdefault(effect.group, {})[effect.name] = effect

    def shown(measure: str) -> str:
        rows = [
            (group or "all models", *(getattr(known.get(name), measure, None) for name in columns))
            for group, known in by_group.items()
        ]
        return table(("group", *columns), rows)

    seeds = [str(number) for number in sorted({effect.seeds for effect in effects})]
    has_interaction = INTERACTION in columns
    yield (
        "Against the model with none of these changes, paired by seed "
        f"({listed(seeds)} seeds), with 95% bootstrap intervals."
        + f" The interaction is both - {' - '.join(names)} + none: 0 where the effects add up."
        * has_interaction
    )
    yield f"Difference of mean test {objective}:"
    yield shown("objective")
    of_interaction = " (of the interaction: 1 where the ratios multiply)" * has_interaction
    yield f"Ratio of mean training seconds{of_interaction}:"
    yield shown("seconds")
    yield "Each model trains at its own winner's parameters, so its time is that of these, too."


def effects_figure(title: str, label: str, rows: Sequence[tuple[str, str, Estimate]]) -> Figure:
    """Draw estimates by group and name, with their intervals; ratios on a logarithmic axis."""
    figure, axes = canvas(title, width=7.6, height=1.6 + 0.3 * max(len(rows), 3))
    neutral = rows[0][2].neutral
    axes.axvline(neutral, color="black", linewidth=1)
    of_group = colours(group for group, _, _ in rows)
    ends: list[float] = []
    for place, (group, _, estimate) in enumerate(rows):
        value = estimate.value
        low, high = (value if end is None else end for end in (estimate.low, estimate.high))
        ends += [low, high]
        # A bootstrap interval of few seeds may leave its value out.
        errors = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        axes.errorbar(
            [value], [place], xerr=errors, color=of_group[group], marker="o",
            markersize=6, markeredgecolor="black", ecolor="#303030", elinewidth=1.4, capsize=3,
        )  # fmt: skip
    names = [f"{group}: {name}" if group else name for group, name, _ in rows]
    rows_of_names(axes, names, [estimate.text for _, _, estimate in rows], 8.5)
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
