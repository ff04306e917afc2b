"""What notes read like, from results as a store has them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from storage.queries import Certainty, GridCell, ModelResult
from studies.dashboard.note_text import rerun_note, search_note
from studies.display.certainty import sureness_sentence
from studies.experiment.beyond import Beyond
from studies.experiment.definition import Experiment, Published, Stage
from studies.experiment.study import grid_study


def train(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Return nothing of interest: nobody calls it."""
    return {"accuracy": 1.0}


WINNER = {"depth": 4, "kernel": "rbf", "rate": 1.0}
SIZE = Stage("size", depth=[2, 4, 8], kernel=["rbf", "linear"], rate=[0.0])
RATE = Stage("rate", rate=[0.0, 0.5, 1.0])
PUBLISHED = {
    "tree": Published({"depth": 8, "kernel": "rbf"}, 0.856, 0.011, 7.304, 0.377),
    "forest": Published(WINNER, 0.9, 0.01),
}
TOY = Experiment("toy", {"forest": train, "tree": train}, [SIZE, RATE], guessing=0.6)
BESIDE = dataclasses.replace(TOY, published=PUBLISHED)
CELL = GridCell(
    "toy", "tree", "size", {"depth": 4, "kernel": "rbf", "rate": 0.0}, 0.85, 0.01, 10, "COMPLETE",
    dead=0, number=3,
)  # fmt: skip
RESULT = ModelResult("toy", "tree", "accuracy", 66302, WINNER, 0.86, 0.011, 0.5, 0.02, 10, 10, 0, 0)


def cell(state: str = "COMPLETE", dead: int | None = 0, **parameters: Any) -> GridCell:
    return dataclasses.replace(
        CELL, parameters={**CELL.parameters, **parameters}, state=state, dead=dead
    )


def note(
    cells: list[GridCell], best: GridCell | None, name: str = "size", of: Experiment = BESIDE
) -> str:
    won = None if name == "size" else WINNER
    cells = [dataclasses.replace(cell, stage=name) for cell in cells]
    text = search_note(
        grid_study(of, "tree", name, won), cells, best, "trial 3", " It starts there."
    )
    return text.replace("\u2003", "")


def of_reruns(*results: ModelResult, dead: int = 0, of: Experiment = BESIDE) -> str:
    study = grid_study(of, "tree", "rerun", WINNER)
    return rerun_note(study, results, dead, "").replace("\u2003", "")


def test_a_search_says_what_it_searches_how_far_it_is_and_what_comes_next() -> None:
    cells = [CELL, cell("DIVERGED", depth=2), cell("PRUNED", depth=8), cell("RUNNING")]
    text = note(cells, CELL)
    assert text.startswith(
        "Searches depth {2, 4, 8} x kernel {rbf, linear} at rate 0. A cell is 10 trainings: their "
        "mean test accuracy decides. It starts there."
    )
    assert (
        "**3 of 6 cells done**, 1 of them diverged, 1 of them given up in the race. "
        "Next stage: rate." in text
    )


@pytest.mark.parametrize(("direction", "rule"), [("maximize", "less"), ("minimize", "plus")])
def test_the_rule_that_ranks_cells_is_told(direction: str, rule: str) -> None:
    changes = {"direction": direction, "rank_by": "lower-bound", "select_on": "validation"}
    text = note([CELL], CELL, of=dataclasses.replace(TOY, **changes))
    assert f"their mean validation accuracy, {rule} one standard error, decides" in text
    assert "| validation accuracy | 0.850 ± 0.010 |" in text
    text = note([CELL], CELL, of=dataclasses.replace(TOY, rank_by="median"))
    assert "A cell is 10 trainings: their median test accuracy decides." in text


def test_the_best_cell_stands_beside_what_is_published() -> None:
    lines = note([CELL], CELL).splitlines()
    start = lines.index("| best so far: trial 3 | ours | published |")
    assert lines[start + 2 : start + 6] == [
        "| depth | 4 | 8 |",
        "| kernel | rbf | rbf |",
        "| rate | 0 | - |",
        "| test accuracy | 0.850 ± 0.010 | 0.856 ± 0.011 |",
    ]


def test_an_experiment_without_published_results_has_no_column_for_them() -> None:
    text = note([CELL], CELL, of=TOY)
    assert "| best so far: trial 3 | ours |\n|---|---:|\n| depth | 4 |\n" in text
    text = of_reruns(RESULT, dataclasses.replace(RESULT, model="forest"), of=TOY)
    assert "| tree | 0.860 ± 0.011 | 0.50 ± 0.02 |" in text
    assert "published" not in text


def test_of_a_whole_grid_the_best_cell_is_the_winner() -> None:
    cells = [cell(rate=rate) for rate in (0.0, 0.5, 1.0)]
    assert "| winner: trial 3 |" not in note(cells[:2], cells[1], "rate")
    assert "| winner: trial 3 |" in note(cells, cells[1], "rate")


def test_a_note_says_how_sure_the_winner_is() -> None:
    study = grid_study(BESIDE, "tree", "size", None)
    known = Certainty(10, (3, 1), 0.49, 45)
    text = search_note(study, [CELL], CELL, "trial 3", "", known)
    assert sureness_sentence(known) in text
    assert "new seeds" not in search_note(study, [CELL], CELL, "trial 3", "")


