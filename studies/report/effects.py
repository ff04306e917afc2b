"""What weight sharing and the auxiliary loss do, and how any two models differ."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from storage.measurements import Rerun
from studies.figures.style import ARCHITECTURES, architecture
from studies.report.results import ModelRun
from studies.report.statistics import Estimate, Sample, difference, holm, ratio, signed_rank

SHARING, AUXILIARY, BOTH, INTERACTION = (
    "weight sharing", "auxiliary loss", "both", "interaction",
)  # fmt: skip

CONTRASTS = {
    SHARING: {"plain": -1, "Siamese": 1},
    AUXILIARY: {"plain": -1, "Aux": 1},
    BOTH: {"plain": -1, "Auxsiamese": 1},
    INTERACTION: {"plain": 1, "Siamese": -1, "Aux": -1, "Auxsiamese": 1},
}
"""The weight of each variant's mean. The interaction is both - sharing - auxiliary + plain."""


@dataclass(frozen=True)
class Effect:
    """What a change to the plain model of an architecture does."""

    architecture: str
    name: str
    accuracy: Estimate
    """Difference of mean test accuracies."""
    seconds: Estimate | None
    """Ratio of mean training seconds; None where they are not known."""
    seeds: int
    """How many pair."""


@dataclass(frozen=True)
class Comparison:
    """Two models by seed: the second minus, or over, the first."""

    one: str
    other: str
    seeds: int
    accuracy: Estimate
    accuracy_p: float | None
    """Of Wilcoxon's test, not corrected."""
    seconds: Estimate | None
    seconds_p: float | None

    @property
    def architecture(self) -> str | None:
        """That of both; None where they differ in it."""
        kinds = {architecture(self.one), architecture(self.other)}
        return kinds.pop() if len(kinds) == 1 else None


def _accuracy(rerun: Rerun) -> float | None:
    return rerun.accuracy


def _seconds(rerun: Rerun) -> float | None:
    return rerun.train_seconds


def paired(
    runs: Sequence[ModelRun], measure: Callable[[Rerun], float | None] = _accuracy
) -> list[Sample]:
    """Return a measure of each run's reruns on the seeds that all of them have, in their order."""
    by_seed = [{each.seed: measure(each) for each in run.measured} for run in runs]
    common = set.intersection(*(set(each) for each in by_seed))
    seeds = sorted(s for s in common if all(each[s] is not None for each in by_seed))
    return [np.array([each[seed] for seed in seeds], np.float64) for each in by_seed]


def effects(runs: Mapping[str, ModelRun]) -> list[Effect]:
    """Estimate each effect whose models are among `runs` and share seeds, by architecture."""
    found = []
    for kind in ARCHITECTURES:
        for name, contrast in CONTRASTS.items():
            models = [each.removeprefix("plain") for each in (f"{v}{kind}" for v in contrast)]
            if set(models) <= runs.keys():
                chosen = [runs[model] for model in models]
                weights = list(contrast.values())
                samples = paired(chosen)
                if len(samples[0]):
                    accuracy = difference(samples, weights)
                    seconds = _ratio(chosen, weights)
                    found.append(Effect(kind, name, accuracy, seconds, len(samples[0])))
    return found


def comparisons(runs: Mapping[str, ModelRun]) -> list[Comparison]:
    """Compare all pairs of models that share seeds, in the order of `runs`."""
    found = []
    for one, other in combinations(runs, 2):
        pair = [runs[one], runs[other]]
        samples, seconds = paired(pair), paired(pair, _seconds)
        if len(samples[0]):
            found.append(
                Comparison(
                    one, other, len(samples[0]),
                    difference(samples, (-1, 1)), signed_rank(*samples),
                    _ratio(pair, (-1, 1)), signed_rank(*seconds),
                )
            )  # fmt: skip
    return found


def corrected(tests: Sequence[Comparison]) -> list[tuple[float | None, float | None]]:
    """Return Holm's p-values of accuracy and of seconds, each among all of `tests`."""
    by_accuracy = holm([each.accuracy_p for each in tests])
    return list(zip(by_accuracy, holm([each.seconds_p for each in tests]), strict=True))


def _ratio(runs: Sequence[ModelRun], weights: Sequence[int]) -> Estimate | None:
    samples = paired(runs, _seconds)
    # A clock that stood still gives no ratio.
    if not len(samples[0]) or min(map(np.min, samples)) <= 0:
        return None
    return ratio(samples, weights)
