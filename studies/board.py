"""What the dashboard shows of the studies while they run: notes and figures."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optuna import Study

from storage.curves import rerun_curves
from storage.queries import best_cell, grid_cells, model_results
from storage.store import Store
from studies.artifacts import attach, attached
from studies.note import rerun_note, search_note
from studies.stages import Stage

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
                from studies.figures import png

                for name, draw in self._figures(stage).items():
                    attach(study, self._folder, name, png(draw()))
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
            for name, identifier in attached(study, self._folder).items()
        ]
        return "\n\n".join([self._text(stage, study), *pictures])

    def _text(self, stage: Stage, study: Study) -> str:
        start = _start(study)
        if stage.is_rerun:
            return rerun_note(stage, model_results(self._store.engine, stage.experiment), start)
        names = (stage.experiment, stage.model, stage.name)
        cells = grid_cells(self._store.engine, *names)
        return search_note(stage, cells, best_cell(self._store.engine, *names), start)

    def _figures(self, stage: Stage) -> dict[str, Callable[[], "Figure"]]:
        from studies import figures

        engine, names = self._store.engine, (stage.experiment, stage.model, stage.name)
        if stage.is_rerun:
            curves = rerun_curves(engine, stage.experiment, stage.model)
            results = model_results(engine, stage.experiment)
            return {
                "loss.png": lambda: figures.loss_curve(stage.model, curves),
                "accuracy.png": lambda: figures.accuracy_bars(results),
                "seconds.png": lambda: figures.seconds_bars(results),
                "accuracy-against-seconds.png": lambda: figures.accuracy_against_seconds(results),
            }
        cells, best = grid_cells(engine, *names), best_cell(engine, *names)
        if stage.name == "alpha":
            return {"alpha.png": lambda: figures.alpha_curve(stage.model, cells, best)}
        return {"heat-map.png": lambda: figures.heat_map(stage.model, cells, best)}


def _start(study: Study) -> str:
    """Where a study comes from, as a link."""
    parent = study.user_attrs.get("parent")
    if parent is None:
        return ""
    number = study._storage.get_study_id_from_name(parent["study"])
    page = f"/dashboard/studies/{number}/trials?numbers={parent['trial']}"
    return f" It starts from [trial {parent['trial']} of {parent['study']}]({page})."


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
