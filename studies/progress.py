"""How far a run is: a live display in a terminal, plain lines anywhere else."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from optuna.trial import FrozenTrial
from rich import progress
from rich.console import Console, RenderableType
from rich.text import Text

from studies.estimates import Estimates
from studies.stages import Stage
from studies.telling import Running
from studies.wording import cell_text, duration

SECONDS_BETWEEN_LINES = 2.0


class _Display(progress.Progress):
    """A bar for each stage, and below them what is being done, in as many lines as it takes."""

    now = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.now)


class Progress:
    """Counts what the driver does, and shows it while it is entered as a context."""

    def __init__(self, console: Console, times: Estimates, expected: Mapping[str, float]) -> None:
        """Seconds are `expected` for what is missing of each study."""
        self._console, self._times = console, times
        self._expected = defaultdict(float, expected)
        self._expected_done = 0.0
        self._started = time.monotonic()
        self._last_line = 0.0
        self._without_workers = False
        self._display = _Display(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=20),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[best]}"),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._display.stop()

    def begin(
        self, stage: Stage, cells: int, free: int, complete: Iterable[FrozenTrial] = ()
    ) -> None:
        """A stage starts, or is taken up again with `free` of its cells to do."""
        told = [(trial.value or 0.0, cell_text(trial.params)) for trial in complete]
        self._best = max(told, default=None)
        self._asked = ""
        self._total = cells * stage.trainings_per_cell
        self._done = self._total - free * stage.trainings_per_cell
        self._planned = len(stage.search_space["batch_size"]) > 1
        if not self._planned:
            # The plan guessed at the winner, which is known by now.
            self._expected[stage.study_name] = self._seconds(stage, self._total - self._done)
        self._task = self._display.add_task(
            f"{stage.model} {stage.name}", total=self._total, best=""
        )

    def asked(self, running: Running) -> None:
        """A cell is taken up; some of its trainings may be recorded already."""
        self._asked = cell_text(running.trial.params)
        self._done += len(running.runs)
        if not self._planned:
            self._expected[running.stage.study_name] -= self._seconds(
                running.stage, len(running.runs)
            )
        self._show()

    def waits_for_workers(self, waits: bool) -> None:
        """A user's cluster may have no workers, or none any more: it is said once each time."""
        if waits and not self._without_workers:
            self._console.print("The cluster has no workers: this run waits until one joins.")
        self._without_workers = waits

    def trained(self, running: Running, trainings: int) -> None:
        """A job of a cell is done."""
        self._done += trainings
        self._expected_done += self._seconds(
            running.stage, trainings, running.trial.params["batch_size"]
        )
        self._show()

    def told(self, running: Running) -> None:
        """A cell is finished."""
        cell = cell_text(running.trial.params)
        if running.given_up is not None:
            self._total -= len(running.missing)
            self._display.update(self._task, total=self._total)
            self._expected[running.stage.study_name] -= self._seconds(
                running.stage, len(running.missing), running.trial.params["batch_size"]
            )
        elif running.value is not None and (self._best is None or running.value > self._best[0]):
            self._best = running.value, cell
        self._show()
        now = time.monotonic()
        finished = self._done == self._total
        if not self._console.is_terminal and (
            finished or now - self._last_line > SECONDS_BETWEEN_LINES
        ):
            self._last_line = now
            self._console.print(
                f"{time.strftime('%H:%M:%S')} {running.stage.model} {running.stage.name} "
                f"{self._done}/{self._total} trainings, {cell}: {running.outcome}; {self._said()}",
                soft_wrap=True,
                highlight=False,
            )

    def _show(self) -> None:
        self._display.now = f"{self._asked}; {self._said()}"
        best = f"best {self._best[0]:.4f}" if self._best else ""
        self._display.update(self._task, completed=self._done, best=best)

    def _said(self) -> str:
        best = f"best {self._best[0]:.4f} at {self._best[1]}, " if self._best else ""
        return f"{best}{duration(self._seconds_left())} left"

    def _seconds(self, stage: Stage, trainings: int, batch_size: int | None = None) -> float:
        size = batch_size or int(stage.search_space["batch_size"][0])
        return trainings * self._times.seconds(stage, size)

    def _seconds_left(self) -> float:
        expected = max(0.0, sum(self._expected.values()) - self._expected_done)
        elapsed = time.monotonic() - self._started
        # Once there is enough to go by, this run's own pace corrects the estimate.
        trust = min(1.0, self._expected_done / 30)
        pace = elapsed / self._expected_done if self._expected_done else 1.0
        return expected * (trust * pace + 1 - trust)
