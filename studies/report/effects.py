"""What the factors of models do: the section, and the estimates in it.

Factors that are true or false are treatments; the others, such as an architecture, form groups.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studies.display.words import listed
from studies.report.page import estimate, table
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate, Sample, difference, ratio

BOTH, ALL, INTERACTION = "both", "all", "interaction"
"""Names of effects beside those of single treatments."""

Contrast = Mapping[frozenset[str], int]
"""The weight of each model's mean, by what is done to the model."""


@dataclass(frozen=True)
class Effect:
    """What a change to the unchanged model of a group does."""

    group: str
    name: str
    objective: Estimate
    """Difference of the mean objectives."""
    seconds: Estimate | None
    """Ratio of mean training seconds; None where they are not known."""
    seeds: int
    """How many pair."""


def treatments(runs: Mapping[str, ModelRun]) -> list[str]:
    """Return the factors that are true or false of models, in their order."""
    factors = [run.attribute("factors", {}) for run in runs.values()]
    return list(
        dict.fromkeys(
            name for given in factors for name, value in given.items() if isinstance(value, bool)
        )
    )


def contrasts(names: Sequence[str]) -> dict[str, Contrast]:
    """Return each treatment alone against none, all of them, and the interaction of two."""
    none: frozenset[str] = frozenset()
    every = frozenset(names)
    weights: dict[str, Contrast] = {name: {none: -1, frozenset({name}): 1} for name in names}
    if len(names) > 1:
        weights[together(names)] = {none: -1, every: 1}
    if len(names) == 2:
        first, second = (frozenset({name}) for name in names)
        weights[INTERACTION] = {none: 1, first: -1, second: -1, every: 1}
    return weights


def together(names: Sequence[str]) -> str:
    """Return what all treatments at once are called."""
    return BOTH if len(names) == 2 else ALL


def effects(runs: Mapping[str, ModelRun]) -> list[Effect]:
    """Estimate each effect whose models are among `runs` and share seeds, by group."""
    names = treatments(runs)
    groups: dict[str, dict[frozenset[str], ModelRun]] = {}
    for run in runs.values():
        if run.attribute("factors", {}):
            form = frozenset(run.drawn.treatments)
            groups.setdefault(run.drawn.group, {}).setdefault(form, run)
    estimates = []
    for group, forms in groups.items():
        for name, contrast in contrasts(names).items():
            if contrast.keys() <= forms.keys():
                chosen, weights = [forms[form] for form in contrast], list(contrast.values())
                samples = paired(chosen)
                if len(samples[0]):
                    objective, seconds = difference(samples, weights), time_ratio(chosen, weights)
                    estimates.append(Effect(group, name, objective, seconds, len(samples[0])))
    return estimates


def paired(runs: Sequence[ModelRun], measure: str = "value") -> list[Sample]:
    """Return a measure of each run's reruns, or `train_seconds`, on the seeds that all have."""
    by_seed = [{rerun.seed: getattr(rerun, measure) for rerun in run.measured} for run in runs]
    common = set.intersection(*(set(values) for values in by_seed))
    seeds = sorted(s for s in common if all(values[s] is not None for values in by_seed))
    return [np.array([values[seed] for seed in seeds], np.float64) for values in by_seed]


def time_ratio(runs: Sequence[ModelRun], weights: Sequence[int]) -> Estimate | None:
    """Return the ratio of mean training seconds; None where they are not known."""
    samples = paired(runs, "train_seconds")
    # A clock that stood still gives no ratio.
    if not len(samples[0]) or min(map(np.min, samples)) <= 0:
        return None
    return ratio(samples, weights)


def effects_section(effects: Sequence[Effect], names: Sequence[str], objective: str) -> str:
    """Return the effects, per group, on the objective and on time."""
    if not effects:
        return "No group has a complete model with one of these changes, and one with none of them."
    columns = list(contrasts(names))
    by_place = {(effect.group, effect.name): effect for effect in effects}
    groups = dict.fromkeys(effect.group for effect in effects)
    values, seconds = [], []
    for group in groups:
        row = [by_place.get((group, name)) for name in columns]
        title = group or "all models"
        values.append((title, *(estimate(effect.objective if effect else None) for effect in row)))
        seconds.append((title, *(estimate(effect.seconds if effect else None) for effect in row)))
    seeds = [str(number) for number in sorted({effect.seeds for effect in effects})]
    has_interaction = INTERACTION in columns
    return "\n\n".join(
        [
            f"Against the model with none of these changes, paired by seed ({listed(seeds)} "
            "seeds), with 95% bootstrap intervals."
            + f" The interaction is both - {' - '.join(names)} + none: 0 where the effects add up."
            * has_interaction,
            f"Difference of mean test {objective}:",
            table(("group", *columns), values),
            "Ratio of mean training seconds"
            + " (of the interaction: 1 where the ratios multiply)" * has_interaction
            + ":",
            table(("group", *columns), seconds),
            "Each model trains at its own winner's parameters, so its time is that of these, too.",
        ]
    )
