"""The views say what the trials say, on both kinds of store."""

import itertools
import statistics
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from optuna.trial import TrialState

from storage.measurements import ranked_cells
from storage.queries import best_cell, best_params, grid_cells, model_results
from storage.store import Store, open_store

FAIL, PRUNED, RUNNING = TrialState.FAIL, TrialState.PRUNED, TrialState.RUNNING
DIFFERENT = st.integers(8_000, 8_010).map(lambda pairs: 0.8 + (pairs - 8_000) * 1e-9)
COUNTER = itertools.count()
ACCURACIES = st.integers(0, 10_000).map(lambda pairs: pairs / 10_000) | DIFFERENT


@settings(
    max_examples=25,
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
    shown = {cell.batch_size - 8: cell for cell in grid_cells(store.engine, *name.split("/"))}
    for number, accuracies in enumerate(cells):
        cell = shown.pop(number)
        assert cell.runs == len(accuracies)
        assert cell.mean_accuracy == pytest.approx(statistics.mean(accuracies), rel=1e-14)
        if len(accuracies) < 2:
            assert cell.std_accuracy is None
        else:
            assert cell.std_accuracy == pytest.approx(statistics.stdev(accuracies), abs=1e-12)
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
    cells = {c.alpha: c for c in grid_cells(store.engine, "paper", "AuxMLP", "alpha")}
    assert {alpha: (c.state, c.mean_accuracy, c.runs) for alpha, c in cells.items()} == {
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
    assert cell.alpha is None


def test_the_last_stage_with_a_finished_cell_wins(store: Store, search: Callable[..., Any]) -> None:
    search(store, "paper/AuxMLP/lr-batch").add(5e-3, 16, 1.0, [0.9])
    alpha = search(store, "paper/AuxMLP/alpha")
    alpha.add(5e-3, 16, 0.3, state=FAIL)
    search(store, "paper/MLP/lr-batch").add(1e-4, 128, values=[0.7, 0.8])
    first, other = best_params(store.engine)
    assert (first.model, first.alpha, first.runs, first.std_accuracy) == ("AuxMLP", 1.0, 1, None)
    assert (other.model, other.learning_rate, other.batch_size) == ("MLP", 1e-4, 128)
    assert other.std_accuracy == pytest.approx(statistics.stdev([0.7, 0.8]))
    alpha.add(5e-3, 16, 0.4, [0.5])
    assert best_params(store.engine, "paper", "AuxMLP")[0].alpha == 0.4
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

    def shown() -> dict[int, int | None]:
        ranked = {cell.batch_size: cell.dead for cell in ranked_cells(store.engine)}
        cells = grid_cells(store.engine, "paper", "MLP", "lr-batch")
        assert {cell.batch_size: cell.dead for cell in cells} == ranked
        return ranked

    assert shown() == {8: None, 16: None, 32: None}
    study.guessing(0.6)
    assert shown() == {8: 2, 16: 0, 32: 0}


TIED = {(5e-3, 8, 0.2): 0, (5e-3, 8, 0.4): 1, (5e-3, 16, 0.1): 2, (1e-3, 8, 0.1): 3}


def test_ties_do_not_depend_on_the_order_of_completion(
    sqlite_url: str, search: Callable[..., Any]
) -> None:
    """Whichever cells have finished, the same one of them wins."""
    with open_store(sqlite_url) as store:
        for model, order in enumerate(itertools.permutations(TIED)):
            study = search(store, f"paper/{model}/alpha")
            for number, cell in enumerate(order):
                study.add(*cell, [0.5, 0.7])
                winner = min(order[: number + 1], key=TIED.__getitem__)
                best = best_cell(store.engine, "paper", str(model), "alpha")
                (row,) = best_params(store.engine, "paper", str(model))
                for shown in (best, row):
                    assert (shown.learning_rate, shown.batch_size, shown.alpha) == winner


def test_the_score_ranks_and_failures_never_win(store: Store, search: Callable[..., Any]) -> None:
    study = search(store)
    assert best_cell(store.engine, "paper", "MLP", "lr-batch") is None
    study.add(1e-3, 8, values=[0.9, 0.5], score=0.5)
    study.add(1e-3, 16, values=[0.6, 0.6], score=0.6)
    study.add(1e-3, 32, values=[0.99], state=PRUNED, score=0.99)
    study.add(1e9, 8, state=FAIL, final_error="diverged", score=1.0)
    best = best_cell(store.engine, "paper", "MLP", "lr-batch")
    assert best is not None and best.batch_size == 16
    assert [row.batch_size for row in best_params(store.engine)] == [16]


def test_results_of_reruns(store: Store, search: Callable[..., Any]) -> None:
    study = search(store, "paper/AuxMLP/rerun")
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=10, state=FAIL)
    assert model_results(store.engine) == []
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=10, value=0.85, train_seconds=7.5)
    (one,) = model_results(store.engine)
    assert (one.std_accuracy, one.std_train_seconds, one.reruns) == (None, None, 1)
    study.add(5e-3, 16, 0.9, [3.0, 2.0], seed=11, value=0.87, train_seconds=8.25)
    (both,) = model_results(store.engine, "paper", "AuxMLP")
    assert (both.parameters, both.learning_rate, both.batch_size, both.alpha, both.reruns) == (
        73314, 5e-3, 16, 0.9, 2,
    )  # fmt: skip
    assert both.mean_accuracy == pytest.approx(0.86)
    assert both.std_accuracy == pytest.approx(statistics.stdev([0.85, 0.87]))
    assert both.mean_train_seconds == pytest.approx(7.875)
    assert both.std_train_seconds == pytest.approx(statistics.stdev([7.5, 8.25]))
