"""How any two models differ: the section, and the tests in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from studies.report.effects import paired, time_ratio
from studies.report.page import estimate, folded, probability, table
from studies.report.runs import ModelRun
from studies.report.statistics import (
    SIGNIFICANT,
    Estimate,
    difference,
    holm,
    signed_rank,
    smallest_p,
)


@dataclass(frozen=True)
class Comparison:
    """Two models by seed: the second minus, or over, the first."""

    one: str
    other: str
    group: str | None
    """That of both; None where they differ in it, or have none."""
    seeds: int
    objective: Estimate
    objective_p: float | None
    """Of Wilcoxon's test, not corrected."""
    seconds: Estimate | None
    seconds_p: float | None


def comparison(one: ModelRun, other: ModelRun) -> Comparison | None:
    """Compare two models; None where they share no seeds."""
    pair = [one, other]
    samples, seconds = paired(pair), paired(pair, "train_seconds")
    if not len(samples[0]):
        return None
    groups = {run.drawn.group for run in pair}
    return Comparison(
        one.model, other.model, (groups.pop() or None) if len(groups) == 1 else None,
        len(samples[0]), difference(samples, (-1, 1)), signed_rank(*samples),
        time_ratio(pair, (-1, 1)), signed_rank(*seconds),
    )  # fmt: skip


def comparisons(runs: Mapping[str, ModelRun]) -> list[Comparison]:
    """Compare all pairs of models that share seeds, in the order of `runs`."""
    pairs = (comparison(*pair) for pair in combinations(runs.values(), 2))
    return [pair for pair in pairs if pair is not None]


def corrected(tests: Sequence[Comparison]) -> list[tuple[float | None, float | None]]:
    """Return Holm's p-values of the objective and of seconds, each among all of `tests`."""
    of_objective = holm([test.objective_p for test in tests])
    return list(zip(of_objective, holm([test.seconds_p for test in tests]), strict=True))


def pairs_section(tests: Sequence[Comparison], objective: str) -> str:
    """Return tests of pairs: those within a group, then all."""
    if not tests:
        return "No two complete models share seeds."
    parts = [
        "Differences are those of the second model minus the first, seconds those of the second "
        "over the first, paired by seed, with 95% bootstrap intervals. p is that of Wilcoxon's "
        "signed-rank test after Holm's correction for all tests of its table; * is below "
        f"{SIGNIFICANT:g}."
    ]
    groups = dict.fromkeys(test.group for test in tests if test.group)
    for group in groups:
        parts += [f"**{group}**", *_tests([t for t in tests if t.group == group], objective)]
    all_pairs = _tests(tests, objective)
    if groups:
        all_pairs = [folded(f"All {len(tests)} pairs", "\n\n".join(all_pairs))]
    return "\n\n".join([*parts, *all_pairs])


def _tests(tests: Sequence[Comparison], objective: str) -> list[str]:
    """Return a table, after a sentence where so few seeds leave it no chance of significance."""
    rows = [
        (
            f"{test.one}, {test.other}",
            estimate(test.objective), *_p(objective_p), estimate(test.seconds), *_p(seconds_p),
        )
        for test, (objective_p, seconds_p) in zip(tests, corrected(tests), strict=True)
    ]  # fmt: skip
    shown = table(("pair", objective, "p", "", "seconds", "p", ""), rows)
    seeds = max(test.seeds for test in tests)
    least = smallest_p(seeds, len(tests))
    if least < SIGNIFICANT:
        return [shown]
    return [
        f"With {seeds} seeds the smallest p of this test is {smallest_p(seeds):.3g}, and "
        f"{least:.2g} after correction for {len(tests)} tests: this table can find nothing "
        "significant, however clear. Its intervals say how large the differences are.",
        shown,
    ]


def _p(value: float | None) -> tuple[str, str]:
    return probability(value), "*" * (value is not None and value < SIGNIFICANT)
