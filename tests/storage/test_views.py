"""The views say what the trials say, on both kinds of store."""

import itertools
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState
from sqlalchemy import text

from storage.queries import (
    best_cell,
    best_params,
    grid_cells,
    model_results,
    ranked_cells,
    reruns,
)
from storage.store import Store, open_store

FAIL, PRUNED, RUNNING = TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING
DIFFERENT = st.integers(8_000, 8_010).map(lambda pairs: 0.8 + (pairs - 8_000) * 1e-9)
COUNTER = itertools.count()
ACCURACIES = st.integers(0, 10_000).map(lambda pairs: pairs / 10_000) | DIFFERENT


@settings(
    max_examples=10,
    deadline=None,  # a busy machine is no failure
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(cells=st.lists(st.lists(ACCURACIES, min_size=1, max_size=10), min_size=1, max_size=3))
@example(cells=[[0.8, 0.8 + 1e-9, 0.8 + 2e-9], [0.1234] * 10])
def test_mean_and_deviation_are_those_of_statistics(
    store: Store, search: Callable[..., Any], cells: list[list[float]]
) -> None:
    """Also where the repeats differ in the ninth digit, where one-pass formulas fail."""
    name = f"paper/model{next(COUNTER)}/lr-batch"
    for number, accuracies in enumerate(cells):
        if number == 0:
            study = search(store, name)
        study.add(1e-3, 8 + number, values=accuracies)
    shown = {
        cell.parameters["batch_size"] - 8: cell
        for cell in grid_cells(store.engine, *name.split("/"))
    }
    for number, accuracies in enumerate(cells):
        cell = shown.pop(number)
        assert cell.runs == len(accuracies)
        assert cell.mean == pytest.approx(statistics.mean(accuracies), rel=1e-14)
        if len(accuracies) < 2:
            assert cell.deviation is None
        else:
            assert cell.deviation == pytest.approx(statistics.stdev(accuracies), abs=1e-12)
    assert not shown


def test_a_cell_has_one_row_whatever_was_killed(store: Store, search: Callable[..., Any]) -> None:
    """The finished trial if there is one, else the newest; none that lacks a parameter."""
    study = search(store, "paper/AuxMLP/alpha")
    study.add(1e-3, 8, 0.1, state=FAIL)
    study.add(1e-3, 8, 0.1, [0.5, 0.7])
    study.add(1e-3, 8, 0.1, state=FAIL)
    study.add(1e-3, 8, 0.2, [0.6], state=FAIL)
    study.add(1e-3, 8, 0.2, [0.9], state=PRUNED)
    study.add(1e-3, 8, 0.3, state=FAIL, final_error="diverged: loss became NaN at epoch 3")
    study.add(1e-3, 8, 0.4, state=FAIL, final_error="its workers were killed")
    study.add(1e-3, 8, None, state=FAIL)
    study.add(None, None, None, state=FAIL)
    study.add(1e-3, 8, 0.5, state=RUNNING)
    search(store, "paper/AuxMLP/rerun").add(1e-3, 8, 0.1, [0.1], seed=10)
    cells = {
        c.parameters.get("alpha"): c for c in grid_cells(store.engine, "paper", "AuxMLP", "alpha")
    }
    assert {alpha: (c.state, c.mean, c.runs) for alpha, c in cells.items()} == {
        0.1: ("COMPLETE", pytest.approx(0.6), 2),
        0.2: ("PRUNED", pytest.approx(0.9), 1),
        0.3: ("DIVERGED", None, 0),
        0.4: ("FAIL", None, 0),
        0.5: ("RUNNING", None, 0),
    }
    assert not grid_cells(store.engine, "paper", "AuxMLP", "rerun")


def test_models_without_alpha_have_null(store: Store, search: Callable[..., Any]) -> None:
    search(store).add(1e-3, 8, values=[0.5])
    (cell,) = grid_cells(store.engine, "paper", "MLP", "lr-batch")
    assert cell.parameters == {"learning_rate": 1e-3, "batch_size": 8}
    with store.engine.connect() as connection:
        assert connection.scalar(text("select alpha from best_params")) is None


def test_the_last_stage_with_a_finished_cell_wins(store: Store, search: Callable[..., Any]) -> None:
    search(store, "paper/AuxMLP/lr-batch").add(5e-3, 16, 1.0, [0.9])
    alpha = search(store, "paper/AuxMLP/alpha")
    alpha.add(5e-3, 16, 0.3, state=FAIL)
    search(store, "paper/MLP/lr-batch").add(1e-4, 128, values=[0.7, 0.8])
    first, other = best_params(store.engine)
    assert (first.model, first.parameters["alpha"]) == ("AuxMLP", 1.0)
    assert (first.runs, first.deviation) == (1, None)
    assert other.parameters == {"learning_rate": 1e-4, "batch_size": 128}
    assert other.deviation == pytest.approx(statistics.stdev([0.7, 0.8]))
    alpha.add(5e-3, 16, 0.4, [0.5])
    assert best_params(store.engine, "paper", "AuxMLP")[0].parameters["alpha"] == 0.4
    assert best_params(store.engine, model="MLP") == [other]
    assert best_params(store.engine, experiment="other") == []


def test_trainings_that_learned_nothing_are_counted(
    store: Store, search: Callable[..., Any]
) -> None:
    """Up to the accuracy that the study says guessing gives; an older study does not say."""
    study = search(store)
    study.add(1e-3, 8, values=[0.59, 0.6, 0.61])
    study.add(1e-3, 16, values=[0.7])
    study.add(1e-3, 32, state=FAIL, final_error="diverged")

    def shown() -> dict[Any, int | None]:
        ranked = {cell.parameters["batch_size"]: cell.dead for cell in ranked_cells(store.engine)}
        cells = grid_cells(store.engine, "paper", "MLP", "lr-batch")
        assert {cell.parameters["batch_size"]: cell.dead for cell in cells} == ranked
        return ranked

    assert shown() == {8: None, 16: None, 32: None}
    study.guessing(0.6)
    assert shown() == {8: 2, 16: 0, 32: 0}


TIED = {(5e-3, 8, 0.2): 0, (5e-3, 8, 0.4): 1, (5e-3, 16, 0.1): 2, (1e-3, 8, 0.1): 3}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_ties_do_not_depend_on_the_order_of_completion(
    step: int, sqlite_url: str, search: Callable[..., Any]
) -> None:
    """Whichever cells have finished, the same one of them wins."""
    with open_store(sqlite_url) as store:
        for model, order in enumerate([*itertools.permutations(TIED)][::step]):
            study = search(store, f"paper/{model}/alpha")
            for number, cell in enumerate(order):
                study.add(*cell, [0.5, 0.7], place=TIED[cell])
                winner = min(order[: number + 1], key=TIED.__getitem__)
                best = best_cell(store.engine, "paper", str(model), "alpha")
                (row,) = best_params(store.engine, "paper", str(model))
                for shown in (best, row):
                    assert shown is not None and tuple(shown.parameters.values()) == winner


def test_the_score_ranks_and_failures_never_win(store: Store, search: Callable[..., Any]) -> None:
    study = search(store)
    assert best_cell(store.engine, "paper", "MLP", "lr-batch") is None
    study.add(1e-3, 8, values=[0.9, 0.5], score=0.5)
    study.add(1e-3, 16, values=[0.6, 0.6], score=0.6)
    study.add(1e-3, 32, values=[0.99], state=PRUNED, score=0.99)
    study.add(1e9, 8, state=FAIL, final_error="diverged", score=1.0)
    best = best_cell(store.engine, "paper", "MLP", "lr-batch")
    assert best is not None and best.parameters["batch_size"] == 16
    assert [row.parameters["batch_size"] for row in best_params(store.engine)] == [16]


def test_results_of_reruns(store: Store, search: Callable[..., Any]) -> None:
    study = search(store, "paper/AuxMLP/rerun")
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=10, state=FAIL)
    assert model_results(store.engine) == []
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=10, value=0.85, train_seconds=7.5)
    (one,) = model_results(store.engine)
    assert (one.deviation, one.deviation_seconds, one.reruns) == (None, None, 1)
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=11, value=0.87, train_seconds=8.25)
    (both,) = model_results(store.engine, "paper", "AuxMLP")
    assert both.parameters == {"learning_rate": 5e-3, "batch_size": 16, "alpha": 0.9}
    assert (both.parameter_count, both.reruns) == (73314, 2)
    assert both.mean == pytest.approx(0.86)
    assert both.deviation == pytest.approx(statistics.stdev([0.85, 0.87]))
    assert both.mean_seconds == pytest.approx(7.875)
    assert both.deviation_seconds == pytest.approx(statistics.stdev([7.5, 8.25]))


