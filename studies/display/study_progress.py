"""How far the studies of a run are, in numbers and in words."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studies.display.time_left import TimeLeft
from studies.display.words import cell_text, number_text, plus_minus, value_text

if TYPE_CHECKING:
    from studies.experiment.study import GridStudy

Parameters = Mapping[str, Any]


@dataclass
class StudyProgress:
    """A study, how much of it is done, and what came out so far."""

    study: "GridStudy"
    total: int
    """Trainings."""
    done: int
    cells_left: int
    best: tuple[float, Parameters] | None = None
    """Value and parameters of the best cell."""
    values: list[float] = field(default_factory=list)
    """Of all complete cells."""
    failed: int = 0
    """Cells that could not be trained."""
    has_moved: bool = False
    """Whether something was done in this run."""
    seconds_each: dict[int, float] = field(default_factory=dict)
    """Wall time that each training of a trial was expected to add, by the trial's number."""

    @property
    def name(self) -> str:
        """Model and stage."""
        return f"{self.study.model} {self.study.name}"

    @property
    def is_stopped(self) -> bool:
        """Whether no further stage of its model can follow, as it has no certain winner."""
        is_over = not self.cells_left and not self.study.is_rerun
        return is_over and (self.failed > 0 or self.best is None)

    def add(self, value: float | None, parameters: Parameters) -> None:
        """Take what a cell gave; None where it has no value."""
        if value is None:
            return
        self.values.append(value)
        sign = self.study.sign
        if self.best is None or sign * value > sign * self.best[0]:
            self.best = value, parameters

    def short_result(self) -> str:
        """Return the best value, or of reruns their mean so far and how many they are."""
        if self.best is None:
            return ""
        if self.study.is_rerun:
            return f"mean {number_text(statistics.fmean(self.values), 4)} of {len(self.values)}"
        return f"best {number_text(self.best[0], 4)}"

    def result(self, names: bool = True) -> str:
        """Return the best value and its cell, or of reruns mean and deviation so far.

        The cell is told by the parameters that vary, without their `names` where room is short.
        """
        if self.best is None or not self.study.varied:
            return self.short_result()
        if self.study.is_rerun:
            deviation = statistics.stdev(self.values) if len(self.values) > 1 else None
            mean = plus_minus(statistics.fmean(self.values), deviation, 4)
            return f"mean {mean} of {len(self.values)}"
        return f"{self.short_result()} at {self.cell(self.best[1], names)}"

    @property
    def most_columns(self) -> int:
        """How wide a result may become."""
        if self.study.is_rerun:
            return len(f"mean 0.1234 ± 0.1234 of {self.total}")
        varied = self.study.varied.items()
        longest = {name: max(map(value_text, values), key=len) for name, values in varied}
        return len(f"best 0.1234 at {cell_text(longest)}")

    def cell(self, parameters: Parameters, names: bool = True) -> str:
        """Return the parameters of a cell that vary in its study, with or without their names."""
        varied = {name: value for name, value in parameters.items() if name in self.study.varied}
        return cell_text(varied) if names else ", ".join(map(value_text, varied.values()))

    def end_texts(self) -> list[str]:
        """Return one line on a study that is over, in ever fewer words."""
        failed = f", {self.failed} cell{'s' * (self.failed > 1)} failed" if self.failed else ""
        if self.best is None:
            return [f"{self.name} done{failed}: no value"]
        ending = f"{self.name} done, {self.done} trainings{failed}: {self.result()}"
        shorter = [f"{self.name} done{failed}: {self.result(names)}" for names in (True, False)]
        return [ending, *shorter]


class RunProgress:
    """The studies of a run, and what is left of it."""

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        """Expect seconds by the name of the study, None where nothing is known about it yet."""
        self.times = TimeLeft(expected)
        self.studies: dict[str, StudyProgress] = {}
        self.last: tuple[StudyProgress, Parameters, str] | None = None
        """The study, parameters and outcome of the cell that ended last."""
        self._expected = list(expected)

    @property
    def running(self) -> list[StudyProgress]:
        """The studies that were begun and are not over, in this order."""
        return [study for study in list(self.studies.values()) if study.cells_left]

    def models(self) -> dict[str, bool]:
        """Return all models in their order, and whether something is left of each."""
        names = dict.fromkeys([*self._expected, *self.studies])
        left: dict[str, bool] = {}
        for name in names:
            model, study = name.split("/")[-2], self.studies.get(name)
            left[model] = left.get(model, False) or study is None or study.cells_left > 0
        stopped = {study.study.model for study in self.studies.values() if study.is_stopped}
        return {model: is_left and model not in stopped for model, is_left in left.items()}


def fitting(texts: Iterable[str], width: int) -> str:
    """Return the first of some texts that fits into a line; else the last, cut off."""
    text = ""
    for text in texts:
        if len(text) <= width:
            return text
    return f"{text[: max(0, width - 1)]}…"
