"""What the dashboard shows of the studies while they run: notes and figures."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna import Study
from optuna.trial import TrialState

from digitcmp.training import Hyperparameters
from storage.queries import GridCell, best_cell, grid_cells, model_results
from storage.store import Store
from studies.artifacts import attach, attached
from studies.note import rerun_note, search_note
from studies.paper import GUESSING
from studies.stages import Stage

SECONDS_BETWEEN_NOTES = 5.0

logger = logging.getLogger(__name__)


class Board:
    """Keeps the notes and figures of studies current; its troubles are warnings.

    Only the driver's thread may call it. Optuna-dashboard and matplotlib take seconds to load, so
    they come with the first note and the first figure, when the workers have something to do.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._last = ("", 0.0)
        self._reruns: list[tuple[Stage, Study]] = []

    def refresh(self, stage: Stage, study: Study) -> None:
        """Bring the note of a running study up to date, unless that was done just now."""
        name, noted = self._last
        if name == stage.study_name and time.monotonic() - noted < SECONDS_BETWEEN_NOTES:
            return
        self._last = (stage.study_name, time.monotonic())
        with _only_warns(stage):
            self._note(study, self._text(stage, study))

    def complete(self, stage: Stage, study: Study) -> None:
        """Draw the figures of a study that has ended, and show them in its note."""
        if stage.is_rerun:
            self._reruns.append((stage, study))
        self._complete(stage, study)

    def close(self) -> None:
        """Show all models of the run on each page that compares models."""
        for stage, study in self._reruns:
            self._complete(stage, study)

    def _complete(self, stage: Stage, study: Study) -> None:
        with _only_warns(stage):
            if not self._is_complete(stage, study):
                from studies.figures import figures_of, png

                names = (stage.experiment, stage.model, stage.name)
                pairs = stage.protocol.select_on
                for name, figure in figures_of(self._store.engine, *names, pairs):
                    attach(study, self._folder, name, png(figure))
                self._note(study, self._complete_text(stage, study))

    def _is_complete(self, stage: Stage, study: Study) -> bool:
        """Whether the note says what it would say, so that the figures are of the same results."""
        from optuna_dashboard import get_note

        shown = attached(study, self._folder)
        text = self._complete_text(stage, study)
        return bool(shown) and get_note(study) == text

    def _note(self, study: Study, text: str) -> None:
        from optuna_dashboard import get_note, save_note

        if get_note(study) != text:
            save_note(study, text)

    def _complete_text(self, stage: Stage, study: Study) -> str:
        from optuna_dashboard.artifact import get_artifact_path

        pictures = [
            f"![{Path(name).stem}]({get_artifact_path(study, identifier)})"
            for name, identifier in sorted(attached(study, self._folder).items())
        ]
        return "\n\n".join([self._text(stage, study), *pictures])

    def _text(self, stage: Stage, study: Study) -> str:
        start = _start(study)
        if stage.is_rerun:
            results = model_results(self._store.engine, stage.experiment)
            return rerun_note(stage, results, _dead(study), start)
        names = (stage.experiment, stage.model, stage.name)
        best = best_cell(self._store.engine, *names)
        cells = grid_cells(self._store.engine, *names)
        return search_note(stage, cells, best, _trial_of(study, stage, best), start)


def _dead(study: Study) -> int:
    """Return how many reruns ended no better than guessing."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sum(trial.value is not None and trial.value <= GUESSING for trial in complete)


def _start(study: Study) -> str:
    """Where a study comes from."""
    parent = study.user_attrs.get("parent")
    if parent is None:
        return ""
    identifier = study._storage.get_study_id_from_name(parent["study"])
    link = _link(identifier, parent["trial"], f"trial {parent['trial']} of {parent['study']}")
    return f" It starts from {link}."


def _trial_of(study: Study, stage: Stage, best: GridCell | None) -> str:
    """The trial of the best cell."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        found = stage.cell(trial.params).hyperparameters
        if best and found == Hyperparameters(best.learning_rate, best.batch_size, best.alpha):
            return _link(study._study_id, trial.number, f"trial {trial.number}")
    return ""


def _link(study: int, trial: int, text: str) -> str:
    return f"[{text}](/dashboard/studies/{study}/trials?numbers={trial})"


@contextmanager
def _only_warns(stage: Stage) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Results are worth more than how they look: the run goes on.
        logger.warning(
            "the dashboard's note and figures of %s are not up to date: %s: %s",
            stage.study_name, type(error).__name__, error,
        )  # fmt: skip