def disturbed_reruns(search: Any, *disturbed: bool | None) -> None:
    """Add a rerun for each, of 1, 2, 3 ... seconds; None: nobody knows."""
    study = search(name="paper/AuxMLP/rerun")
    for seed, is_disturbed in enumerate(disturbed):
        more = {} if is_disturbed is None else {"disturbed": is_disturbed}
        study.add(1e-3, 8, 0.5, seed=seed, value=0.5, train_seconds=seed + 1.0, **more)


def rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 6)


@pytest.mark.parametrize(
    ("disturbed", "mean", "deviation", "timed"),
    [
        ((False, True, False, False, None), 3.25, 1.707825, 4),
        ((True, True, False, False), 3.5, 0.707107, 2),
        ((True, True), None, None, 0),
    ],
)
def test_means_of_seconds_are_over_undisturbed_reruns(
    store: Store,
    search: Callable[..., Any],
    disturbed: tuple[bool | None, ...],
    mean: float | None,
    deviation: float | None,
    timed: int,
) -> None:
    disturbed_reruns(partial(search, store), *disturbed)
    with store.engine.connect() as connection:
        query = "select mean_train_seconds, std_train_seconds, reruns, timed from model_results"
        row = connection.execute(text(query)).one()
    assert tuple(map(rounded, row)) == (mean, deviation, len(disturbed), timed)
    (result,) = model_results(store.engine)
    assert (result.timed, result.disturbed) == (timed, disturbed.count(True))
    assert result.unknown == disturbed.count(None)
    # What people are shown is no mean of two timings out of four.
    shown = (mean, deviation) if timed >= 3 else (None, None)
    assert (rounded(result.mean_seconds), rounded(result.deviation_seconds)) == shown
    assert [rerun.disturbed for rerun in reruns(store.engine)] == list(disturbed)