def test_without_a_finished_cell_there_is_no_best() -> None:
    text = note([], None)
    assert "**0 of 6 cells done**" in text
    assert "|" not in text


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("size", {}, None),
        ("size", {"depth": 8}, "depth 8 is the largest"),
        ("size", {"depth": 2}, "depth 2 is the smallest"),
        ("rate", {"rate": 1.0}, "rate 1 is the largest"),
        # Nothing lies beyond it; and the others do not vary.
        ("rate", {"rate": 0.0, "depth": 2}, None),
        # Words have no order.
        ("size", {"kernel": "linear"}, None),
    ],
)
def test_a_winner_on_the_grids_edge_is_a_warning(
    name: str, changes: dict[str, Any], sentence: str | None
) -> None:
    best = cell(**changes)
    text = note([best], best, name)
    assert ("edge" in text) == (sentence is not None)
    assert sentence is None or sentence in text


def test_a_winner_on_the_edge_goes_on_where_it_may() -> None:
    best = cell(depth=8)
    size = [cell(depth=depth, kernel=kernel) for depth in (2, 4, 8) for kernel in ("rbf", "linear")]
    further = dataclasses.replace(TOY, extend=1)
    assert "(depth 8 is the largest that was tried): size+1 tries what lies beyond." in note(
        size, best, of=further
    )
    assert "that was tried): if it wins, size+1 tries what lies beyond." in note(
        size[:2], size[0], of=further
    )
    bounded = Stage("size", **SIZE.grid, beyond={"depth": Beyond(most=8)})
    assert "edge" not in note(size, best, of=dataclasses.replace(TOY, stages=[bounded, RATE]))


def test_a_study_that_goes_on_says_why_and_shows_the_best_of_all() -> None:
    further = dataclasses.replace(TOY, extend=1)
    study = dataclasses.replace(
        grid_study(further, "tree", "size", None),
        name="size+1",
        grid={"depth": (16,), "kernel": ("rbf", "linear"), "rate": (0.0,)},
        extension=1,
        only=({"depth": 16, "kernel": "rbf", "rate": 0.0},),
        reason="depth 8 is the largest tried",
    )
    before = [cell("DIVERGED", dead=1, depth=4), cell(depth=8)]
    own = dataclasses.replace(cell(depth=16), stage="size+1")
    text = search_note(study, [own, *before], own, "trial 3", "").replace("\u2003", "")
    assert text.startswith(
        "Searches 1 new cell of kernel {rbf, linear} at depth 16, rate 0, as depth 8 is the "
        "largest tried. A cell is 10 trainings"
    )
    assert "**1 of 1 cells done**. Next stage: rate." in text, "no cell of those before"
    assert "depth 16 is the largest that was tried): a better one may lie beyond." in text
    inside = search_note(study, [own, *before], before[1], "trial 3", "")
    assert "edge" not in inside, "16 was tried, and is no better"


def test_trainings_that_learned_nothing_are_counted() -> None:
    dead = cell(dead=2, depth=8)
    text = note([CELL, dead], dead)
    assert "2 trainings in 1 cell ended no better than guessing (accuracy up to 0.6)" in text
    assert "| no better than guessing | 2 of 10 runs |" in text
    one = note([CELL, cell(dead=1)], CELL)
    assert "1 training in 1 cell ended" in one and ", and counts like any other." in one
    assert "| no better" not in one
    assert "guessing" not in note([CELL], CELL)
    # An older study does not keep what guessing gives.
    assert "guessing" not in note([cell(dead=None)], CELL)


def test_reruns_of_published_parameters_are_no_winners() -> None:
    text = of_reruns(RESULT, of=dataclasses.replace(BESIDE, search="published"))
    assert text.startswith("Trains this model at the published parameters afresh on seeds 10 to 19")
    assert "This is the last stage." in text


def test_reruns_show_objective_and_seconds_beside_what_is_published() -> None:
    text = of_reruns(RESULT)
    assert text.startswith("Trains the winner afresh on seeds 10 to 19")
    assert "**10 of 10 reruns done.** This is the last stage." in text
    assert "| test accuracy | 0.860 ± 0.011 | 0.856 ± 0.011 |" in text
    assert "| seconds per training | 0.50 ± 0.02 | 7.3 ± 0.4 |" in text
    assert "| trainable parameters | 66302 |" in text
    assert "so far" not in text and "guessing" not in text
    text = of_reruns(RESULT, dead=1)
    assert "1 training ended no better than guessing (accuracy up to 0.6): the mean" in text


def test_what_is_published_of_other_settings_is_not_shown() -> None:
    other = dataclasses.replace(BESIDE, published_with={"epochs": 25})
    assert "published" not in of_reruns(RESULT, of=other)
    same = dataclasses.replace(other, settings={"epochs": 25})
    assert of_reruns(RESULT, of=same) == of_reruns(RESULT)


def test_disturbed_timings_are_told_instead_of_a_mean_of_few() -> None:
    few = dataclasses.replace(RESULT, timed=2, disturbed=8).believable()
    text = of_reruns(few)
    assert "| seconds per training | 2 of 10 undisturbed | 7.3 ± 0.4 |" in text
    assert text.endswith(
        "No seconds are shown of tree: other programs used the processors during the timings, and "
        "fewer than 3 were undisturbed."
    )
    enough = dataclasses.replace(RESULT, timed=3, disturbed=7).believable()
    text = of_reruns(enough)
    assert "| seconds per training | 0.50 ± 0.02 |" in text
    assert text.endswith("left out, as other programs used the processors, are 7 of 10 (tree).")


def test_reruns_compare_the_models_in_their_order() -> None:
    other = dataclasses.replace(RESULT, model="forest", parameter_count=None)
    lines = of_reruns(RESULT, other).splitlines()
    assert lines[-2:] == [
        "| forest | 0.860 ± 0.011 | 0.900 ± 0.010 | 0.50 ± 0.02 |  |",
        "| tree | 0.860 ± 0.011 | 0.856 ± 0.011 | 0.50 ± 0.02 | 7.3 ± 0.4 |",
    ]
