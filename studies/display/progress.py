"""How far a run is: a live display in a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterable, Mapping
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


class Progress:
    """Counts what the driver does, and shows it while it is entered as a context."""

    def __init__(self, console: Console, expected: Mapping[str, float | None]) -> None:
        """Show a run on `console`.

        `expected` are the seconds of wall time that the missing trainings of a study take, by the
        name of the study in the store; None where nothing is known about them yet.
        """
        self._console, self._time = console, TimeLeft(expected)
        self._without_workers = False
        self._refused: set[str] = set()
        self._last_line = 0.0
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
        self._sign = study.sign
        self._best: tuple[float, str] | None = None
        for trial in complete:
            self._compare(trial.value, cell_text(trial.params))
        self._asked = ""
        self._total = len(study) * study.trainings_per_cell
        self._done = self._total - free * study.trainings_per_cell
        self._seconds_each: dict[int, float] = {}
        tasks = self._display.task_ids
        for task in tasks[: max(0, len(tasks) + 1 + LINES_BELOW - self._console.height)]:
            self._display.update(task, visible=False)
        title = f"{study.model} {study.name}"
        if len(title) > self._room:
            title = f"{title[: self._room - 1]}…"
        self._task = self._display.add_task(title, total=self._total, best="")

    def asked(self, trial: "RunningTrial") -> None:
        """Take up a cell; some of its trainings may be recorded already."""
        self._asked = cell_text(trial.trial.params)
        self._done += len(trial.runs)
        self._show()

    def waits_for_workers(self, waits: bool) -> None:
        """Print that a user's cluster has no workers, or none any more: once each time."""
        if waits and not self._without_workers:
            self._console.print("The cluster has no workers: this run waits until one joins.")
        self._without_workers = waits

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
        """Count a job of a cell as done.

        `seconds_each` is the wall time that each of its trainings was expected to add.
        """
        self._done += trainings
        self._time.trained(trainings, seconds_each)
        if seconds_each is not None:
            self._seconds_each[trial.trial.number] = seconds_each
        self._show()

    def told(self, trial: "RunningTrial") -> None:
        """Finish a cell."""
        cell = cell_text(trial.trial.params)
        if trial.given_up is not None:
            missing = len(trial.missing)
            self._total -= missing
            self._time.drop(missing, self._seconds_each.get(trial.trial.number, 0.0))
        else:
            self._compare(trial.value, cell)
        self._show()
        now = time.monotonic()
        is_due = self._done == self._total or now - self._last_line > SECONDS_BETWEEN_LINES
        if is_due and not self._console.is_terminal:
            self._last_line = now
            self._console.print(
                f"{time.strftime('%H:%M:%S')} {trial.study.model} {trial.study.name} "
                f"{self._done}/{self._total} trainings, {cell}: {trial.outcome}; {self._outlook()}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )

    def _compare(self, value: float | None, cell: str) -> None:
        if value is None:
            return
        if self._best is None or self._sign * value > self._sign * self._best[0]:
            self._best = value, cell

    def _show(self) -> None:
        self._display.now = f"{self._asked}; {self._outlook()}"
        best = f"best {number_text(self._best[0], 4)}" if self._best else ""
        self._display.update(self._task, completed=self._done, total=self._total, best=best)

    def _outlook(self) -> str:
        best = f"best {number_text(self._best[0], 4)} at {self._best[1]}, " if self._best else ""
        return best + self._time.text(self._total - self._done)
