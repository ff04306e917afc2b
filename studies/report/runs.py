"""What a store holds of each model in each experiment, and which of it is complete."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import Any

from storage.cells import DECIDED
from storage.queries import ModelResult, RankedCell, Rerun, StudyAttributes
from storage.trainings import Value
from studies.display.words import value_text
from studies.experiment.stage import RERUN
from studies.figures import DrawnModel, Search

PUBLISHED = "published"
"""The `search` of an experiment that reruns published parameters."""

USUAL: Mapping[str, Any] = {
    "select_on": "test", "search": "stages", "rank_by": "mean", "racing": False,
}  # fmt: skip
"""The fields of a protocol that say how a winner is chosen, with what older studies did."""

_COUNTS = ("repeats", "reruns")


@dataclass(frozen=True)
class ModelRun:
    """One model in one experiment."""

    experiment: str
    model: str
    studies: Mapping[str, StudyAttributes]
    """By stage, as begun."""
    cells: Mapping[str, Sequence[RankedCell]]
    """By search stage, the winner first."""
    reruns: Sequence[Rerun]
    names: Sequence[str]
    """The parameters of the experiment's models."""

    def attribute(self, name: str, default: Any) -> Any:
        """Return what the first study of the model that has an attribute holds."""
        known = (study.attributes.get(name) for study in self.studies.values())
        return next((value for value in known if value is not None), default)

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """The settings, those included that an older study lacks."""
        goal = {name: self.attribute(name, usual) for name, usual in _GOAL.items()}
        return {**goal, **USUAL, **self.attribute("protocol", {})}

    @property
    def objective(self) -> str:
        """The name of what is measured."""
        return str(self.protocol["objective"])

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if self.protocol["direction"] == "minimize" else 1

    @property
    def published(self) -> Mapping[str, Any]:
        """The published result of the model; empty where there is none."""
        return dict(self.attribute("published", {}))

    @property
    def drawn(self) -> DrawnModel:
        """What figures show of it; of a complete run only."""
        return DrawnModel(self.result, self.published, self.attribute("factors", {}))

    @property
    def is_variant(self) -> bool:
        """Whether its winner is chosen in another way than usual."""
        return any(self.protocol[name] != usual for name, usual in USUAL.items())

    def differences(self, other: "ModelRun") -> list[str]:
        """Return the fields in which two protocols differ.

        A setting that only one of them has does not count where they search in different ways, as
        there it may have no meaning.
        """
        ours, theirs = self.protocol, other.protocol
        fields = ours.keys() | theirs.keys()
        if ours["search"] != theirs["search"]:
            fields = ours.keys() & theirs.keys()
        return sorted(name for name in fields if ours.get(name) != theirs.get(name))

    def trained_otherwise(self, other: "ModelRun") -> list[str]:
        """Return the fields that keep trainings from one table: of data, settings and objective."""
        definitions = {run.attribute("definition", None) for run in (self, other)} - {None}
        return ["definition"] * (len(definitions) > 1) + [
            name
            for name in self.differences(other)
            if name not in USUAL and name not in _COUNTS
            and not isinstance(self.protocol.get(name, other.protocol.get(name)), list)
        ]  # fmt: skip

    @property
    def searches(self) -> list[str]:
        """The search stages of the model's chain."""
        return [name for name in self.attribute("stages", list(self.studies)) if name != RERUN]

    def search(self, stage: str) -> Search:
        """Return what figures show of a search stage; its grid, too."""
        return Search.of_study(self.model, self.studies[stage].attributes, self.cells[stage])

    @cached_property
    def missing(self) -> list[str]:
        """What is not done, in words; nothing where the model is complete."""
        parts = []
        for stage in self.searches:
            if stage not in self.cells:
                parts.append(f"{stage}: not begun")
                continue
            total = math.prod(len(values) for values in self.search(stage).grid.values())
            done = sum(cell.state in DECIDED for cell in self.cells[stage])
            if done < total:
                parts.append(f"{stage}: {done} of {total} cells")
        total = self.protocol.get("reruns", 10)
        if len(self.reruns) < total:
            parts.append(f"{RERUN}: {len(self.reruns)} of {total} trainings")
        elif not self.measured:
            parts.append(f"{RERUN}: all {total} trainings diverged")
        return parts

    @property
    def winner(self) -> RankedCell:
        """The best cell of the last search stage; of a complete run only."""
        return self.cells[self.searches[-1]][0]

    @property
    def measured(self) -> list[Rerun]:
        """The reruns that did not diverge, by seed."""
        return [rerun for rerun in self.reruns if rerun.value is not None]

    @property
    def guessing(self) -> float | None:
        """The objective of trainings that learned nothing is no better than this."""
        value: float | None = self.attribute("guessing", None)
        return value

    @property
    def dead(self) -> int:
        """How many reruns ended no better than guessing."""
        if self.guessing is None:
            return 0
        limit = self.sign * self.guessing
        return sum(self.sign * (rerun.value or 0.0) <= limit for rerun in self.measured)

    @cached_property
    def result(self) -> ModelResult:
        """Means and deviations of the reruns; of a complete run only."""
        values = [rerun.value for rerun in self.measured if rerun.value is not None]
        seconds = [s for rerun in self.measured if (s := rerun.train_seconds) is not None]
        return ModelResult(
            self.experiment, self.model, self.objective, self.attribute("parameters", None),
            self.measured[0].parameters, fmean(values), _deviation(values),
            fmean(seconds) if seconds else None, _deviation(seconds), len(values),
        )  # fmt: skip

    def text(self, parameters: Mapping[str, Value]) -> str:
        """Return the values of a cell in the order of the parameters: `0.001, 16, 0.7`."""
        names = [name for name in self.names if name in parameters]
        shown = self.names[: self.names.index(names[-1]) + 1] if names else ()
        return ", ".join(value_text(parameters.get(name, "-")) for name in shown) or "-"


_GOAL = {"objective": "accuracy", "direction": "maximize"}


def _deviation(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None
