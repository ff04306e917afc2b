"""How far a run is: a live view in a terminal, plain lines anywhere else."""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Self

from optuna.trial import FrozenTrial
from rich.console import Console
from rich.text import Text

from studies.display.live_view import LiveView
from studies.display.study_progress import RunProgress, StudyProgress, fitting
from studies.display.words import cell_text, duration

if TYPE_CHECKING:
    from studies.experiment.study import GridStudy
    from studies.search.trial import RunningTrial

SECONDS_BETWEEN_LINES = 2.0


class Progress:
    """Counts what the driver does, and shows it while it is entered as a context."""

    def __init__(self, console: Console, expected: Mapping[str, float | None]) -> None:
        """Show a run on `console`.

        `expected` are the seconds of wall time that the missing trainings of a study take, by the
        name of the study in the store; None where nothing is known about them yet.
        """
        self._console, self._run = console, RunProgress(expected)
        self._waits: str | None = None
        self._refused: set[str] = set()
        self._last_line = 0.0
        is_live = console.is_terminal and not console.is_dumb_terminal
        self._live = LiveView(console, self._run) if is_live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start(refresh=True)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self._live is None:
            return
        # The progress of a run that did not end well stays on the screen.
        self._live.transient = error is None and not self._run.running
        self._live.stop()
        if self._live.transient:
            trainings = sum(study.done for study in self._run.studies.values())
            self._print(f"{trainings} trainings done, after {duration(self._run.times.elapsed)}.")

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
        self._run.times.begin(study.study_name, seconds)
        total = len(study) * study.trainings_per_cell
        begun = StudyProgress(study, total, total - free * study.trainings_per_cell, free)
        for trial in complete:
            begun.add(trial.value, trial.params)
        self._run.studies[study.study_name] = begun
        self._end(begun)

    def begin_cell(self, trial: "RunningTrial") -> None:
        """Take up a cell; some of its trainings may be recorded already."""
        study = self._run.studies[trial.study.study_name]
        study.has_moved = True
        study.done += len(trial.runs)

    def show_waiting(self, reason: str | None) -> None:
        """Print what a run waits for, in a sentence: once each time; None where it need not."""
        if reason is not None and reason != self._waits:
            self._print(reason)
        self._waits = reason

    def show_refused(self, workers: Mapping[str, str]) -> None:
        """Print which workers of a cluster do not train, with the reason: once for each reason."""
        for address, reason in workers.items():
            if reason not in self._refused:
                self._refused.add(reason)
                self._print(f"Worker {address}, and any like it, does not train: {reason}.")

    def trained(
        self, trial: "RunningTrial", trainings: int, seconds_each: float | None = None
    ) -> None:
        """Count trainings of a cell as done.

        `seconds_each` is the wall time that each of them was expected to add.
        """
        study = self._run.studies[trial.study.study_name]
        study.done += trainings
        missing = study.total - study.done
        name, are_alike = trial.study.study_name, trial.study.is_rerun
        self._run.times.trained(name, trainings, missing, seconds_each, are_alike)
        if seconds_each is not None:
            study.seconds_each[trial.trial.number] = seconds_each

    def finish_cell(self, trial: "RunningTrial") -> None:
        """Finish a cell."""
        study = self._run.studies[trial.study.study_name]
        study.cells_left -= 1
        study.failed += trial.error is not None
        seconds_each = study.seconds_each.pop(trial.trial.number, 0.0)
        if trial.given_up is not None:
            missing = len(trial.missing)
            study.total -= missing
            self._run.times.drop(trial.study.study_name, missing, seconds_each)
        else:
            study.add(trial.value, trial.trial.params)
        self._run.last = study, trial.trial.params, trial.outcome
        self._end(study)
        now = time.monotonic()
        is_due = not study.cells_left or now - self._last_line > SECONDS_BETWEEN_LINES
        if is_due and self._live is None:
            self._last_line = now
            self._print(
                f"{time.strftime('%H:%M:%S')} {study.name} {study.done}/{study.total} trainings, "
                f"{cell_text(trial.trial.params)}: {trial.outcome}; {self._outlook(study)}"
            )

    def _end(self, study: StudyProgress) -> None:
        """Print a line on a study that is over, above those that are not."""
        if self._live is not None and not study.cells_left:
            self._print(fitting(study.end_texts(), self._console.width - 1))

    def _outlook(self, study: StudyProgress) -> str:
        result = study.short_result()
        if study.best is not None and not study.study.is_rerun:
            result += f" at {cell_text(study.best[1])}"
        return ", ".join(filter(None, [result, self._run.times.text()]))

    def _print(self, sentence: str) -> None:
        """Print a sentence: above a live view, else in one line."""
        if self._live is None:
            self._console.print(Text(sentence), soft_wrap=True)
        else:
            self._live.print(sentence)
