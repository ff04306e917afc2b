"""Experiments side by side that differ in one setting: a way to choose, or the auxiliary loss."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from storage.measurements import RankedCell
from studies.protocol import PUBLISHED
from studies.report.effects import paired
from studies.report.markdown import estimate, gap, parameters, table
from studies.report.results import VARIANTS, ModelRun
from studies.report.searching import Rows, accuracies_on_test, optimism, winners_lead
from studies.report.statistics import Gap, difference

MEANING = {
    "select_on": "Optimism: test accuracy of the winner's cell in the search minus that of its "
    "reruns. A difference below 0 is what choosing on the test pairs was worth.",
    "search": "Regret: in the joint search, the best cell's mean minus that of the two-stage "
    "winner's cell, paired by seed: what searching in two stages lost there.",
    "rank_by": "A lower bound prefers cells whose repeats agree.",
    "racing": "Racing gives up cells that fall behind: it trains less.",
    "auxiliary": "What the paper's second softmax costs: `softmax` is its auxiliary loss, a "
    "softmax and then a cross entropy that has one of its own; `logits` is without the first one.",
}

USUAL = {**VARIANTS, "auxiliary": "softmax"}
"""The paper's way of each setting."""

MORE = {"select_on": ("optimism",), "racing": ("trainings",)}
"""What else is shown of both."""


@dataclass(frozen=True)
class Counterparts:
    """Two experiments whose protocols differ in one setting only."""

    field: str
    usual: str
    variant: str
    pairs: list[tuple[ModelRun, ModelRun]]
    """The models that are complete in both."""


def counterparts(runs: Sequence[ModelRun]) -> Iterator[Counterparts]:
    """Yield every such pair of experiments, the one with the paper's way first."""
    by_name: dict[str, dict[str, ModelRun]] = {}
    for run in runs:
        by_name.setdefault(run.experiment, {})[run.model] = run
    protocols = {name: next(iter(of.values())).protocol for name, of in by_name.items()}
    for field, usual in USUAL.items():
        for first, one in protocols.items():
            for second, other in protocols.items():
                differing = [k for k in one.keys() | other.keys() if one.get(k) != other.get(k)]
                is_search = field != "search" or other[field] != PUBLISHED
                if differing == [field] and one[field] == usual and is_search:
                    pairs = [
                        (run, by_name[second][model])
                        for model, run in by_name[first].items()
                        if model in by_name[second]
                        and (field != "auxiliary" or run.has_alpha)
                        and not run.missing
                        and not by_name[second][model].missing
                    ]
                    yield Counterparts(field, first, second, pairs)


def beside_section(runs: Sequence[ModelRun], rows: Rows) -> str | None:
    """All pairs of experiments that can be set side by side; None where there are none."""
    parts = []
    for each in counterparts(runs):
        if each.pairs:
            title = f"`{each.variant}` beside `{each.usual}`"
            parts += [f"### {title}", MEANING[each.field], _table(each, rows)]
    if not parts:
        return None
    intro = (
        "Experiments that differ in one setting only. Accuracies are those of the reruns; "
        "their differences are paired by seed, with 95% bootstrap intervals."
    )
    return "\n\n".join([intro, *parts])


def _table(each: Counterparts, rows: Rows) -> str:
    one, other = (_label(run, each.field) for run in each.pairs[0])
    both = ("winner", "accuracy", *MORE.get(each.field, ()))
    titles = [f"{name}, {way}" for name in both for way in (one, other)]
    titles.insert(4, f"{other} - {one}")
    if each.field == "search":
        titles.append("regret")
    lines = [[*_common(*pair), *_more(each.field, *pair, rows)] for pair in each.pairs]
    return table(["model", *titles], lines)


def _label(run: ModelRun, field: str) -> str:
    if field == "racing":
        return "racing" if run.protocol[field] else "all repeats"
    return str(run.protocol[field])


def _common(one: ModelRun, other: ModelRun) -> list[str]:
    samples = paired([one, other])
    results = (one.result, other.result)
    winners = [parameters(each.learning_rate, each.batch_size, each.alpha) for each in results]
    accuracies = [f"{each.mean_accuracy:.4f}" for each in results]
    known = len(samples[0]) > 0
    return [
        one.model, *winners, *accuracies,
        estimate(difference(samples, (-1, 1))) if known else "-",
    ]  # fmt: skip


def _more(field: str, one: ModelRun, other: ModelRun, rows: Rows) -> list[str]:
    if field == "select_on":
        known = [accuracies_on_test(run, rows) for run in (one, other)]
        return [
            gap(optimism(run, rows)) if found else "-"
            for run, found in zip((one, other), known, strict=True)
        ]
    if field == "search":
        lost = regret(one, other)
        return ["-" if lost is None else gap(lost)]
    if field == "racing":
        return [
            str(sum(c.runs for s in run.searches for c in run.cells[s])) for run in (one, other)
        ]
    return []


def regret(two_stage: ModelRun, joint: ModelRun) -> Gap | None:
    """What the two-stage winner lacks of the best joint cell, in the joint search; None where its
    cell was given up there."""
    wanted = _place(two_stage.winner)
    for cell in joint.cells[joint.searches[-1]]:
        if _place(cell) == wanted and cell.state == "COMPLETE":
            return winners_lead(joint.winner, cell)
    return None


def _place(cell: RankedCell) -> tuple[float, int, float | None]:
    return cell.learning_rate, cell.batch_size, cell.alpha
