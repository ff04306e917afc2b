"""Experiments side by side that differ in one setting: a way to choose, or how they train."""

from collections.abc import Sequence
from itertools import permutations

from studies.report.effects import paired
from studies.report.page import estimate, gap, table
from studies.report.runs import PUBLISHED, USUAL, ModelRun
from studies.report.searches import Trainings, optimism, values_on_test, winners_lead
from studies.report.statistics import Gap, difference

MEANING = {
    "select_on": "Optimism is by how much the winner's cell is better in the search than in its "
    "reruns, on test data. The difference is what choosing on the test data was worth, where it "
    "makes the second one worse.",
    "search": "Regret: in the joint search, by how much the best cell's mean is better than that "
    "of the stages' winner, paired by seed: what searching in stages lost there.",
    "rank_by": "A lower bound prefers cells whose repeats agree.",
    "racing": "Racing gives up cells that fall behind: it trains less.",
}


Pairs = Sequence[tuple[ModelRun, ModelRun]]
"""The models that are complete in two experiments."""


def counterparts(runs: Sequence[ModelRun]) -> list[tuple[str, Pairs]]:
    """Return all pairs of experiments that differ in one field of their protocols, with the field.

    The one with the usual way comes first.
    """
    experiments: dict[str, dict[str, ModelRun]] = {}
    for run in runs:
        if not run.missing:
            experiments.setdefault(run.experiment, {})[run.model] = run
    names, order = list(experiments), list(USUAL)
    known = []
    for first, second in permutations(names, 2):
        usual, variant = experiments[first], experiments[second]
        pairs = [(run, variant[model]) for model, run in usual.items() if model in variant]
        differing = pairs[0][0].differences(pairs[0][1]) if pairs else []
        if len(differing) == 1 and _is_usual(differing[0], *pairs[0], names):
            known.append((differing[0], pairs))
    return sorted(known, key=lambda pair: order.index(pair[0]) if pair[0] in order else len(order))


def _is_usual(field: str, usual: ModelRun, variant: ModelRun, names: Sequence[str]) -> bool:
    """Return whether the first experiment is the usual one of two that can be compared."""
    values = usual.protocol.get(field), variant.protocol.get(field)
    if field == "search" and PUBLISHED in values:
        return False
    if field in USUAL:
        return bool(values[0] == USUAL[field])
    return names.index(usual.experiment) < names.index(variant.experiment)


def settings_section(runs: Sequence[ModelRun], trainings: Trainings) -> str | None:
    """Return all pairs of experiments that can be set side by side; None where there are none."""
    parts = []
    for field, pairs in counterparts(runs):
        usual, variant = pairs[0]
        parts += [
            f"### `{variant.experiment}` beside `{usual.experiment}`",
            MEANING.get(field, f"These experiments differ in `{field}` alone."),
            _table(field, pairs, trainings),
        ]
    if not parts:
        return None
    intro = (
        f"Experiments that differ in one setting only. {runs[0].objective.capitalize()} is that of "
        "the reruns; differences are paired by seed, with 95% bootstrap intervals."
    )
    return "\n\n".join([intro, *parts])


def _table(field: str, pairs: Pairs, trainings: Trainings) -> str:
    usual, variant = (_label(run, field) for run in pairs[0])
    more = {"select_on": ["optimism"], "racing": ["trainings"]}.get(field, [])
    names = ("winner", pairs[0][0].objective, *more)
    titles = [f"{name}, {way}" for name in names for way in (usual, variant)]
    titles.insert(4, f"{variant} - {usual}")
    titles += ["regret"] * (field == "search")
    rows = [[*_common(*pair), *_more(field, *pair, trainings)] for pair in pairs]
    return table(["model", *titles], rows)


def _label(run: ModelRun, field: str) -> str:
    value = run.protocol.get(field)
    if field == "racing":
        return "racing" if value else "all repeats"
    return run.experiment if value is None or isinstance(value, list) else str(value)


def _common(*pair: ModelRun) -> list[str]:
    samples = paired(pair)
    results = [run.result for run in pair]
    return [
        pair[0].model,
        *(run.text(run.result.parameters) for run in pair),
        *(f"{result.mean:.4f}" for result in results),
        estimate(difference(samples, (-1, 1))) if len(samples[0]) else "-",
    ]


def _more(field: str, usual: ModelRun, variant: ModelRun, trainings: Trainings) -> list[str]:
    if field == "select_on":
        return [
            gap(optimism(run, trainings)) if values_on_test(run, trainings) else "-"
            for run in (usual, variant)
        ]
    if field == "search":
        lost = regret(usual, variant)
        return ["-" if lost is None else gap(lost)]
    if field == "racing":
        return [
            str(sum(cell.runs for stage in run.searches for cell in run.cells[stage]))
            for run in (usual, variant)
        ]
    return []


def regret(stages: ModelRun, joint: ModelRun) -> Gap | None:
    """Return what the stages' winner lacks of the best joint cell, in the joint search.

    None where its cell was given up there.
    """
    for cell in joint.cells[joint.searches[-1]]:
        if cell.parameters == stages.winner.parameters and cell.state == "COMPLETE":
            return winners_lead(joint, joint.winner, cell)
    return None
