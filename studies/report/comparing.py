"""The sections on effects and on pairs of models."""

from collections.abc import Sequence

from studies.figures.style import ARCHITECTURES
from studies.report.effects import (
    AUXILIARY,
    BOTH,
    INTERACTION,
    SHARING,
    Comparison,
    Effect,
    corrected,
)
from studies.report.markdown import estimate, folded, listed, probability, table
from studies.report.statistics import SIGNIFICANT, smallest_p

PLAIN = (
    "The plain model is one branch that sees the two images as two channels, not an unshared pair "
    "of branches. So weight sharing changes the shape of the network too; Aux, a pair of unshared "
    "branches with the auxiliary loss, differs from Auxsiamese in the sharing alone."
)

TIME = (
    "Each model trains at its own winner's settings: a larger batch size means fewer steps and "
    "less time, whatever the architecture."
)


def effects_section(effects: Sequence[Effect]) -> str:
    """The effects, per architecture, on accuracy and on time."""
    if not effects:
        return "No two complete models of one architecture are there to compare."
    columns = (SHARING, AUXILIARY, BOTH, INTERACTION)
    by_place = {(each.architecture, each.name): each for each in effects}
    kinds = [each for each in ARCHITECTURES if any(each == e.architecture for e in effects)]
    accuracy, seconds = [], []
    for kind in kinds:
        found = [by_place.get((kind, name)) for name in columns]
        accuracy.append((kind, *(estimate(each.accuracy if each else None) for each in found)))
        seconds.append((kind, *(estimate(each.seconds if each else None) for each in found)))
    seeds = sorted({each.seeds for each in effects})
    return "\n\n".join(
        [
            f"Against the plain model, paired by seed ({listed([str(n) for n in seeds])} seeds), "
            "with 95% bootstrap intervals. The interaction is both - sharing - auxiliary + plain: "
            "0 where the effects add up.",
            "Difference of mean test accuracies:",
            table(("architecture", *columns), accuracy),
            "Ratio of mean training seconds (of the interaction: 1 where the ratios multiply):",
            table(("architecture", *columns), seconds),
            PLAIN,
            TIME,
        ]
    )


def pairs_section(comparisons: Sequence[Comparison]) -> str:
    """Tests of pairs: those within an architecture, then all."""
    if not comparisons:
        return "No two complete models share seeds."
    parts = [
        "Differences are those of the second model minus the first, seconds those of the second "
        "over the first, paired by seed, with 95% bootstrap intervals. p is that of Wilcoxon's "
        "signed-rank test after Holm's correction for all tests of its table; * is below "
        f"{SIGNIFICANT:g}."
    ]
    for kind in ARCHITECTURES:
        of_kind = [each for each in comparisons if each.architecture == kind]
        if of_kind:
            parts += [f"**{kind}**", *_resolution(of_kind), _table(of_kind)]
    all_pairs = [*_resolution(comparisons), _table(comparisons)]
    parts.append(folded(f"All {len(comparisons)} pairs", "\n\n".join(all_pairs)))
    return "\n\n".join(parts)


def _table(tests: Sequence[Comparison]) -> str:
    titles = ("pair", "accuracy", "p", "", "seconds", "p", "")
    rows = [
        (
            f"{each.one}, {each.other}",
            estimate(each.accuracy), *_p(accuracy_p), estimate(each.seconds), *_p(seconds_p),
        )
        for each, (accuracy_p, seconds_p) in zip(tests, corrected(tests), strict=True)
    ]  # fmt: skip
    return table(titles, rows)


def _p(value: float | None) -> tuple[str, str]:
    return probability(value), "*" * (value is not None and value < SIGNIFICANT)


def _resolution(tests: Sequence[Comparison]) -> list[str]:
    """Say where the number of seeds leaves a table without any chance of significance."""
    seeds = max(each.seeds for each in tests)
    least = smallest_p(seeds, len(tests))
    if least < SIGNIFICANT:
        return []
    return [
        f"With {seeds} seeds the smallest p of this test is {smallest_p(seeds):.3g}, and "
        f"{least:.2g} after correction for {len(tests)} tests: this table can find nothing "
        "significant, however clear. Its intervals say how large the differences are."
    ]
