"""The findings in plain sentences: each follows from the numbers and their intervals."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import listed, plus_minus
from studies.report.contrasts import Contrast
from studies.report.effects import INTERACTION, together
from studies.report.headline import is_restless
from studies.report.page import probability
from studies.report.published import agreement
from studies.report.runs import ModelRun
from studies.report.statistics import SIGNIFICANT, smallest_p


def findings(
    runs: Mapping[str, ModelRun],
    treatments: Sequence[str],
    effects: Sequence[Contrast],
    comparisons: Sequence[Contrast],
) -> Iterator[str]:
    """Yield what the data show: effects first, then the best model, then what is published."""
    measured = f"test {next(iter(runs.values())).objective}"
    yield from _effects(treatments, effects, measured)
    yield from _best(runs, comparisons, measured)
    yield from _claims(runs)
    yield from agreement(runs)
    restless = [run.model for run in runs.values() if is_restless(run)]
    if restless:
        yield (
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )


def _effects(
    treatments: Sequence[str], effects: Sequence[Contrast], measured: str
) -> Iterator[str]:
    by_name: dict[str, list[Contrast]] = {}
    for effect in effects:
        by_name.setdefault(effect.name, []).append(effect)
    subjects = {name: name if len(treatments) == 1 else f"{name} alone" for name in treatments}
    if len(treatments) > 1:
        name = together(treatments)
        subjects[name] = f"{name} together"
    times = []
    for name, subject in subjects.items():
        it, s, has = ("it", "s", "has") if name in treatments else ("they", "", "have")
        verbs = (f"raise{s} {measured}", f"lower{s} {measured}")
        shown = _by_direction(by_name.get(name, []), *verbs, f"{has} no clear effect on {measured}")
        if shown:
            yield f"**{subject[0].upper()}{subject[1:]}** {f'; {it} '.join(shown)}."
        timed = [(e.group, e.seconds) for e in by_name.get(name, []) if e.seconds]
        if timed:
            ratios = [f"{group} {seconds.text}".strip() for group, seconds in timed]
            times.append(f"{subject} {listed(ratios)}")
    shown = _by_direction(
        by_name.get(INTERACTION, []),
        "give more than the sum of their effects",
        "give less than the sum of their effects",
        "cannot be told from a plain sum of their effects",
    )
    if shown:
        yield f"**Added up**, the two {'; they '.join(shown)}."
    if times:
        yield (
            "**Training time** over the unchanged model's, each at its own parameters: "
            f"{'; '.join(times)}."
        )


def _by_direction(effects: Sequence[Contrast], up: str, down: str, unclear: str) -> list[str]:
    """Return what effects on the objective do, and ` in` which groups, with the estimates."""
    parts = []
    for direction, verb in ((1, up), (-1, down), (0, unclear)):
        shown = [
            f"{effect.group} ({effect.objective})".strip()
            for effect in effects
            if effect.objective.direction == direction
        ]
        if shown:
            parts.append(f"{verb}{' in' * bool(effects[0].group)} {listed(shown)}")
    return parts


def _best(
    runs: Mapping[str, ModelRun], comparisons: Sequence[Contrast], measured: str
) -> Iterator[str]:
    ranked = sorted(runs.values(), key=lambda run: -run.sign * run.result.mean)
    means = [plus_minus(run.result.mean, run.result.deviation, 3) for run in ranked]
    if len(ranked) < 2:
        yield f"**One model is complete**: {ranked[0].model}, with a {measured} of {means[0]}."
        return
    first, second = ranked[:2]
    text = (
        f"**The best {measured}** of {len(runs)} models has {first.model} ({means[0]}), before "
        f"{second.model} ({means[1]})"
    )
    leaders = {first.model, second.model}
    for pair in comparisons:
        lead = pair.objective
        if {run.model for run in pair.runs} == leaders and lead.low is not None:
            chance = "may be" if lead.direction == 0 else "is more than"
            text += f"; the lead of {abs(lead.value):.3f} {chance} chance"
    yield text + "."


def _claims(runs: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield what becomes of each published claim: a test named beforehand needs no correction."""
    claims = [tuple(pair) for run in runs.values() for pair in run.attribute("no_better", [])]
    for first, second in dict.fromkeys(claims):
        if first not in runs or second not in runs:
            continue
        test = Contrast("claim", (runs[first], runs[second]))
        if test.objective_p is None:
            continue
        if smallest_p(test.seeds) >= SIGNIFICANT:
            verdict = f"are too few to tell, with {test.seeds} seeds"
        elif test.objective_p >= SIGNIFICANT:
            verdict = "agree: the difference is not significant"
        elif runs[first].sign * test.objective.value > 0:
            verdict = "disagree: it is significantly better"
        else:
            verdict = "go further: it is significantly worse"
        yield (
            f"**A published claim** is that {second} is not significantly better than {first}. "
            f"Our data {verdict} ({test.objective}, p {_equal(test.objective_p)}). "
            f"{_time_of_claim(test)}"
        )


def _time_of_claim(test: Contrast) -> str:
    if test.seconds is None or test.seconds_p is None:
        return "Their times are not known."
    if test.seconds_p >= SIGNIFICANT:
        verb = "does not differ significantly"
    else:
        verb = "is longer" if test.seconds.value > 1 else "is shorter"
    return f"Its training time {verb} ({test.seconds}, p {_equal(test.seconds_p)})."


def _equal(p_value: float) -> str:
    text = str(probability(p_value))
    return text if text.startswith("<") else f"= {text}"
