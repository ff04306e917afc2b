"""Notes and figures of studies, as optuna-dashboard shows them while a run goes on."""

import logging
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from optuna import Study
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta, upload_artifact

from storage.files import replace_whole
from storage.queries import (
    GridCell,
    best_cell,
    model_results,
    reruns,
    stage_cells,
)
from storage.reader import open_reader
from storage.rows import kept_certainty
from storage.store import Store
from studies.dashboard.note_text import rerun_note, search_note
from studies.display.exit_codes import raise_postponed
from studies.display.markdown import escaped
from studies.experiment.study import GridStudy

SECONDS_BETWEEN_NOTES = 5.0

Pictures = list[tuple[str, bytes]]
"""Names of figures, and PNG files."""

logger = logging.getLogger(__name__)


class StudyNotes:
    """Keeps the notes and figures of studies current; what goes wrong is only a warning.

    Only the driver's thread may call it, and enters it as a context. Optuna-dashboard and
    matplotlib take seconds to load, so they come with the first note and the first figure.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._noted: dict[str, float] = {}
        self._reruns: list[tuple[GridStudy, Study]] = []
        # Workers have nothing to do while the driver draws.
        self._thread = ThreadPoolExecutor(1, "figures")
        self._drawing: list[tuple[GridStudy, Study, Future[Pictures]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def refresh(self, grid: GridStudy, study: Study) -> None:
        """Bring the note of a running study up to date, unless that was done just now."""
        noted = self._noted.get(grid.study_name)
        if noted is not None and time.monotonic() - noted < SECONDS_BETWEEN_NOTES:
            return
        self._noted[grid.study_name] = time.monotonic()
        with _only_warns(grid):
            _write_note(study, self._text(grid, study))

    def complete(self, grid: GridStudy, study: Study) -> None:
        """Begin to draw the figures of a study that has ended."""
        if grid.is_rerun:
            self._reruns.append((grid, study))
        self._draw(grid, study)

    def show_drawn(self, wait: bool = False) -> None:
        """Show the figures that are drawn by now in the notes of their studies, or all of them."""
        for drawing in list(self._drawing):
            grid, study, pictures = drawing
            while wait and not pictures.done():
                futures.wait([pictures], timeout=0.2)
                raise_postponed()
            if wait or pictures.done():
                self._drawing.remove(drawing)
                with _only_warns(grid):
                    for name, content in pictures.result():
                        attach(study, self._folder, name, content)
                    _write_note(study, self._complete_text(grid, study))

    def finish(self) -> None:
        """Show all figures, after drawing those that compare models again, with all of the run."""
        self.show_drawn(wait=True)
        for grid, study in self._reruns:
            self._draw(grid, study)
        self.show_drawn(wait=True)

    def _draw(self, grid: GridStudy, study: Study) -> None:
        with _only_warns(grid):
            from optuna_dashboard import get_note

            text = self._complete_text(grid, study)
            if attached(study, self._folder) and get_note(study) == text:
                return
            names = (grid.experiment.name, grid.model, grid.name)
            pictures = self._thread.submit(_pictures, self._store.url, *names)
            self._drawing.append((grid, study, pictures))

    def _complete_text(self, grid: GridStudy, study: Study) -> str:
        from optuna_dashboard.artifact import get_artifact_path

        pictures = [
            f"![{escaped(Path(name).stem)}]({get_artifact_path(study, identifier)})"
            for name, identifier in sorted(attached(study, self._folder).items())
        ]
        return "\n\n".join([self._text(grid, study), *pictures])

    def _text(self, grid: GridStudy, study: Study) -> str:
        engine, start = self._store.engine, _start(study)
        if grid.is_rerun:
            results = model_results(engine, grid.experiment.name)
            return rerun_note(grid, results, self._dead(grid), start)
        so_far = (grid.experiment.name, grid.model, grid.stage, grid.extension)
        best = best_cell(engine, *so_far)
        cells = stage_cells(engine, *so_far)
        known = kept_certainty(study.user_attrs)
        return search_note(grid, cells, best, _trial_of(study, best), start, known)

    def _dead(self, grid: GridStudy) -> int:
        """Return how many reruns ended no better than guessing."""
        guessing = grid.experiment.guessing
        done = reruns(self._store.engine, grid.experiment.name, grid.model)
        values = [rerun.value for rerun in done if rerun.value is not None]
        return 0 if guessing is None else sum(grid.sign * (v - guessing) <= 0 for v in values)


def _pictures(url: str, *study: str) -> Pictures:
    """Return the figures of a study by name, read from the store by a connection of their own."""
    from studies.figures import figures_of, png

    reader = open_reader(url)
    try:
        return [(name, png(figure)) for name, figure in figures_of(reader, *study)]
    finally:
        reader.dispose()


def attached(study: Study, folder: Path) -> dict[str, str]:
    """Return the ids of a study's artifacts by file name, without those whose files are gone."""
    return {name: file for name, file in _known(study).items() if (folder / file).is_file()}


def _known(study: Study) -> dict[str, str]:
    """Return the ids of a study's artifacts by file name; an id that is a path is none."""
    return {
        meta.filename: meta.artifact_id
        for meta in get_all_artifact_meta(study)
        if re.fullmatch(r"[0-9a-fA-F-]+", meta.artifact_id)
    }


def attach(study: Study, folder: Path, name: str, content: bytes) -> None:
    """Attach a file to a study, in place of the one of the same name if there is one.

    Its id, and so its URL, stays the same. Raises OSError where `folder` cannot be written.
    """
    from studies.figures import file_name

    folder.mkdir(parents=True, exist_ok=True)
    name, known = file_name(name), _known(study)
    if name in known:
        replace_whole(folder / known[name], content)
        return
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        file = Path(unfinished) / name
        file.write_bytes(content)
        store = FileSystemArtifactStore(folder)
        upload_artifact(study_or_trial=study, file_path=str(file), artifact_store=store)


def _write_note(study: Study, text: str) -> None:
    from optuna_dashboard import get_note, save_note

    if get_note(study) != text:
        save_note(study, text)


def _start(study: Study) -> str:
    """Return a sentence with a link to the trial that a study starts from, if it has one."""
    parent = study.user_attrs.get("parent")
    if parent is None:
        return ""
    identifier = study._storage.get_study_id_from_name(parent["study"])
    link = _link(identifier, parent["trial"], f"trial {parent['trial']} of {parent['study']}")
    return f" It starts from {link}."


def _trial_of(study: Study, best: GridCell | None) -> str:
    """Return a link to the trial of the best cell, which may be one of a study before."""
    if best is None:
        return ""
    name = f"{best.experiment}/{best.model}/{best.stage}"
    if name == study.study_name:
        return _link(study._study_id, best.number, f"trial {best.number}")
    identifier = study._storage.get_study_id_from_name(name)
    return _link(identifier, best.number, f"trial {best.number} of {name}")


def _link(study: int, trial: int, text: str) -> str:
    return f"[{escaped(text)}](/dashboard/studies/{study}/trials?numbers={trial})"


@contextmanager
def _only_warns(grid: GridStudy) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Results are worth more than how they look: the run goes on.
        logger.warning(
            "the dashboard's note and figures of %s are not up to date: %s: %s",
            grid.study_name, type(error).__name__, error,
        )  # fmt: skip
