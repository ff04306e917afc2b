"""What a store holds of each model in each experiment, and which of it is complete."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import Any

from storage.cells import DECIDED
from storage.measurements import RankedCell, Rerun, StudyAttributes
from storage.queries import ModelResult
from studies.paper import GUESSING, PAPER, trained_as
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, OLDER, PUBLISHED

RERUN = "rerun"

VARIANTS: Mapping[str, Any] = {
    "select_on": "test", "search": "two-stage", "rank_by": "mean", "racing": False,
}  # fmt: skip
"""The fields of a protocol that say how a winner is chosen, with the paper's way. Studies that
lack them were searched in that way."""

KEY = ("model", "learning_rate", "batch_size", "alpha", "epochs", "data", "auxiliary")
"""Columns of `training_runs` that say which cell a training belongs to."""

ALIKE = ("epochs", "pairs", "data_sha256")
"""The fields that two experiments must share for their trainings to be comparable, beside the
auxiliary loss."""


@dataclass(frozen=True)
class ModelRun:
    """One model in one experiment."""

    experiment: str
    model: str
    studies: Mapping[str, StudyAttributes]
    """By stage."""
    cells: Mapping[str, Sequence[RankedCell]]
    """By search stage, the winner first."""
    reruns: Sequence[Rerun]

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """The settings, those included that an older study lacks."""
        known = [study.attributes.get("protocol") for study in self.studies.values()]
        stored: dict[str, Any] = next(filter(None, known), {})
        return {**VARIANTS, **OLDER, **stored}

    @property
    def comparable(self) -> tuple[Any, ...]:
        """What trainings must share to be compared at all."""
        return tuple(self.protocol.get(name) for name in ALIKE)

    @property
    def alike(self) -> tuple[Any, ...]:
        """What trainings must share to stand in one table: the auxiliary loss, too."""
        return (*self.comparable, self.protocol["auxiliary"])

    def rows_of(self, cell: RankedCell) -> Iterator[tuple[Any, ...]]:
        """Yield what a cell's trainings have in the columns KEY of `training_runs`."""
        data, epochs = self.studies[cell.stage].attributes.get("data"), self.protocol.get("epochs")
        auxiliary = self.protocol["auxiliary"] if cell.alpha else None
        # Before models shared trainings, those at alpha 0 were recorded under their own name.
        for model, alpha in {(self.model, cell.alpha), trained_as(self.model, cell.alpha)}:
            yield model, cell.learning_rate, cell.batch_size, alpha, epochs, data, auxiliary

    @property
    def is_variant(self) -> bool:
        """Whether its winner is chosen in another way than the paper's."""
        return any(self.protocol[name] != usual for name, usual in VARIANTS.items())

    @property
    def searches(self) -> list[str]:
        """The search stages that its protocol asks for."""
        if self.protocol["search"] == PUBLISHED:
            return []
        if self.protocol["search"] == "joint" and "lr-batch" not in self.studies:
            return ["joint"]
        return ["lr-batch", "alpha"] if self.has_alpha else ["lr-batch"]

    @property
    def has_alpha(self) -> bool:
        """Whether the model has an auxiliary loss."""
        return PAPER[self.model].alpha is not None

    def space(self, stage: str) -> dict[str, Sequence[float]]:
        """The values that vary in a search stage."""
        rates = {
            "learning_rate": self.protocol.get("learning_rates", LEARNING_RATES),
            "batch_size": self.protocol.get("batch_sizes", BATCH_SIZES),
        }
        alphas = {"alpha": self.protocol.get("alphas", ALPHAS)}
        if stage == "alpha":
            return alphas
        return rates | alphas if stage == "joint" and self.has_alpha else rates

    @cached_property
    def missing(self) -> list[str]:
        """What is not done, in words; nothing where the model is complete."""
        found = []
        for stage in self.searches:
            total = math.prod(len(values) for values in self.space(stage).values())
            done = sum(cell.state in DECIDED for cell in self.cells.get(stage, ()))
            if done < total:
                found.append(f"{stage}: {done} of {total} cells")
        total = self.protocol.get("reruns", 10)
        if len(self.reruns) < total:
            found.append(f"{RERUN}: {len(self.reruns)} of {total} trainings")
        elif not self.measured:
            found.append(f"{RERUN}: all {total} trainings diverged")
        return found

    @property
    def winner(self) -> RankedCell:
        """The best cell of the last search stage; of a complete run only."""
        return self.cells[self.searches[-1]][0]

    @property
    def measured(self) -> list[Rerun]:
        """The reruns that did not diverge, by seed."""
        return [each for each in self.reruns if each.accuracy is not None]

    @property
    def dead(self) -> int:
        """How many reruns ended no better than guessing."""
        return sum((each.accuracy or 0.0) <= GUESSING for each in self.measured)

    @cached_property
    def result(self) -> ModelResult:
        """Means and deviations of the reruns; of a complete run only."""
        accuracies = [each.accuracy for each in self.measured if each.accuracy is not None]
        seconds = [s for each in self.measured if (s := each.train_seconds) is not None]
        first = self.measured[0]
        return ModelResult(
            self.experiment, self.model, self.studies[RERUN].attributes["parameters"],
            first.learning_rate, first.batch_size, first.alpha,
            fmean(accuracies), _deviation(accuracies),
            fmean(seconds) if seconds else None, _deviation(seconds), len(accuracies),
        )  # fmt: skip


def _deviation(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
