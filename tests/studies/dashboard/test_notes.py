"""Notes and figures as a run keeps them, on a real store."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import create_trial
from optuna_dashboard import get_note

from storage.store import Store, open_store
from storage.trainings import declare
from studies.dashboard.notes import StudyNotes
from studies.experiment.definition import Experiment, Stage
from studies.experiment.study import GridStudy, grid_study
from studies.figures import figures_of


def train(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Return nothing of interest: nobody calls it."""
    return {"accuracy": 1.0}


RATES, DEPTHS, KERNELS = (5e-4, 1e-3, 5e-3, 1e-2), (2, 4, 8, 16, 32), ("linear",)
SIZE = Stage("size", rate=RATES, depth=DEPTHS, kernel=KERNELS)
TOY = Experiment("toy", {"tree": train}, [SIZE], guessing=0.5)
GRID = grid_study(TOY, "tree", "size", None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'studies.db'}") as opened:
        declare(opened.engine, SIZE.grid, "accuracy")
        yield opened


@pytest.fixture
def study(store: Store) -> optuna.Study:
    """A study of which one cell is done."""
    study = begun(store, GRID)
    add(study, 0.8, rate=1e-3)
    return study


def begun(store: Store, grid: GridStudy) -> optuna.Study:
    study = optuna.create_study(
        study_name=grid.study_name, storage=store.optuna, direction=grid.experiment.direction
    )
    known = {"experiment": "toy", "model": "tree", "stage": grid.name}
    values = {name: list(values) for name, values in grid.grid.items()}
    for key, value in {**known, "grid": values, "direction": grid.experiment.direction}.items():
        study.set_user_attr(key, value)
    return study


def add(study: optuna.Study, value: float, **parameters: Any) -> None:
    study.add_trial(
        create_trial(
            params={"depth": 16, "kernel": "linear", **parameters},
            distributions={
                "rate": FloatDistribution(0, 1),
                "depth": IntDistribution(1, 128),
                "kernel": CategoricalDistribution(KERNELS),
            }
            | ({"seed": IntDistribution(10, 19)} if "seed" in parameters else {}),
            value=value,
            intermediate_values={0: value},
            user_attrs={"score": value, "place": 0, "train_seconds": 1.0},
        )
    )


def state(study: optuna.Study, folder: Path) -> tuple[object, object]:
    """All that a notes could have written."""
    files = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    return study._storage.get_study_system_attrs(study._study_id), files


def complete(store: Store, study: optuna.Study, folder: Path, grid: GridStudy = GRID) -> None:
    # As each run does it, with a notes of its own.
    with StudyNotes(store, folder) as notes:
        notes.complete(grid, study)
        notes.finish()


def test_a_running_study_has_a_note_that_follows_it(
    store: Store, study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = StudyNotes(store, tmp_path / "figures")
    notes.refresh(GRID, study)
    assert "1 of 20 cells done" in get_note(study)
    assert "trial 0" in get_note(study)
    add(study, 0.9, rate=5e-4)
    notes.refresh(GRID, study)
    assert "1 of 20 cells done" in get_note(study), "notes must not come too often"
    monkeypatch.setattr("studies.dashboard.notes.SECONDS_BETWEEN_NOTES", 0.0)
    notes.refresh(GRID, study)
    assert "2 of 20 cells done" in get_note(study)
    assert "trial 1" in get_note(study)


def test_a_complete_study_shows_its_figure(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    complete(store, study, folder)
    (file,) = folder.iterdir()
    assert file.read_bytes().startswith(b"\x89PNG")
    assert f"](/artifacts/1/{file.name})" in get_note(study)
    assert "| kernel |" in get_note(study).replace("\u2003", "")


def test_a_study_that_goes_on_shows_the_whole_grown_grid(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    """With gaps where nothing was tried, and a link to the winner, which lies on the grid here."""
    further = dataclasses.replace(
        GRID, name="size+1", grid={**GRID.grid, "rate": (0.05,)}, extension=1, reason="of luck",
        only=({"rate": 0.05, "depth": 16, "kernel": "linear"},),
    )  # fmt: skip
    beyond = begun(store, further)
    for key, value in {"extends": "size", "extension": 1}.items():
        beyond.set_user_attr(key, value)
    add(beyond, 0.7, rate=0.05)
    add(study, 0.6, rate=1e-3, depth=8)
    complete(store, beyond, tmp_path / "figures", further)
    text = get_note(beyond).replace("\u2003", "")
    assert "**1 of 1 cells done**" in text
    assert "| winner: [trial 0 of toy/tree/size](/dashboard/studies/1/trials?numbers=0)" in text
    ((name, figure),) = figures_of(store.engine, "toy", "tree", "size+1")
    assert name == "heat-map.png"
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["0.05", "0.001"]
    shown = [word.get_text() for word in figure.axes[0].texts]
    assert sorted(shown) == ["0.600", "0.700", "0.800"], "of four places"
    ((_, before),) = figures_of(store.engine, "toy", "tree", "size")
    assert len(before.axes[0].get_yticklabels()) == 4


def test_a_complete_study_says_how_sure_its_winner_is(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    kept = {
        "repeats": 10,
        "contenders": ["size#0", "size#4"],
        "win_again": 0.75,
        "repeats_to_settle": 30,
    }
    for key, value in kept.items():
        study.set_user_attr(key, value)
    complete(store, study, tmp_path / "figures")
    assert "1 other cell is as good as the winner, as far as 10 repeats tell" in get_note(study)


def test_a_run_with_nothing_new_writes_nothing(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    complete(store, study, folder)
    before = state(study, folder)
    complete(store, study, folder)
    assert state(study, folder) == before


def test_a_new_result_replaces_the_figure(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    complete(store, study, folder)
    (before,) = folder.iterdir()
    content = before.read_bytes()
    add(study, 0.9, rate=5e-4)
    complete(store, study, folder)
    (after,) = folder.iterdir()
    assert after == before
    assert after.read_bytes() != content
    assert "2 of 20 cells done" in get_note(study)


def test_a_figure_that_was_lost_is_drawn_again(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    complete(store, study, folder)
    (file,) = folder.iterdir()
    file.unlink()
    complete(store, study, folder)
    assert list(folder.iterdir()) == [file]


def test_trouble_is_a_warning_that_names_the_study(
    store: Store, study: optuna.Study, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "figures").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        complete(store, study, tmp_path / "figures")
    (message,) = caplog.messages
    assert "toy/tree/size" in message and "figures" in message


def test_the_note_of_reruns_links_to_the_winner_and_counts_those_that_learned_nothing(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    grid = grid_study(TOY, "tree", "rerun", {"rate": 1e-3, "depth": 16, "kernel": "linear"})
    reruns = begun(store, grid)
    reruns.set_user_attr("parent", {"study": GRID.study_name, "trial": 0})
    for seed, value in ((10, 0.5), (11, 0.75)):
        add(reruns, value, rate=1e-3, seed=seed)
    StudyNotes(store, tmp_path / "figures").refresh(grid, reruns)
    note = get_note(reruns)
    assert "2 of 10 reruns done" in note
    assert "[trial 0 of toy/tree/size](/dashboard/studies/1/trials?numbers=0)" in note
    assert "1 training ended no better than guessing (accuracy up to 0.5)" in note
    # Of errors, the least is the best.
    least = dataclasses.replace(TOY, direction="minimize")
    StudyNotes(store, tmp_path / "figures").refresh(grid_study(least, "tree", "rerun", {}), reruns)
    assert "2 trainings ended no better than guessing (accuracy from 0.5)" in get_note(reruns)
