"""Single measurements come back as they were written, on either kind of store."""

import dataclasses
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import Engine, create_engine

from storage.errors import StoreError
from storage.measurements import Rerun, ranked_cells, reruns, studies, training_rows
from storage.queries import GridCell, best_cell, grid_cells
from storage.schema import COLUMNS, TrainingRun, record
from storage.store import Store


def test_studies_come_with_all_their_attributes(store: Store, search: Any) -> None:
    search(store)
    search(store, "paper/MLP/rerun").study.set_user_attr("versions", {"python": "3.11"})
    store.optuna.create_new_study([], "not ours")
    first, second = studies(store.engine)
    assert (first.experiment, first.model, first.stage) == ("paper", "MLP", "lr-batch")
    assert first.attributes["protocol"] == {"epochs": 25}
    assert second.attributes["versions"] == {"python": "3.11"}


def test_cells_come_in_their_order_with_each_repeat(store: Store, search: Any) -> None:
    search(store, "other/CNN/lr-batch").add(1e-3, 8, values=[0.5])
    study = search(store)
    study.add(1e-3, 8, values=[0.75, 0.5])
    study.add(1e-3, 16, values=[0.5, 1.0])
    study.add(5e-3, 16, values=[0.5, 1.0])
    study.add(5e-3, 8, state=TrialState.FAIL, final_error="diverged: 1 of 2 trainings")
    study.add(5e-3, 32, values=[0.875], state=TrialState.PRUNED)
    other, *cells = ranked_cells(store.engine)
    assert (other.experiment, other.accuracies) == ("other", (0.5,))
    assert [(each.learning_rate, each.batch_size) for each in cells[:3]] == [
        (5e-3, 16), (1e-3, 16), (1e-3, 8),
    ]  # fmt: skip
    assert [each.accuracies for each in cells[:3]] == [(0.5, 1.0), (0.5, 1.0), (0.75, 0.5)]
    undone = {each.state: each.accuracies for each in cells[3:]}
    assert undone == {"DIVERGED": (), "PRUNED": (0.875,)}
    best = best_cell(store.engine, "paper", "MLP", "lr-batch")
    assert best is not None and _as_grid_cell(cells[0]) == _close_to(best)
    known = {each.batch_size * each.learning_rate: each for each in map(_as_grid_cell, cells)}
    for cell in grid_cells(store.engine, "paper", "MLP", "lr-batch"):
        assert known[cell.batch_size * cell.learning_rate] == _close_to(cell)


def _as_grid_cell(cell: GridCell) -> GridCell:
    return GridCell(**{f.name: getattr(cell, f.name) for f in dataclasses.fields(GridCell)})


def _close_to(cell: GridCell) -> GridCell:
    return dataclasses.replace(
        cell,
        mean_accuracy=pytest.approx(cell.mean_accuracy),
        std_accuracy=pytest.approx(cell.std_accuracy),
    )


def test_reruns_come_by_seed_those_that_diverged_too(store: Store, search: Any) -> None:
    study = search(store, "paper/AuxMLP/rerun")
    study.add(1e-3, 8, 0.5, seed=11, value=0.75, train_seconds=2.5, fingerprint="b")
    study.add(1e-3, 8, 0.5, seed=10, value=0.5, train_seconds=1.5, fingerprint="a")
    # What a killed run leaves, and a seed of no use.
    study.add(1e-3, 8, 0.5, seed=10, state=TrialState.FAIL)
    study.add(
        1e-3, 8, 0.5, seed=12, state=TrialState.FAIL, final_error="diverged: 1 of 1 trainings"
    )
    winner = ("paper", "AuxMLP", 1e-3, 8, 0.5)
    assert reruns(store.engine) == [
        Rerun(*winner, 10, 0.5, 1.5, "a"),
        Rerun(*winner, 11, 0.75, 2.5, "b"),
        Rerun(*winner, 12, None, None, None),
    ]


def test_trainings_come_as_they_are_stored(store: Store, run: TrainingRun) -> None:
    record(store.engine, [run, dataclasses.replace(run, fingerprint="a2", seed=4)])
    one, other = training_rows(store.engine)
    assert tuple(one) == COLUMNS
    assert (one["fingerprint"], other["fingerprint"]) == ("a1", "a2")
    assert one["accuracy"] == run.accuracy
    assert one["loss_curve"] == "[0.7, 0.3333333333333333]"


@pytest.fixture
def empty() -> Engine:
    return create_engine("sqlite://")


def test_a_database_without_tables_is_no_store(empty: Engine) -> None:
    for read in (studies, ranked_cells, reruns, training_rows):
        with pytest.raises(StoreError):
            list(read(empty))  # type: ignore[operator]
