"""How far a run is: a live display in a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Self

from optuna.trial import FrozenTrial
from rich import progress
from rich.console import Console, RenderableType
from rich.text import Text

from studies.display.time_left import TimeLeft
from studies.display.words import cell_text, number_text

if TYPE_CHECKING:
    from studies.experiment.study import GridStudy
    from studies.search.trial import RunningTrial

SECONDS_BETWEEN_LINES = 2.0

LINES_BELOW = 5
"""Lines below the bars in a small terminal: the cell, the best one and the time left."""


class _Display(progress.Progress):
    """A bar for each study, and below them what is being done, in as many lines as it takes."""

    now = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.now)


@dataclass
class _Bar:
    """A study, and how much of it is done."""

    study: "GridStudy"
    task: progress.TaskID
    total: int
    """Trainings."""
    done: int
    cells_left: int
    best: tuple[float, str] | None = None
    """Value and cell."""
    cell: str = ""
    """What was last asked for or told."""
    seconds_each: dict[int, float] = field(default_factory=dict)
    """Wall time that each training of a trial was expected to add, by the trial's number."""
    last_used: int = 0

    @property
    def name(self) -> str:
        return f"{self.study.model} {self.study.name}"

    def compare(self, value: float | None, cell: str) -> None:
        sign = self.study.sign
        if value is not None and (self.best is None or sign * value > sign * self.best[0]):
            self.best = value, cell


class Progress:
    """Counts what the driver does, and shows it while it is entered as a context."""

    def __init__(self, console: Console, expected: Mapping[str, float | None]) -> None:
        """Show a run on `console`.

        `expected` are the seconds of wall time that the missing trainings of a study take, by the
        name of the study in the store; None where nothing is known about them yet.
        """
        self._console, self._time = console, TimeLeft(expected)
        self._waits: str | None = None
        self._refused: set[str] = set()
        self._last_line = 0.0
        self._bars: dict[str, _Bar] = {}
        self._uses = count(1)
        width = min(20, max(5, console.width - 46))
        self._display = _Display(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=width),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[best]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._room = max(10, console.width - width - 21)

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._display.stop()

    def begin(
        self,
        study: "GridStudy",
        free: int,
        complete: Iterable[FrozenTrial] = (),
        seconds: float | None = None,
    ) -> None:
        """Start a study, or take it up again, with `free` of its cells to do.

        `seconds` are expected of it by now, in place of what was expected at first.
        """
        self._time.begin(study.study_name, seconds)
        total = len(study) * study.trainings_per_cell
        title = f"{study.model} {study.name}"
        if len(title) > self._room:
            title = f"{title[: self._room - 1]}…"
        task = self._display.add_task(title, total=total, best="")
        bar = _Bar(study, task, total, total - free * study.trainings_per_cell, free)
        for trial in complete:
            bar.compare(trial.value, cell_text(trial.params))
        self._bars[study.study_name] = bar
        self._show(bar)

    def asked(self, trial: "RunningTrial") -> None:
        """Take up a cell; some of its trainings may be recorded already."""
        bar = self._bars[trial.study.study_name]
        bar.cell = cell_text(trial.trial.params)
        bar.done += len(trial.runs)
        self._show(bar)

    def waits(self, reason: str | None) -> None:
        """Print what a run waits for, in a sentence: once each time; None where it need not."""
        if reason is not None and reason != self._waits:
            self._console.print(reason, soft_wrap=True)
        self._waits = reason

    def refuses(self, workers: Mapping[str, str]) -> None:
        """Print which workers of a cluster do not train, with the reason: once for each reason."""
        for address, reason in workers.items():
            if reason not in self._refused:
                self._refused.add(reason)
                self._console.print(
                    f"Worker {address}, as any like it, does not train: {reason}.",
                    soft_wrap=True,
                    highlight=False,
                    markup=False,
                )

    def trained(
        self, trial: "RunningTrial", trainings: int, seconds_each: float | None = None
    ) -> None:
        """Count trainings of a cell as done.

        `seconds_each` is the wall time that each of them was expected to add.
        """
        bar = self._bars[trial.study.study_name]
        bar.done += trainings
        missing = bar.total - bar.done
        self._time.trained(trial.study.study_name, trainings, missing, seconds_each)
        if seconds_each is not None:
            bar.seconds_each[trial.trial.number] = seconds_each
        self._show(bar)

    def told(self, trial: "RunningTrial") -> None:
        """Finish a cell."""
        bar = self._bars[trial.study.study_name]
        bar.cell = cell_text(trial.trial.params)
        bar.cells_left -= 1
        seconds_each = bar.seconds_each.pop(trial.trial.number, 0.0)
        if trial.given_up is not None:
            missing = len(trial.missing)
            bar.total -= missing
            self._time.drop(trial.study.study_name, missing, seconds_each)
        else:
            bar.compare(trial.value, bar.cell)
        self._show(bar)
        now = time.monotonic()
        is_due = not bar.cells_left or now - self._last_line > SECONDS_BETWEEN_LINES
        if is_due and not self._console.is_terminal:
            self._last_line = now
            self._console.print(
                f"{time.strftime('%H:%M:%S')} {bar.name} {bar.done}/{bar.total} trainings, "
                f"{bar.cell}: {trial.outcome}; {self._outlook(bar)}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )

    def _show(self, bar: _Bar) -> None:
        bar.last_used = next(self._uses)
        self._display.now = f"{bar.name}: {bar.cell}; {self._outlook(bar)}"
        best = f"best {number_text(bar.best[0], 4)}" if bar.best else ""
        self._display.update(bar.task, completed=bar.done, total=bar.total, best=best)
        if self._console.is_terminal:
            self._choose_bars()

    def _choose_bars(self) -> None:
        """Show the bars that a small terminal has room for: those in progress come first."""
        bars = sorted(self._bars.values(), key=lambda b: (b.done < b.total, b.last_used))
        hidden = len(bars) + LINES_BELOW - self._console.height
        for place, bar in enumerate(bars):
            self._display.update(bar.task, visible=place >= hidden)

    def _outlook(self, bar: _Bar) -> str:
        best = f"best {number_text(bar.best[0], 4)} at {bar.best[1]}, " if bar.best else ""
        return best + self._time.text()
