"""What a store holds of each model in each experiment, and which of it is complete."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from storage.cells import DECIDED
from storage.queries import Certainty, ModelResult, RankedCell, Rerun, StudyAttributes
from storage.trainings import TrainingRun, Value
from studies.certainty import certainty_of
from studies.display.words import value_text
from studies.experiment.stage import RERUN
from studies.figures import DrawnModel, Search
from studies.figures.search import grid_of
from studies.report.gaps import Gap, Summary, summarized

PUBLISHED = "published"
"""The `search` of an experiment that reruns published parameters."""

USUAL: Mapping[str, Any] = {
    "select_on": "test", "search": "stages", "rank_by": "mean", "racing": False, "extend": 0,
    "settle": 0, "margin": 0.005,
}  # fmt: skip
"""The fields of a protocol that say how a winner is chosen, with what older studies did."""

RESTLESS = 0.25
"""Of the mean: seconds that spread further were not taken on a machine at rest."""


@dataclass(frozen=True)
class ModelRun:
    """One model in one experiment."""

    experiment: str
    model: str
    studies: Mapping[str, StudyAttributes]
    """By stage, as begun."""
    cells: Mapping[str, Sequence[RankedCell]]
    """By search stage, with what lies beyond its grid; the winner first."""
    reruns: Sequence[Rerun]
    names: Sequence[str]
    """The parameters of the experiment's models."""
    trainings: Mapping[str, TrainingRun] = field(default_factory=dict)
    """All trainings of the store, by fingerprint."""
    recorded_settings: Collection[str] = ()
    """The names of the settings that these are recorded with; empty where none are known."""

    def attribute(self, name: str, default: Any = None) -> Any:
        """Return an attribute, from the first study of the model that has it."""
        known = (study.attributes.get(name) for study in self.studies.values())
        return next((value for value in known if value is not None), default)

    @cached_property
    def protocol(self) -> dict[str, Any]:
        """The settings, those included that an older study lacks."""
        return {
            "objective": self.attribute("objective", "accuracy"),
            "direction": self.attribute("direction", "maximize"),
            **USUAL, **self.attribute("protocol", {}),
        }  # fmt: skip

    @property
    def objective(self) -> str:
        """The name of what is measured."""
        return str(self.protocol["objective"])

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return -1 if self.protocol["direction"] == "minimize" else 1

    def gain(self, difference: Gap) -> Gap:
        """Return a difference with the sign that is positive where the first is better."""
        return Gap(self.sign * difference.value, difference.error)

    @property
    def published(self) -> Mapping[str, Any]:
        """The published result of the model; empty where there is none."""
        return dict(self.attribute("published", {}))

    @property
    def drawn(self) -> DrawnModel:
        """What figures show of it; of a complete run only."""
        return DrawnModel.of(
            self.result, self.published, self.attribute("factors", {}), self.measured
        )

    @property
    def searches(self) -> list[str]:
        """The search stages of the model's chain."""
        return [name for name in self.attribute("stages", list(self.studies)) if name != RERUN]

    def search(self, stage: str) -> Search:
        """Return what figures show of a search stage; its grid, too."""
        return Search.of_study(self.model, self.studies[stage].attributes, self.cells[stage])

    def _studies_of(self, stage: str) -> list[StudyAttributes]:
        """Return the study of a stage's grid, those that go on beyond it, those that settle it."""
        return [
            study
            for name, study in self.studies.items()
            if stage in (name, study.attributes.get("extends"))
        ]

    def _cells_of(self, study: StudyAttributes) -> int:
        """Return how many cells a study has when it is complete."""
        known = study.attributes
        if "cells" in known:
            return len(known["cells"])
        grid = known.get("grid") or grid_of(known, self.cells[study.stage])
        return math.prod(len(values) for values in grid.values())

    @cached_property
    def certainty(self) -> dict[str, Certainty]:
        """How sure the winners of complete search stages are."""
        known = {s: certainty_of(self._studies_of(s)[-1], self.cells[s]) for s in self.searches}
        return {stage: certainty for stage, certainty in known.items() if certainty is not None}

    @cached_property
    def missing(self) -> list[str]:
        """What is not done, in words; nothing where the model is complete."""
        parts = []
        for stage in self.searches:
            if stage not in self.cells:
                parts.append(f"{stage}: not begun")
                continue
            studies, cells, name = self._studies_of(stage), self.cells[stage], stage
            if studies and "settles" in studies[-1].attributes:
                # The others were complete before it began.
                studies, name = studies[-1:], studies[-1].stage
                cells = [cell for cell in cells if cell.stage == name]
            total = sum(self._cells_of(study) for study in studies)
            done = sum(cell.state in DECIDED for cell in cells)
            if done < total:
                parts.append(f"{name}: {done} of {total} cells")
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
    def chosen_by(self) -> str:
        """The data by which winners are chosen: `test` or `validation`."""
        return str(self.protocol["select_on"])

    def values(self, fingerprints: Iterable[str], data: str) -> list[float]:
        """Return the objective of trainings on `test` or `validation` data, as far as known."""
        name = self.objective if data == "test" else f"validation_{self.objective}"
        trainings = (self.trainings[print] for print in fingerprints if print in self.trainings)
        known = (training.numbers for training in trainings)
        return [numbers[name] for numbers in known if name in numbers]

    @property
    def rerun_trainings(self) -> list[TrainingRun]:
        """The trainings of the reruns that did not diverge, as far as they are known."""
        known = (self.trainings.get(rerun.fingerprint or "") for rerun in self.measured)
        return [training for training in known if training]

    @property
    def clocks(self) -> set[tuple[str | None, int]]:
        """The processors on which reruns were timed, with the number of threads; empty if unknown.

        Times compare models where there is only one for all of them.
        """
        return {(training.processor, training.threads) for training in self.rerun_trainings}

    @property
    def is_fraction(self) -> bool:
        """Whether the objective seems to be a share of successes, such as an accuracy."""
        values = [rerun.value or 0.0 for rerun in self.measured]
        return self.sign > 0 and min(values) >= 0 and max(values) <= 1

    @property
    def is_restless(self) -> bool:
        """Whether the seconds of the reruns spread too far to measure the model."""
        mean, deviation = self.result.mean_seconds, self.result.deviation_seconds
        return mean is not None and deviation is not None and deviation > RESTLESS * mean

    @property
    def guessing(self) -> Any:
        """The objective of trainings that learned nothing is no better; None where not known."""
        return self.attribute("guessing")

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
        mean, deviation, count = summarized([rerun.value or 0.0 for rerun in self.measured])
        counted = [run.counted_seconds for run in self.measured]
        seconds = [value for value in counted if value is not None]
        mean_seconds, deviation_seconds, _ = summarized(seconds) if seconds else (None, None, 0)
        disturbed = [run.disturbed for run in self.measured]
        return ModelResult(
            self.experiment, self.model, self.objective, self.attribute("parameters"),
            self.measured[0].parameters, mean, deviation, mean_seconds, deviation_seconds, count,
            len(seconds), disturbed.count(True), disturbed.count(None),
        ).believable()  # fmt: skip

    @property
    def summary(self) -> Summary:
        """The objective of the reruns; of a complete run only."""
        return self.result.mean, self.result.deviation, self.result.reruns

    def text(self, parameters: Mapping[str, Value]) -> str:
        """Return the values of a cell in the order of the parameters: `0.001, 16, 0.7`."""
        names = [name for name in self.names if name in parameters]
        shown = self.names[: self.names.index(names[-1]) + 1] if names else ()
        return ", ".join(value_text(parameters.get(name, "-")) for name in shown) or "-"