def test_few_timings_are_shown_where_none_was_disturbed(
    store: Store, search: Callable[..., Any]
) -> None:
    disturbed_reruns(partial(search, store), False, None)
    assert model_results(store.engine)[0].mean_seconds == 1.5


def test_words_show_as_words_and_other_objectives_as_other_columns(
    store: Store, search: Callable[..., Any]
) -> None:
    """Whatever one store holds besides; where less is better, the least is the best."""
    search(store).add(1e-3, 8, values=[0.5])
    trees = {"grid": {"criterion": ["gini", "entropy"]}, "objective": "error"}
    study = search(store, "trees/small/kind", **trees, direction="minimize", guessing=0.5)
    study.study.set_user_attr("objective", "error")
    for place, (word, error) in enumerate((("gini", 0.5), ("entropy", 0.25))):
        study.add(None, None, values=[error, error], more={"criterion": word}, place=place)
    rerun = search(store, "trees/small/rerun", **trees)
    rerun.study.set_user_attr("objective", "error")
    rerun.add(None, None, value=0.75, seed=10, more={"criterion": "entropy"})
    queries = {
        "select criterion, mean_error, mean_accuracy, runs from best_params": [
            ("entropy", 0.25, None, 2), (None, None, 0.5, 1),
        ],
        "select criterion, std_error, dead from grid_cells": [
            ("entropy", 0, 0), ("gini", 0, 2), (None, None, None)
        ],
        "select criterion, mean_error, learning_rate, mean_accuracy from model_results": [
            ("entropy", 0.75, None, None)
        ],
    }  # fmt: skip
    with store.engine.connect() as connection:
        for query, rows in queries.items():
            found = connection.execute(text(query)).all()
            assert sorted(map(tuple, found), key=str) == sorted(rows, key=str)
    (cell,) = [c for c in ranked_cells(store.engine) if c.parameters == {"criterion": "gini"}]
    assert (cell.mean, cell.dead) == (0.5, 2)
    best = best_cell(store.engine, "trees", "small", "kind")
    assert best is not None and best.parameters == {"criterion": "entropy"}
    (row,) = best_params(store.engine, "trees")
    assert (row.objective, row.mean) == ("error", 0.25)


