"""What notes say, from results as a store has them."""

import dataclasses

import pytest

from storage.queries import GridCell, ModelResult
from studies.note import rerun_note, search_note
from studies.protocol import Protocol
from studies.stages import Hyperparameters, Stage, make_stage

CELL = GridCell("paper", "AuxMLP", "lr-batch", 1e-3, 16, 0.0, 0.85, 0.01, 10, "COMPLETE", 0)
RESULT = ModelResult("paper", "AuxMLP", 66302, 1e-3, 16, 0.9, 0.86, 0.011, 0.5, 0.02, 10)
WINNER = Hyperparameters(1e-3, 16, 1.0)


def stage(name: str) -> Stage:
    won = None if name == "lr-batch" else WINNER
    return make_stage("paper", "AuxMLP", name, Protocol(), won)


def note(cells: list[GridCell], best: GridCell | None, name: str = "lr-batch") -> str:
    return search_note(stage(name), cells, best, "trial 3", " It starts there.")


def test_a_search_says_what_it_searches_how_far_it_is_and_what_comes_next() -> None:
    diverged = dataclasses.replace(CELL, batch_size=8, state="DIVERGED")
    running = dataclasses.replace(CELL, batch_size=32, state="RUNNING")
    text = note([CELL, diverged, running], CELL)
    assert "learning_rate {0.005, 0.001, 0.0005, 0.0001} x batch_size {8, 16, 32, 64, 128}" in text
    assert "at alpha 0. A cell is 10 trainings" in text
    assert "**2 of 20 cells done**, 1 of them diverged. Next stage: alpha." in text
    assert "It starts there." in text


def test_the_best_cell_stands_beside_the_papers() -> None:
    lines = note([CELL], CELL).splitlines()
    (accuracy,) = [line for line in lines if line.startswith("| test accuracy")]
    assert accuracy.replace("\u2003", "") == "| test accuracy | 0.850 ± 0.010 | 0.856 ± 0.011 |"
    assert any(line.startswith("| best so far: trial 3 |") for line in lines)


def test_of_a_whole_grid_the_best_cell_is_the_winner() -> None:
    cells = [dataclasses.replace(CELL, alpha=tenth / 10) for tenth in range(11)]
    assert "| winner: trial 3 |" in note(cells, cells[4], "alpha")


def test_without_a_finished_cell_there_is_no_best() -> None:
    text = note([], None)
    assert "**0 of 20 cells done**" in text
    assert "|" not in text


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("lr-batch", {}, None),
        ("lr-batch", {"learning_rate": 5e-3}, "learning_rate 0.005 is the largest"),
        ("lr-batch", {"batch_size": 8}, "batch_size 8 is the smallest"),
        ("alpha", {"alpha": 1.0}, "alpha 1 is the largest"),
        # Nothing lies beyond it; and the others do not vary.
        ("alpha", {"alpha": 0.0, "batch_size": 8}, None),
    ],
)
def test_a_winner_on_the_grids_edge_is_a_warning(
    name: str, changes: dict[str, float], said: str | None
) -> None:
    best = dataclasses.replace(CELL, **changes)  # type: ignore[arg-type]
    text = note([best], best, name)
    assert ("edge" in text) == (said is not None)
    assert said is None or said in text


def test_trainings_that_learned_nothing_are_counted() -> None:
    dead = dataclasses.replace(CELL, batch_size=8, dead=2)
    text = note([CELL, dead], dead)
    assert "2 trainings in 1 cell ended no better than guessing (accuracy up to 0.6)" in text
    assert "| no better than guessing |" in text.replace("\u2003", "")
    assert "2 of 10 runs" in text
    one = note([CELL, dataclasses.replace(dead, dead=1)], CELL)
    assert "1 training in 1 cell ended" in one and ", and counts like any other." in one
    assert "| no better" not in one.replace("\u2003", "")
    assert "guessing" not in note([CELL], CELL)
    # An older study does not say.
    assert "guessing" not in note([dataclasses.replace(CELL, dead=None)], CELL)


def test_reruns_of_the_papers_settings_are_no_winners() -> None:
    protocol = Protocol(search="published")
    of_table_1 = make_stage("paper", "AuxMLP", "rerun", protocol, WINNER)
    text = rerun_note(of_table_1, [RESULT], 0, "")
    assert text.startswith("Trains this model at the settings of the paper's Table I afresh on")
    assert "This is the last stage." in text


def test_reruns_show_accuracy_and_seconds_beside_the_papers() -> None:
    text = rerun_note(stage("rerun"), [RESULT], 0, "").replace("\u2003", "")
    assert "seeds 10 to 19" in text
    assert "**10 of 10 reruns done.** This is the last stage." in text
    assert "| test accuracy | 0.860 ± 0.011 | 0.856 ± 0.011 |" in text
    assert "| seconds per training | 0.50 ± 0.02 | 7.3 ± 0.4 |" in text
    assert "so far" not in text and "guessing" not in text
    text = rerun_note(stage("rerun"), [RESULT], 1, "")
    assert "1 training ended no better than guessing (accuracy up to 0.6): the mean" in text


def test_reruns_compare_the_models_in_the_papers_order() -> None:
    other = dataclasses.replace(RESULT, model="MLP", alpha=None)
    lines = rerun_note(stage("rerun"), [RESULT, other], 0, "").splitlines()
    models = [line.split()[1] for line in lines if line.startswith(("| MLP", "| AuxMLP"))]
    assert models == ["MLP", "AuxMLP"]
