"""The findings in plain sentences: each follows from the interval that stands beside it."""

from collections.abc import Iterator, Mapping, Sequence

from studies.display.words import cell_text, fixed, listed, plus_minus
from studies.report.contrasts import Contrast, Pairs, estimated
from studies.report.convergence import same_trainings
from studies.report.effects import INTERACTION, POOLED, Effects
from studies.report.optimism import missed, missed_parameters
from studies.report.published import agreement
from studies.report.replication import replication, replications
from studies.report.runs import ModelRun
from studies.report.settings import other_trainings
from studies.report.statistics import MARGIN, SIGNIFICANT, Estimate


def findings(
    runs: Mapping[str, ModelRun], effects: Effects, pairs: Pairs, known: Sequence[ModelRun],
    on_other_grids: Sequence[tuple[str, Effects]] = (),
) -> Iterator[str]:  # fmt: skip
    """Yield what the data show: if what is published holds, what the factors do, which model wins.

    `runs` are one for each model, `known` are those of all experiments; `on_other_grids` are the
    effects where all models have the same value of a parameter, with where that is in words.
    """
    measured = f"test {next(iter(runs.values())).objective}"
    margin = MARGIN if all(run.is_fraction for run in runs.values()) else None
    yield from replication(known, runs)
    for way, models, gain in other_trainings(known):
        over = f" on average over {listed(models)}" if len(models) > 1 else f" in {models[0]}"
        yield f"**{way[0].upper()}{way[1:]}**: {_change(gain, measured, margin)} ({gain}{over})."
    yield from _effects(effects, measured, margin, on_other_grids)
    better = missed(known, runs)
    yield from _best(runs, pairs, measured, better)
    yield from missed_parameters(better)
    yield from _same_trainings(runs, effects)
    yield from _claims(runs, known)
    yield from agreement(runs)
    restless = [run.model for run in runs.values() if run.is_restless]
    if restless:
        yield (
            f"**Do not trust the times** of {listed(restless)}: they spread so far that other work "
            "must have slowed the machine down."
        )


def _effects(
    effects: Effects, measured: str, margin: float | None,
    on_other_grids: Sequence[tuple[str, Effects]],
) -> Iterator[str]:  # fmt: skip
    """Yield a sentence on each effect: what it does over all groups, and its size in each."""
    if not effects.contrasts:
        return
    known = effects.estimates("objective")
    # Each at its own parameters, models differ in time by these more than by what they are.
    ways = on_other_grids or [("each at its own parameters", effects)]
    times = [(way, of_way.estimates("seconds")) for way, of_way in ways]
    for name in effects.contrasts:
        sizes = {group: known[name, group] for group in effects.groups if (name, group) in known}
        if POOLED in sizes:
            overall = sizes.pop(POOLED)
            alone = [f"{group} {size}" for group, size in sizes.items()]
            verdict = _verdict(name, overall, measured, margin)
            among = "all" if len(sizes) + 1 == len(effects.groups) else listed(list(sizes))
            text = f"{verdict} ({'; '.join([f'{overall} over {among}', *alone])})"
        else:
            text = "; ".join(
                f"{_verdict(name, size, measured, margin)} ({size}{f' in {group}' * bool(group)})"
                for group, size in sizes.items()
            )
        for way, ratios in times if not name.startswith(INTERACTION) else ():
            taken = [
                f"{group} {ratio}".strip()
                for (effect, group), ratio in ratios.items()
                if effect == name and group != POOLED
            ]
            text += f"; training time, {way}: {', '.join(taken)}" * bool(taken)
        yield f"**{name[0].upper()}{name[1:]}**: {text}."


def _verdict(name: str, effect: Estimate, measured: str, margin: float | None) -> str:
    if not name.startswith(INTERACTION):
        return _change(effect, measured, margin)
    words = {
        1: "both together give more than the sum of what each gives",
        -1: "both together give less than the sum of what each gives",
        0: "both together cannot be told from the sum of what each gives",
    }
    return words[effect.direction]


