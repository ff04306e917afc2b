"""What the factors of models do: the estimates, their section and their figures.

Factors that are true or false are treatments; the others, such as an architecture, form groups.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from studies.display.words import listed, number_range
from studies.report.contrasts import Contrast, Measure, estimated
from studies.report.convergence import same_trainings
from studies.report.effects_figure import effects_figure
from studies.report.page import Pictures, table
from studies.report.runs import ModelRun
from studies.report.statistics import Estimate

INTERACTION = "interaction"

POOLED = "all"
"""The group of effects that are means over all groups."""

Form = frozenset[str]
"""The treatments that a model has."""


def treatments(runs: Mapping[str, ModelRun]) -> list[str]:
    """Return the factors that are true or false of models, in their order."""
    factors = [run.attribute("factors", {}).items() for run in runs.values()]
    known = (name for given in factors for name, value in given if isinstance(value, bool))
    return list(dict.fromkeys(known))


def weights(names: Sequence[str], forms: Sequence[Form]) -> dict[str, dict[Form, float]]:
    """Return the effects that models of some forms show, each as weights of their means, by name.

    These are each treatment alone, beside each of the others that it is found with; two treatments
    at once; and their interaction: what both give beyond the sum of what each gives alone.
    """
    steps = {
        name: [form for form in forms if name not in form and form | {name} in forms]
        for name in names
    }
    asked: dict[str, dict[Form, float]] = {}
    for name in names:
        for base in steps[name]:
            beside = _beside(frozenset({name}), base, names, forms)
            asked[name + beside] = {base: -1.0, base | {name}: 1.0}
    for first, second in combinations(names, 2):
        for base in steps[first]:
            one, other, both = base | {first}, base | {second}, base | {first, second}
            if second not in base and other in forms and both in forms:
                beside = _beside(frozenset({first, second}), base, names, forms)
                pair = f"{first} and {second}{beside}"
                asked[pair] = {base: -1.0, both: 1.0}
                asked[f"{INTERACTION} of {pair}"] = {base: 1.0, one: -1.0, other: -1.0, both: 1.0}
    return asked


def _beside(asked: Form, base: Form, names: Sequence[str], forms: Sequence[Form]) -> str:
    """Return which other treatments models have or lack meanwhile: `, with dropout`.

    A treatment is named where some models have it and some do not, both among the forms with what
    is `asked` and among the others.
    """
    having, lacking = ([f for f in forms if (asked <= f) == has] for has in (True, False))
    return "".join(
        f", with{'' if other in base else 'out'} {other}"
        for other in names
        if other not in asked
        and all(len({other in form for form in group}) > 1 for group in (having, lacking))
    )


@dataclass(frozen=True)
class Effects:
    """All effects, by name and then by group; those of `POOLED` are means over all groups."""

    contrasts: Mapping[str, Mapping[str, Contrast]]
    unclear: Sequence[str] = ()
    """The models whose studies name some of the factors, but not all that are treatments."""
    idle: Sequence[str] = ()
    """The models of which a treatment is off: they are the same as one that has fewer."""

    @classmethod
    def of(cls, runs: Mapping[str, ModelRun]) -> "Effects":
        """Return each effect whose models are among `runs` and share seeds."""
        groups: dict[str, dict[Form, ModelRun]] = {}
        names, unclear = treatments(runs), list[str]()
        idle = [
            run.model
            for same in same_trainings(runs.values())
            for run in same
            if any(set(other.drawn.treatments) < set(run.drawn.treatments) for other in same)
        ]
        for run in runs.values():
            factors = run.attribute("factors", {})
            if run.model in idle:
                continue
            if factors and not factors.keys() >= set(names):
                unclear.append(run.model)
            elif factors:
                form = frozenset(run.drawn.treatments)
                groups.setdefault(run.drawn.group, {}).setdefault(form, run)
        contrasts: dict[str, dict[str, Contrast]] = {}
        every = sorted(
            {form for forms in groups.values() for form in forms},
            key=lambda form: (len(form), sorted(map(names.index, form))),
        )
        for name, of_form in weights(names, every).items():
            known = {
                group: Contrast(name, [forms[form] for form in of_form], list(of_form.values()))
                for group, forms in groups.items()
                if of_form.keys() <= forms.keys()
            }
            known = {group: contrast for group, contrast in known.items() if contrast.seeds}
            if len(known) > 1:
                pooled = Contrast.mean(name, list(known.values()))
                known |= {POOLED: pooled} if pooled.seeds else {}
            if known:
                contrasts[name] = known
        return cls(contrasts, unclear, idle)

    @property
    def is_chosen_by_validation(self) -> bool:
        """Whether validation data chose a winner."""
        contrasts = (contrast for known in self.contrasts.values() for contrast in known.values())
        return any(run.chosen_by != "test" for contrast in contrasts for run in contrast.runs)

    @property
    def groups(self) -> list[str]:
        """The groups that have an effect, the mean over all last."""
        known = dict.fromkeys(group for of_name in self.contrasts.values() for group in of_name)
        return sorted(known, key=lambda group: group == POOLED)

    def estimates(self, measure: Measure) -> dict[tuple[str, str], Estimate]:
        """Return the estimates by name and group; they hold all at once."""
        keys = [(name, group) for name, known in self.contrasts.items() for group in known]
        values = estimated([self.contrasts[name][group] for name, group in keys], measure)
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def seeds(self, measure: Measure) -> str:
        """Return by how many seeds models are compared, such as `19 to 20 seeds`."""
        counts = [
            len(contrast.by_seed(measure))
            for known in self.contrasts.values()
            for contrast in known.values()
        ]
        return f"{number_range([count for count in counts if count])} seeds"

    def table(self, measure: Measure) -> str:
        """Return a line for each effect, a column for each group."""
        known = self.estimates(measure)
        rows = [
            [name, *(known.get((name, group)) for group in self.groups)]
            for name in self.contrasts
            if any((name, group) in known for group in self.groups)
        ]
        # A mean over some of the groups says over which.
        for row in rows:
            among = [group for group in self.contrasts[str(row[0])] if group != POOLED]
            if row[-1] is not None and len(among) + 1 < len(self.groups):
                row[-1] = f"{row[-1]} ({listed(among)})"
        return table(["effect", *(group or "all models" for group in self.groups)], rows)


def effects_section(
    effects: Effects, names: Sequence[str], objective: str, is_fraction: bool, pictures: Pictures,
    on_other_grids: Sequence[tuple[str, Effects]],
) -> Iterator[str]:  # fmt: skip
    """Yield the effects, per group and over all, on the objective and on time.

    `on_other_grids` are the effects where a parameter has other values, with where that is.
    """
    yield f"## Effects of {listed(names)}"
    if not effects.contrasts:
        yield "No group has two complete models that differ in one of these."
        return
    measures: list[tuple[Measure, str, str]] = [
        ("objective", f"Effects on test {objective}", f"difference of mean test {objective}"),
        (
            "seconds",
            "Effects on training time, each at its own parameters",
            "ratio of training seconds (log scale)",
        ),
    ]
    for measure, title, label in measures:
        known = effects.estimates(measure)
        if known:
            name = f"effects-on-{objective if measure == 'objective' else 'seconds'}"
            yield pictures.shown(
                f"{title}, with intervals", f"{name}.png", effects_figure(title, label, known)
            )
    if effects.unclear:
        yield (
            f"**Left out**, as their studies do not name all factors: {listed(effects.unclear)}. "
            "To run them again adds these, and trains nothing."
        )
    if effects.idle:
        yield (
            f"**Left out**, as a treatment is off at their winners' parameters: "
            f"{listed(effects.idle)}."
        )
    yield (
        f"Paired by seed ({effects.seeds('objective')}), with t intervals that hold for all "
        f"effects of a table at once (95%); the column {POOLED} is the mean over the groups. An "
        "interaction is what both changes give beyond the sum of what each gives alone: 0, and 1 "
        "of a ratio, where they add up."
    )
    yield f"Difference of mean test {objective}:"
    yield effects.table("objective")
    on_validation = effects.estimates("validation")
    if on_validation and not effects.is_chosen_by_validation:
        yield f"Difference of mean validation {objective}, on data by which no winner was chosen:"
        yield effects.table("validation")
    if is_fraction:
        yield f"Ratio of the odds of test {objective}, which no ceiling at 1 compresses:"
        yield effects.table("odds")
    if effects.estimates("seconds"):
        yield (
            "Ratio of training seconds, each model at its own winner's parameters, by the "
            f"{effects.seeds('seconds')} whose timings nothing disturbed:"
        )
        yield effects.table("seconds")
    else:
        yield (
            "No ratio of training seconds is shown: models were timed on different processors, or "
            "beside other work."
        )
    for where, elsewhere in on_other_grids:
        yield f"The same {where}, by {elsewhere.seeds('seconds')}:"
        yield elsewhere.table("seconds")
