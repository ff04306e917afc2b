"""Models against each other by seed, and the section on all pairs."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from storage.rows import LEAST_TIMINGS
from studies.display.words import number_range
from studies.report.page import folded, table
from studies.report.runs import ModelRun
from studies.report.statistics import (
    MARGIN,
    SIGNIFICANT,
    Estimate,
    Sample,
    estimates,
    least_p,
    step_down,
)

Measure = Literal["objective", "validation", "odds", "seconds"]
"""Differences of the objective, on test and on validation data; ratios of its odds, where it is a
fraction; ratios of seconds."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of models: weights (-1, 1) give the second minus, or over, the first."""

    name: str
    runs: Sequence[ModelRun]
    weights: Sequence[float] = (-1.0, 1.0)

    @classmethod
    def mean(cls, name: str, contrasts: Sequence["Contrast"]) -> "Contrast":
        """Return the mean of some contrasts, at least one, as a contrast."""
        runs = [run for contrast in contrasts for run in contrast.runs]
        weights = [weight for contrast in contrasts for weight in contrast.weights]
        return cls(name, runs, [weight / len(contrasts) for weight in weights])

    def by_seed(self, measure: Measure) -> dict[int, float]:
        """Return the weighted sum of each seed that all models have; of logarithms for ratios."""
        if measure == "seconds" and len({clock for run in self.runs for clock in run.clocks}) > 1:
            # Times on different processors compare the processors, not the models.
            return {}
        values = [_by_seed(run, measure) for run in self.runs]
        seeds = sorted(set.intersection(*map(set, values)))
        weighted = list(zip(self.weights, values, strict=True))
        return {seed: sum(weight * of_run[seed] for weight, of_run in weighted) for seed in seeds}

    def sample(self, measure: Measure) -> Sample:
        """Return the weighted sums in the order of the seeds."""
        return np.array(list(self.by_seed(measure).values()), np.float64)

    @property
    def seeds(self) -> int:
        """How many seeds all models have; no estimate or test makes sense of none."""
        return len(self.by_seed("objective"))

    @property
    def margin(self) -> float | None:
        """Models that differ by less are equal; None for an objective that is no fraction."""
        return MARGIN if all(run.is_fraction for run in self.runs) else None


def _by_seed(run: ModelRun, measure: Measure) -> dict[int, float]:
    values = {rerun.seed: rerun.value for rerun in run.measured if rerun.value is not None}
    if measure == "objective":
        return values
    if measure == "validation":
        on_validation = {
            rerun.seed: run.values([rerun.fingerprint or ""], "validation")
            for rerun in run.measured
        }
        return {seed: known[0] for seed, known in on_validation.items() if known}
    if measure == "odds":
        return {seed: math.log(v / (1 - v)) for seed, v in values.items() if 0 < v < 1}
    # A clock that stood still gives no ratio, and neither do the times of a busy machine.
    timed = [] if run.is_restless else run.measured
    seconds = {rerun.seed: rerun.counted_seconds for rerun in timed}
    return {seed: math.log(taken) for seed, taken in seconds.items() if taken}


def estimated(
    contrasts: Sequence[Contrast], measure: Measure = "objective"
) -> list[Estimate | None]:
    """Return estimates that are shown together; None where too few seeds are known."""
    samples = [contrast.sample(measure) for contrast in contrasts]
    least = [
        min(LEAST_TIMINGS, contrast.seeds) if measure == "seconds" else 1 for contrast in contrasts
    ]
    known = {
        place: sample
        for place, (sample, few) in enumerate(zip(samples, least, strict=True))
        if len(sample) >= max(1, few)
    }
    made = dict(zip(known, estimates(list(known.values())), strict=True))
    values = [made.get(place) for place in range(len(contrasts))]
    if measure in ("objective", "validation"):
        return values
    return [None if value is None else value.exp() for value in values]


def comparisons(runs: Mapping[str, ModelRun]) -> list[Contrast]:
    """Return all pairs of models that share seeds: the first minus the second, in their order."""
    pairs = combinations(runs.values(), 2)
    contrasts = [
        Contrast(f"{first.model}, {second.model}", (first, second), (1.0, -1.0))
        for first, second in pairs
    ]
    return [contrast for contrast in contrasts if contrast.seeds]


@dataclass(frozen=True)
class Pairs:
    """All pairs of models, as shown in one matrix."""

    contrasts: Sequence[Contrast]
    estimates: Sequence[Estimate | None]
    p_values: Sequence[float | None]

    @classmethod
    def of(cls, contrasts: Sequence[Contrast], measure: Measure) -> "Pairs":
        """Estimate and test all pairs, each by the seeds that both models have."""
        samples = [contrast.by_seed(measure) for contrast in contrasts]
        seeds = sorted({seed for sample in samples for seed in sample})
        rows = [[sample.get(seed, np.nan) for seed in seeds] for sample in samples]
        p_values = step_down(np.array(rows, np.float64)) if seeds else [None] * len(samples)
        return cls(contrasts, estimated(contrasts, measure), p_values)

    @property
    def texts(self) -> dict[tuple[str, str], str]:
        """The known differences of two models, by their names, with marks: `+0.031*`."""
        texts = {}
        for contrast, estimate, p in zip(
            self.contrasts, self.estimates, self.p_values, strict=True
        ):
            if estimate is not None:
                first, second = contrast.runs
                mark = "*" if p is not None and p < SIGNIFICANT else ""
                is_equal = not estimate.neutral and estimate.is_equal(contrast.margin)
                texts[first.model, second.model] = estimate.text + mark + "=" * is_equal
        return texts

    def matrix(self) -> str:
        """Return a table: a model in each row against those in the columns after it."""
        models = list(dict.fromkeys(run.model for pair in self.contrasts for run in pair.runs))
        titles, texts = ["", *map(str, range(2, len(models) + 1))], self.texts
        rows = [
            [f"{number} {first}", *(texts.get((first, second), "") for second in models[1:])]
            for number, first in enumerate(models, 1)
        ]
        return table(titles, rows)


def pairs_section(pairs: Pairs, objective: str) -> Iterator[str]:
    """Yield all pairs of models in a matrix, then their times."""
    contrasts = pairs.contrasts
    yield "## Pairs of models"
    if not contrasts:
        yield "No two complete models share seeds."
        return
    seeds = [contrast.seeds for contrast in contrasts]
    margin = contrasts[0].margin
    equal = (
        f"= marks two that are equal within {margin:g}: the interval of their difference, which "
        "holds for all pairs at once (95%), lies within it. "
        if margin is not None
        else ""
    )
    few = (
        f"With {max(seeds)} seeds no pair can be marked: the least p is {least_p(max(seeds)):g}. "
        if least_p(max(seeds)) >= SIGNIFICANT
        else ""
    )
    yield (
        f"Test {objective} of the model in the row minus that of the column's, mean over "
        f"{number_range(seeds)} seeds. * marks p < {SIGNIFICANT:g} by a step-down max-t sign-flip "
        f"test, corrected for all {len(contrasts)} pairs. {few}{equal}Without a mark the two "
        "cannot be told apart."
    )
    yield pairs.matrix()
    seconds = Pairs.of(contrasts, "seconds")
    if any(estimate is not None for estimate in seconds.estimates):
        yield folded(
            "Times of all pairs",
            ["Seconds of the row over those of the column, each at its own parameters.",
             seconds.matrix()],
        )  # fmt: skip