def _change(effect: Estimate, measured: str, margin: float | None) -> str:
    """Return what an interval allows to say of a change."""
    if effect.direction:
        return f"{measured} {'rises' if effect.direction > 0 else 'falls'}"
    if effect.is_equal(margin):
        return f"{measured} changes by less than {margin:g}"
    return f"{measured} does not clearly change"


def _best(
    runs: Mapping[str, ModelRun], pairs: Pairs, measured: str,
    better: Sequence[tuple[ModelRun, Estimate]],
) -> Iterator[str]:  # fmt: skip
    """Yield which model is the best, and whether its lead is more than chance.

    `better` are parameters that searches missed: they may make another model the second one.
    """
    ranked = sorted(runs.values(), key=lambda run: -run.sign * run.result.mean)
    means = [plus_minus(run.result.mean, run.result.deviation, 3) for run in ranked]
    if len(ranked) < 2:
        yield f"**One model is complete**: {ranked[0].model}, with a {measured} of {means[0]}."
        return
    first, second = ranked[:2]
    text = (
        f"**{first.model} has the best {measured}** of {len(runs)} models, each at its own "
        f"parameters ({means[0]}), followed by {second.model} ({means[1]})"
    )
    leaders = {first.model, second.model}
    for pair, lead, p in zip(pairs.contrasts, pairs.estimates, pairs.p_values, strict=True):
        if {run.model for run in pair.runs} == leaders and lead is not None and p is not None:
            gain = lead if pair.runs[0] is first else -lead
            verdict = "is more than chance" if p < SIGNIFICANT else "may be chance"
            verdict = f"is less than {MARGIN:g}" if lead.is_equal(pair.margin) else verdict
            text += f"; the lead of {gain.text} {verdict} (p {_p_text(p)}, corrected for all pairs)"
    for run, _ in better:
        if run.model not in leaders and run.sign * (run.result.mean - second.result.mean) > 0:
            mean = plus_minus(run.result.mean, run.result.deviation, 3)
            text += f"; {run.model} has {mean} with parameters that its search missed"
    yield text + "."


def _same_trainings(runs: Mapping[str, ModelRun], effects: Effects) -> Iterator[str]:
    """Yield a sentence on models whose reruns were the same trainings, under two names."""
    for same in same_trainings(runs.values()):
        models = [run.model for run in same]
        idle = [model for model in models if model in effects.idle]
        yield (
            f"**{listed(models)} are the same** at their winners' parameters: their reruns agree "
            "in every loss, as what distinguishes them is off there."
            + f" So the effects leave out {listed(idle)}."
            * bool(idle)
        )


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {fixed(p, 3)}"


def _claims(runs: Mapping[str, ModelRun], known: Sequence[ModelRun]) -> Iterator[str]:
    """Yield what becomes of each published claim: a test named beforehand needs no correction.

    It is tested at the published parameters where both models were rerun there.
    """
    claims = [tuple(pair) for run in runs.values() for pair in run.attribute("no_better", [])]
    there = {ours.run.model: ours.run for ours in replications(known, runs) if ours.is_rerun}
    for first, second in dict.fromkeys(claims):
        is_there = first in there and second in there
        tested = there if is_there else runs
        if first not in tested or second not in tested:
            continue
        test = Contrast("claim", (tested[first], tested[second]))
        (gain,) = estimated([test])
        if gain is None or gain.low is None:
            continue
        is_better = tested[first].sign * gain.direction > 0
        if is_better:
            verdict = "disagree: it is better"
        elif gain.direction:
            verdict = "go further: it is worse"
        elif gain.is_equal(test.margin):
            verdict = f"agree: the two are equal within {MARGIN:g}"
        else:
            verdict = "do not contradict it: the two cannot be told apart"
        (seconds,) = estimated([test], "seconds")
        took = ""
        if seconds is not None:
            of_second, of_first = (
                cell_text(tested[model].result.parameters) for model in (second, first)
            )
            took = (
                f" {second} takes {seconds} the training time of {first}: that is with "
                f"{of_second}, against {of_first}."
            )
        yield (
            f"**A published claim** is that {second} is not significantly better than {first}. "
            f"{'At the published parameters our' if is_there else 'Our'} data {verdict} ({gain}; "
            f"asked beforehand, so not corrected).{took}"
        )
