"""The findings in plain sentences: what each says follows from the numbers and their intervals."""

from collections.abc import Iterator, Mapping, Sequence

from studies.report.effects import AUXILIARY, BOTH, INTERACTION, SHARING, Comparison, Effect
from studies.report.headline import agreement, is_restless
from studies.report.markdown import estimate, listed, probability
from studies.report.results import ModelRun
from studies.report.statistics import SIGNIFICANT, Estimate, smallest_p
from studies.wording import plus_minus

CLAIM = ("AuxsiameseCNN", "AuxsiameseResNet")
"""The paper: the second is not significantly better than the first."""

NAMES = {
    SHARING: "Weight sharing alone",
    AUXILIARY: "The auxiliary loss alone",
    BOTH: "Both together",
}


def findings(
    runs: Mapping[str, ModelRun], effects: Sequence[Effect], comparisons: Sequence[Comparison]
) -> list[str]:
    """Say what the data say, the paper's question first, then how it compares."""
    sentences = [*_accuracy(effects), *_addition(effects), *_seconds(effects)]
    sentences += [*_best(runs, comparisons), *_claim(comparisons), agreement(runs)]
    restless = [run.model for run in runs.values() if is_restless(run.result)]
    if restless:
        sentences.append(
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )
    return sentences


def _accuracy(effects: Sequence[Effect]) -> Iterator[str]:
    verbs = {1: "raises test accuracy in", -1: "lowers it in", 0: "has no clear effect in"}
    for name, subject in NAMES.items():
        said = _by_direction([(e.architecture, e.accuracy) for e in effects if e.name == name])
        if said:
            parts = [f"{verbs[direction]} {where}" for direction, where in said.items()]
            verb = {"Both together": _plural}.get(subject, str)
            yield f"**{subject}** {verb('; it '.join(parts))}."


def _plural(text: str) -> str:
    for singular, plural in (
        ("; it ", "; they "), ("raises", "raise"), ("lowers", "lower"), ("has no", "have no"),
    ):  # fmt: skip
        text = text.replace(singular, plural)
    return text


def _addition(effects: Sequence[Effect]) -> Iterator[str]:
    verbs = {
        1: "give more than the sum of each in",
        -1: "give less than the sum of each in",
        0: "cannot be told from a plain sum in",
    }
    said = _by_direction([(e.architecture, e.accuracy) for e in effects if e.name == INTERACTION])
    if said:
        parts = [f"{verbs[direction]} {where}" for direction, where in said.items()]
        yield f"**Added up**, the two {'; they '.join(parts)}."


def _seconds(effects: Sequence[Effect]) -> Iterator[str]:
    parts = []
    for name, subject in NAMES.items():
        known = [(e.architecture, e.seconds) for e in effects if e.name == name and e.seconds]
        if known:
            ratios = listed([f"{kind} ×{value.value:.2f}" for kind, value in known])
            parts.append(f"{subject.lower()} {ratios}")
    if parts:
        yield (
            "**Training time** over the plain model's, each at its own settings: "
            f"{'; '.join(parts)}."
        )


def _best(runs: Mapping[str, ModelRun], comparisons: Sequence[Comparison]) -> Iterator[str]:
    ranked = sorted(runs.values(), key=lambda run: run.result.mean_accuracy, reverse=True)
    if len(ranked) < 2:
        only = ranked[0].result
        accuracy = plus_minus(only.mean_accuracy, only.std_accuracy, 3)
        yield f"**One model is complete**: {only.model}, with a test accuracy of {accuracy}."
        return
    first, second = ranked[0].result, ranked[1].result
    text = (
        f"**The most accurate** of {len(runs)} models is {first.model} "
        f"({plus_minus(first.mean_accuracy, first.std_accuracy, 3)}), before {second.model} "
        f"({plus_minus(second.mean_accuracy, second.std_accuracy, 3)})"
    )
    known = {frozenset((each.one, each.other)): each for each in comparisons}
    pair = known.get(frozenset((first.model, second.model)))
    if pair and pair.accuracy.low is not None:
        chance = "may be" if pair.accuracy.direction == 0 else "is more than"
        text += f"; the lead of {abs(pair.accuracy.value):.3f} {chance} chance"
    yield text + "."


def _claim(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The paper's claim is one test, named beforehand: no correction is due."""
    for each in comparisons:
        if (each.one, each.other) == CLAIM and each.accuracy_p is not None:
            if smallest_p(each.seeds) >= SIGNIFICANT:
                verdict = f"are too few to tell, with {each.seeds} seeds"
            elif each.accuracy_p >= SIGNIFICANT:
                verdict = "agree: the difference is not significant"
            elif each.accuracy.value > 0:
                verdict = "disagree: it is significantly better"
            else:
                verdict = "go further: it is significantly worse"
            yield (
                f"**The paper claims** that {each.other} is not significantly more accurate than "
                f"{each.one}. Our data {verdict} ({estimate(each.accuracy)}, "
                f"p {_equal(each.accuracy_p)}). {_claimed_time(each)}"
            )


def _claimed_time(each: Comparison) -> str:
    if each.seconds is None or each.seconds_p is None:
        return "Their times are not known."
    if each.seconds_p >= SIGNIFICANT:
        verb = "does not differ significantly"
    else:
        verb = "is longer" if each.seconds.value > 1 else "is shorter"
    return f"Its training time {verb} ({estimate(each.seconds)}, p {_equal(each.seconds_p)})."


def _equal(p_value: float) -> str:
    text = probability(p_value)
    return text if text.startswith("<") else f"= {text}"


def _by_direction(estimates: Sequence[tuple[str, Estimate]]) -> dict[int, str]:
    """Architectures with their estimates, by what can be said of them: up, down, nothing."""
    return {
        direction: listed([f"{kind} ({estimate(value)})" for kind, value in of_direction])
        for direction in (1, -1, 0)
        if (of_direction := [pair for pair in estimates if pair[1].direction == direction])
    }
