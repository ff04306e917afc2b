"""Notes and figures as a run keeps them, on a real store."""

import logging
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import create_trial
from optuna_dashboard import get_note

from storage.store import Store, open_store
from studies.board import Board
from studies.protocol import Protocol
from studies.stages import Stage, make_stage

STAGE = make_stage("paper", "MLP", "lr-batch", Protocol(), None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'studies.db'}") as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> optuna.Study:
    """A study of which one cell is done."""
    study = optuna.create_study(
        study_name=STAGE.study_name, storage=store.optuna, direction="maximize"
    )
    for key in ("experiment", "model"):
        study.set_user_attr(key, getattr(STAGE, key))
    study.set_user_attr("stage", STAGE.name)
    add(study, 1e-3, 0.8)
    return study


def add(study: optuna.Study, learning_rate: float, accuracy: float) -> None:
    study.add_trial(
        create_trial(
            params={"learning_rate": learning_rate, "batch_size": 16},
            distributions={
                "learning_rate": FloatDistribution(0, 1),
                "batch_size": IntDistribution(1, 128),
            },
            value=accuracy,
            intermediate_values={0: accuracy},
            user_attrs={"score": accuracy},
        )
    )


def state(study: optuna.Study, folder: Path) -> tuple[object, object]:
    """All that a board could have written."""
    files = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
    return study._storage.get_study_system_attrs(study._study_id), files


def complete(store: Store, study: optuna.Study, folder: Path, stage: Stage = STAGE) -> None:
    # As each run does it, with a board of its own.
    Board(store, folder).complete(stage, study)


def test_a_running_study_has_a_note_that_follows_it(
    store: Store, study: optuna.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(store, tmp_path / "figures")
    board.refresh(STAGE, study)
    assert "1 of 20 cells done" in get_note(study)
    assert "trial 0" in get_note(study)
    add(study, 5e-4, 0.9)
    board.refresh(STAGE, study)
    assert "1 of 20 cells done" in get_note(study), "notes must not come too often"
    monkeypatch.setattr("studies.board.SECONDS_BETWEEN_NOTES", 0.0)
    board.refresh(STAGE, study)
    assert "2 of 20 cells done" in get_note(study)
    assert "trial 1" in get_note(study)


def test_a_complete_study_shows_its_figure(
    store: Store, study: optuna.Study, tmp_path: Path
) -> None:
    folder = tmp_path / "figures"
    complete(store, study, folder)
    (file,) = folder.iterdir()
    assert file.read_bytes().startswith(b"\x89PNG")
    assert f"![fig-2a-heat-map](/artifacts/0/{file.name})".replace("/0/", "/1/") in get_note(study)


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
    add(study, 5e-4, 0.9)
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
    (said,) = caplog.messages
    assert "paper/MLP/lr-batch" in said and "figures" in said