def test_numbers_among_words_show_as_their_text(store: Store, search: Callable[..., Any]) -> None:
    study = search(store, grid={"depth": [2]})
    study.add(None, None, values=[0.5], more={"depth": 2})
    other = search(store, "other/MLP/lr-batch", grid={"depth": ["gini"]})
    other.add(None, None, values=[0.5], more={"depth": "entropy"})
    with store.engine.connect() as connection:
        depths = connection.scalars(text("select depth from best_params order by depth")).all()
    assert depths == ["2", "entropy"]


def test_contenders_are_the_cells_that_a_study_names(
    store: Store, search: Callable[..., Any]
) -> None:
    kept = {"repeats": 2, "win_again": 0.75, "repeats_to_settle": 12}
    study = search(store, contenders=["lr-batch#12", "lr-batch#1"], **kept)
    for number in range(13):
        study.add(1e-3, number + 1, values=[0.5, 0.5 + number / 100])
    search(store, "paper/CNN/lr-batch", contenders=["lr-batch#0"], repeats=1).add(
        1e-3, 8, values=[0.7]
    )
    # An unfinished one, one of an older version, and odd ones.
    search(store, "paper/ResNet/lr-batch").add(1e-3, 8, values=[0.7])
    search(store, "odd/MLP/lr-batch", contenders="words", **kept).add(1e-3, 8, values=[0.7])
    search(store, "odd/CNN/lr-batch", contenders=["lr-batch#0"], repeats="words").add(
        1e-3, 8, values=[0.7]
    )
    with store.engine.connect() as connection:
        certainty = connection.execute(text("select * from certainty order by model")).all()
        cells = connection.execute(
            text("select model, batch_size, mean_accuracy from contenders where experiment = "
                 "'paper' order by 1, 2")
        ).all()  # fmt: skip
    assert [tuple(row) for row in certainty] == [
        ("paper", "CNN", "lr-batch", 1, 1, None, None),
        ("paper", "MLP", "lr-batch", 2, 2, 0.75, 12),
    ]
    assert [tuple(row) for row in cells] == [
        ("CNN", 8, 0.7), ("MLP", 2, pytest.approx(0.505)), ("MLP", 13, pytest.approx(0.56)),
    ]  # fmt: skip


def test_ranked_cells_of_one_search_are_those_among_all(
    store: Store, search: Callable[..., Any]
) -> None:
    for model in ("MLP", "CNN"):
        study = search(store, f"paper/{model}/lr-batch")
        for size in (8, 16):
            study.add(1e-3, size, values=[0.5, size / 100])
    of_all = [cell for cell in ranked_cells(store.engine) if cell.model == "CNN"]
    asked = {"experiment": "paper", "model": "CNN", "stage": "lr-batch"}
    assert list(ranked_cells(store.engine, **asked)) == of_all
    assert len(of_all) == 2
