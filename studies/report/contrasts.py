"""Models against each other by seed: estimates and tests, and the section on all pairs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from storage.rows import LEAST_TIMINGS
from studies.report.page import folded, probability, table
from studies.report.runs import ModelRun
from studies.report.statistics import (
    SIGNIFICANT,
    Estimate,
    Sample,
    difference,
    holm,
    ratio,
    signed_rank,
    smallest_p,
)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of models' means: weights (-1, 1) give the second minus the first."""

    name: str
    runs: Sequence[ModelRun]
    weights: Sequence[int] = (-1, 1)

    @property
    def group(self) -> str:
        """That of all the models; empty where they differ in it, or have none."""
        groups = {run.drawn.group for run in self.runs}
        return groups.pop() if len(groups) == 1 else ""

    @property
    def seeds(self) -> int:
        """How many pair; no estimate or test makes sense of none."""
        return len(self._values[0])

    @cached_property
    def objective(self) -> Estimate:
        """Difference of the mean objectives."""
        return difference(self._values, self.weights)

    @cached_property
    def seconds(self) -> Estimate | None:
        """Ratio of mean training seconds; None where they are not known."""
        # A clock that stood still gives no ratio.
        if not len(self._seconds[0]) or min(map(np.min, self._seconds)) <= 0:
            return None
        return ratio(self._seconds, self.weights)

    @cached_property
    def objective_p(self) -> float | None:
        """Of Wilcoxon's test on two models, not corrected; None for a single seed."""
        return signed_rank(*self._values)

    @cached_property
    def seconds_p(self) -> float | None:
        """As that of the objective."""
        return signed_rank(*self._seconds)

    @cached_property
    def _values(self) -> list[Sample]:
        return self._paired("value")

    @cached_property
    def _seconds(self) -> list[Sample]:
        """The undisturbed seconds by seed; none where those that pair are too few to believe."""
        paired = self._paired("counted_seconds")
        is_believable = len(paired[0]) >= min(LEAST_TIMINGS, self.seeds)
        return paired if is_believable else [of_model[:0] for of_model in paired]

    def _paired(self, measure: str) -> list[Sample]:
        """Return a measure of each model's reruns on the seeds that have it in all of them."""
        by_seed = [
            {rerun.seed: value for rerun in run.measured if (value := getattr(rerun, measure))
             is not None}
            for run in self.runs
        ]  # fmt: skip
        seeds = sorted(set.intersection(*map(set, by_seed)))
        return [np.array([values[seed] for seed in seeds], np.float64) for values in by_seed]


def comparisons(runs: Mapping[str, ModelRun]) -> list[Contrast]:
    """Return all pairs of models that share seeds, in the order of `runs`."""
    pairs = combinations(runs.values(), 2)
    contrasts = [
        Contrast(f"{first.model}, {second.model}", (first, second)) for first, second in pairs
    ]
    return [contrast for contrast in contrasts if contrast.seeds]


def pairs_section(tests: Sequence[Contrast], objective: str) -> Iterator[str]:
    """Yield tests of pairs: those within a group, then all."""
    yield "## Pairs of models"
    if not tests:
        yield "No two complete models share seeds."
        return
    yield (
        "Differences are those of the second model minus the first, seconds those of the second "
        "over the first, paired by seed, with 95% bootstrap intervals. p is that of Wilcoxon's "
        "signed-rank test after Holm's correction for all tests of its table; * is below "
        f"{SIGNIFICANT:g}."
    )
    groups = dict.fromkeys(test.group for test in tests if test.group)
    for group in groups:
        yield f"**{group}**"
        yield from _tests([test for test in tests if test.group == group], objective)
    if groups:
        yield folded(f"All {len(tests)} pairs", _tests(tests, objective))
    else:
        yield from _tests(tests, objective)


def _tests(tests: Sequence[Contrast], objective: str) -> Iterator[str]:
    """Yield a table, after a sentence where so few seeds leave it no chance of significance."""
    seeds = max(test.seeds for test in tests)
    least = smallest_p(seeds, len(tests))
    if least >= SIGNIFICANT:
        yield (
            f"With {seeds} seeds the smallest p of this test is {smallest_p(seeds):.3g}, and "
            f"{least:.2g} after correction for {len(tests)} tests: this table can find nothing "
            "significant, however clear. Its intervals say how large the differences are."
        )
    of_objective = holm([test.objective_p for test in tests])
    of_seconds = holm([test.seconds_p for test in tests])
    rows = [
        (test.name, test.objective, *_p(objective_p), test.seconds, *_p(seconds_p))
        for test, objective_p, seconds_p in zip(tests, of_objective, of_seconds, strict=True)
    ]
    yield table(("pair", objective, "p", "", "seconds", "p", ""), rows)


def _p(value: float | None) -> tuple[str | None, str]:
    return probability(value), "*" * (value is not None and value < SIGNIFICANT)
