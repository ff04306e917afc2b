"""The findings in plain sentences: each follows from the interval that stands beside it."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import listed, plus_minus
from studies.report.contrasts import Contrast, Pairs, estimated
from studies.report.effects import INTERACTION, Effects
from studies.report.published import agreement
from studies.report.replication import replication
from studies.report.runs import ModelRun
from studies.report.settings import other_trainings
from studies.report.statistics import MARGIN, Estimate


def findings(
    runs: Mapping[str, ModelRun], effects: Effects, pairs: Pairs, known: Sequence[ModelRun]
) -> Iterator[str]:
    """Yield what the data show: if what is published holds, what the factors do, which model wins.

    `runs` speak for their models, `known` are those of all experiments.
    """
    measured = f"test {next(iter(runs.values())).objective}"
    yield from replication(known, runs)
    for way, count, gain in other_trainings(known):
        over = f" on the mean of {count} models that it changes" if count > 1 else ""
        yield f"**{way[0].upper()}{way[1:]}**: {_change(gain, measured)}{over} ({gain})."
    yield from _effects(effects, measured)
    yield from _best(runs, pairs, measured)
    yield from _claims(runs)
    yield from agreement(runs)
    restless = [run.model for run in runs.values() if run.is_restless]
    if restless:
        yield (
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )


def _effects(effects: Effects, measured: str) -> Iterator[str]:
    """Yield a sentence on each effect: what it does over all groups, and its size in each."""
    known, times = effects.estimates("objective"), effects.estimates("seconds")
    for name in effects.contrasts:
        sizes = {group: known[name, group] for group in effects.groups if (name, group) in known}
        # The mean over all groups, where there are several, is the last.
        *alone, overall = sizes
        parts = [f"{sizes[overall]}{' over all' if alone else f' in {overall}' * bool(overall)}"]
        parts += [f"{group} {sizes[group]}" for group in alone]
        is_interaction = name.startswith(INTERACTION)
        verdict = _sign(sizes[overall]) if is_interaction else _change(sizes[overall], measured)
        time = None if is_interaction else times.get((name, overall))
        took = "" if time is None else f"; training time {time}"
        yield f"**{name[0].upper()}{name[1:]}**: {verdict} ({'; '.join(parts)}){took}."


def _change(effect: Estimate, measured: str) -> str:
    """Return what an interval allows to say of a change."""
    if effect.direction:
        return f"{measured} {'rises' if effect.direction > 0 else 'falls'}"
    if effect.is_equal():
        return f"{measured} changes by less than {MARGIN:g}"
    return f"{measured} does not clearly change"


def _sign(effect: Estimate) -> str:
    """Return what an interval allows to say of a number."""
    return {1: "positive", -1: "negative", 0: "cannot be told from 0"}[effect.direction]


def _best(runs: Mapping[str, ModelRun], pairs: Pairs, measured: str) -> Iterator[str]:
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
    for pair, lead in zip(pairs.contrasts, pairs.estimates, strict=True):
        if (
            {run.model for run in pair.runs} == leaders
            and lead is not None
            and lead.low is not None
        ):
            verdict = "is more than chance" if lead.direction else "may be chance"
            verdict = f"is less than {MARGIN:g}" if lead.is_equal() else verdict
            gain = lead if pair.runs[0] is first else -lead
            text += f"; the lead {verdict} ({gain})"
    yield text + "."


def _claims(runs: Mapping[str, ModelRun]) -> Iterator[str]:
    """Yield what becomes of each published claim: a test named beforehand needs no correction."""
    claims = [tuple(pair) for run in runs.values() for pair in run.attribute("no_better", [])]
    for first, second in dict.fromkeys(claims):
        if first not in runs or second not in runs:
            continue
        test = Contrast("claim", (runs[first], runs[second]))
        (gain,) = estimated([test])
        if gain is None or gain.low is None:
            continue
        is_better = runs[first].sign * gain.direction > 0
        if is_better:
            verdict = "disagree: it is better"
        elif gain.direction:
            verdict = "go further: it is worse"
        elif gain.is_equal():
            verdict = f"agree: the two are equal within {MARGIN:g}"
        else:
            verdict = "do not contradict it: the two cannot be told apart"
        (seconds,) = estimated([test], "seconds")
        took = "" if seconds is None else f" Its training time is {seconds}."
        yield (
            f"**A published claim** is that {second} is not significantly better than {first}. "
            f"Our data {verdict} ({gain}, the interval of this one comparison).{took}"
        )
