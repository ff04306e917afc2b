"""The findings in plain sentences: each follows from the interval that stands beside it."""

from collections.abc import Iterator, Mapping

from studies.display.words import listed, plus_minus
from studies.report.contrasts import Contrast, Pairs, estimated
from studies.report.effects import INTERACTION, POOLED, Effects
from studies.report.headline import is_restless
from studies.report.published import agreement
from studies.report.runs import ModelRun
from studies.report.statistics import MARGIN, Estimate


def findings(runs: Mapping[str, ModelRun], effects: Effects, pairs: Pairs) -> Iterator[str]:
    """Yield what the data show: effects first, then the best model, then what is published."""
    measured = f"test {next(iter(runs.values())).objective}"
    yield from _effects(effects, measured)
    yield from _best(runs, pairs, measured)
    yield from _claims(runs)
    yield from agreement(runs)
    restless = [run.model for run in runs.values() if is_restless(run)]
    if restless:
        yield (
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )


def _effects(effects: Effects, measured: str) -> Iterator[str]:
    """Yield a sentence on each effect: over all groups, then in each."""
    known, times = effects.estimates("objective"), effects.estimates("seconds")
    for name in effects.contrasts:
        of_groups = {
            group: known[name, group] for group in effects.groups if (name, group) in known
        }
        overall = of_groups.pop(POOLED, None)
        text = f"**{name[0].upper()}{name[1:]}**"
        parts = (
            [] if overall is None else [f"{_does(overall, name, measured)} over all ({overall})"]
        )
        parts += [
            f"{_does(estimate, name, measured)}{f' in {group}' if group else ''} ({estimate})"
            for group, estimate in of_groups.items()
        ]
        time = times.get((name, POOLED if overall is not None else next(iter(of_groups), "")))
        took = "" if time is None or name.startswith(INTERACTION) else f"; seconds {time}"
        yield f"{text} {'; '.join(parts)}{took}."


def _does(effect: Estimate, name: str, measured: str) -> str:
    """Return the verb that an interval allows."""
    if name.startswith(INTERACTION):
        words = {1: "is positive", -1: "is negative", 0: "cannot be told from 0"}
    else:
        words = {
            1: f"raises {measured}", -1: f"lowers {measured}",
            0: f"changes {measured} by less than {MARGIN:g}" if effect.is_equal()
            else f"has no clear effect on {measured}",
        }  # fmt: skip
    return words[effect.direction]


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
            text += f"; the lead {verdict} ({lead}, {pair.name.replace(', ', ' - ')})"
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
        took = "" if seconds is None else f" Its training takes {seconds} of the time."
        yield (
            f"**A published claim** is that {second} is not significantly better than {first}. "
            f"Our data {verdict} ({gain}).{took}"
        )
