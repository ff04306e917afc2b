"""The findings in plain sentences: each follows from the numbers and their intervals."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import listed, plus_minus
from studies.report.effects import INTERACTION, Effect, together
from studies.report.headline import is_restless
from studies.report.page import estimate, probability
from studies.report.pairs import Comparison, comparison
from studies.report.published import agreement
from studies.report.runs import ModelRun
from studies.report.statistics import SIGNIFICANT, Estimate, smallest_p


def findings(
    runs: Mapping[str, ModelRun],
    treatments: Sequence[str],
    effects: Sequence[Effect],
    comparisons: Sequence[Comparison],
) -> list[str]:
    """Return what the data show: effects first, then the best model, then what is published."""
    measured = f"test {next(iter(runs.values())).objective}"
    sentences = [
        *_effects(treatments, effects, measured), *_sum(effects), *_seconds(treatments, effects),
        *_best(runs, comparisons, measured), *_claims(runs),
    ]  # fmt: skip
    sentences += filter(None, [agreement(runs)])
    restless = [run.model for run in runs.values() if is_restless(run)]
    if restless:
        sentences.append(
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )
    return sentences


def _subjects(treatments: Sequence[str]) -> dict[str, str]:
    """Return what effects are called in a sentence."""
    if len(treatments) == 1:
        return {treatments[0]: treatments[0]}
    name = together(treatments)
    return {**{name: f"{name} alone" for name in treatments}, name: f"{name} together"}


def _effects(treatments: Sequence[str], effects: Sequence[Effect], measured: str) -> Iterator[str]:
    for name, subject in _subjects(treatments).items():
        it, s, has = ("it", "s", "has") if name in treatments else ("they", "", "have")
        verbs = {
            1: f"raise{s} {measured}",
            -1: f"lower{s} {measured}",
            0: f"{has} no clear effect on {measured}",
        }
        places = _by_direction([(e.group, e.objective) for e in effects if e.name == name])
        parts = [f"{verbs[direction]}{where}" for direction, where in places.items()]
        if parts:
            yield f"**{subject[0].upper()}{subject[1:]}** {f'; {it} '.join(parts)}."


def _sum(effects: Sequence[Effect]) -> Iterator[str]:
    verbs = {
        1: "give more than the sum of their effects",
        -1: "give less than the sum of their effects",
        0: "cannot be told from a plain sum of their effects",
    }
    places = _by_direction([(e.group, e.objective) for e in effects if e.name == INTERACTION])
    parts = [f"{verbs[direction]}{where}" for direction, where in places.items()]
    if parts:
        yield f"**Added up**, the two {'; they '.join(parts)}."


def _seconds(treatments: Sequence[str], effects: Sequence[Effect]) -> Iterator[str]:
    parts = []
    for name, subject in _subjects(treatments).items():
        known = [(e.group, e.seconds) for e in effects if e.name == name and e.seconds]
        if known:
            ratios = listed([f"{group} ×{ratio.value:.2f}".strip() for group, ratio in known])
            parts.append(f"{subject} {ratios}")
    if parts:
        yield (
            "**Training time** over the unchanged model's, each at its own parameters: "
            f"{'; '.join(parts)}."
        )


def _best(
    runs: Mapping[str, ModelRun], comparisons: Sequence[Comparison], measured: str
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
    known = {frozenset((pair.one, pair.other)): pair for pair in comparisons}
    pair = known.get(frozenset((first.model, second.model)))
    if pair and pair.objective.low is not None:
        chance = "may be" if pair.objective.direction == 0 else "is more than"
        text += f"; the lead of {abs(pair.objective.value):.3f} {chance} chance"
    yield text + "."


def _claims(runs: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield what becomes of each published claim: a test named beforehand needs no correction."""
    claims = [tuple(pair) for run in runs.values() for pair in run.attribute("no_better", [])]
    for first, second in dict.fromkeys(claims):
        if first not in runs or second not in runs:
            continue
        test = comparison(runs[first], runs[second])
        if test is None or test.objective_p is None:
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
            f"Our data {verdict} ({estimate(test.objective)}, p {_equal(test.objective_p)}). "
            f"{_time_of_claim(test)}"
        )


def _time_of_claim(test: Comparison) -> str:
    if test.seconds is None or test.seconds_p is None:
        return "Their times are not known."
    if test.seconds_p >= SIGNIFICANT:
        verb = "does not differ significantly"
    else:
        verb = "is longer" if test.seconds.value > 1 else "is shorter"
    return f"Its training time {verb} ({estimate(test.seconds)}, p {_equal(test.seconds_p)})."


def _equal(p_value: float) -> str:
    text = probability(p_value)
    return text if text.startswith("<") else f"= {text}"


def _by_direction(estimates: Sequence[tuple[str, Estimate]]) -> dict[int, str]:
    """Return ` in` the groups with their estimates, by what these show: up, down, nothing."""
    places = {}
    for direction in (1, -1, 0):
        shown = [
            f"{group} ({estimate(value)})".strip()
            for group, value in estimates
            if value.direction == direction
        ]
        if shown:
            places[direction] = f"{' in' * bool(estimates[0][0])} {listed(shown)}"
    return places
