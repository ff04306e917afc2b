"""Single measurements come back as they were written, on either kind of store."""

import dataclasses
import math
from collections import Counter
from typing import Any

import pytest
from optuna.trial import TrialState
from sqlalchemy import Engine, create_engine, text

from storage.errors import StoreError
from storage.queries import (
    GridCell,
    Rerun,
    best_cell,
    best_params,
    grid_cells,
    latest,
    model_results,
    ranked_cells,
    rerun_curves,
    reruns,
    stage_cells,
    studies,
)
from storage.store import Store
from storage.trainings import TrainingRun, declare, record, training_runs


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
    study.add(1e-3, 8, values=[0.75, 0.5], fingerprints=["a", "b"], place=2)
    study.add(1e-3, 16, values=[0.5, 1.0], place=3)
    study.add(5e-3, 16, values=[0.5, 1.0], place=1)
    study.add(5e-3, 8, state=TrialState.FAIL, final_error="diverged: 1 of 2 trainings")
    study.add(5e-3, 32, values=[0.875], state=TrialState.PRUNED)
    other, *cells = ranked_cells(store.engine)
    assert (other.experiment, other.values, other.fingerprints) == ("other", (0.5,), ())
    assert [tuple(cell.parameters.values()) for cell in cells[:3]] == [
        (5e-3, 16), (1e-3, 16), (1e-3, 8),
    ]  # fmt: skip
    assert [cell.values for cell in cells[:3]] == [(0.5, 1.0), (0.5, 1.0), (0.75, 0.5)]
    assert cells[2].fingerprints == ("a", "b")
    undone = {cell.state: cell.values for cell in cells[3:]}
    assert undone == {"DIVERGED": (), "PRUNED": (0.875,)}
    best = best_cell(store.engine, "paper", "MLP", "lr-batch")
    assert best is not None and _as_grid_cell(cells[0]) == _close_to(best)
    known = {str(cell.parameters): cell for cell in map(_as_grid_cell, cells)}
    for cell in grid_cells(store.engine, "paper", "MLP", "lr-batch"):
        assert known[str(cell.parameters)] == _close_to(cell)


def test_what_settles_a_stage_decides_before_all_before_it(store: Store, search: Any) -> None:
    """Also where the luck of the first repeats made others seem better; the next stage is apart."""
    stages = {"stages": ["lr-batch", "alpha", "rerun"]}
    grid = search(store, **stages)
    grid.add(5e-3, 8, values=[0.9])
    grid.add(1e-3, 8, values=[0.8])
    grid.add(1e-3, 16, values=[0.95])
    for number, (repeats, values) in enumerate({20: (0.85, 0.8), 40: (0.7, 0.75)}.items(), 1):
        further = {"extends": "lr-batch", "settles": "lr-batch", "extension": number, **stages}
        study = search(store, f"paper/MLP/lr-batch@{repeats}", **further)
        study.add(5e-3, 8, values=[values[0]] * 2)
        study.add(1e-3, 16, values=[values[1]] * 2)
    (best,) = best_params(store.engine)
    assert (best.parameters, best.runs) == ({"learning_rate": 1e-3, "batch_size": 16}, 2)
    assert best.mean == pytest.approx(0.75)
    of_model = {"experiment": "paper", "model": "MLP"}
    expected = ("lr-batch", 0.95), ("lr-batch@20", 0.85), ("lr-batch@40", 0.75)
    for last, (stage, mean) in enumerate(expected):
        winner = best_cell(store.engine, **of_model, stage="lr-batch", last=last)
        assert winner is not None and (winner.stage, winner.mean) == (stage, pytest.approx(mean))
        cells = stage_cells(store.engine, **of_model, stage="lr-batch", last=last)
        counts = Counter(cell.stage for cell in cells)
        assert counts == ({"lr-batch": 3} if last == 0 else {"lr-batch": 1, stage: 2})
    cells = list(ranked_cells(store.engine, **of_model))
    assert [cell.stage[8:] for cell in cells] == ["@40", "@40", "@20", "@20", "", "", ""]
    assert [cell.name[8:] for cell in latest(cells)] == ["@40#1", "@40#0", "#1"]


def test_a_stage_is_its_grid_and_what_lies_beyond(store: Store, search: Any) -> None:
    """The winner is the best of all; of equal ones the first, however late its study was made."""
    further = {"extends": "lr-batch", "stages": ["lr-batch", "alpha", "rerun"]}
    second = search(store, "paper/MLP/lr-batch+2", **further, extension=2)
    second.add(5e-2, 8, values=[0.9])
    second.add(5e-2, 16, values=[0.7])
    first = search(store, "paper/MLP/lr-batch+1", **further, extension=1)
    first.add(1e-2, 16, values=[0.9])
    grid = search(store, stages=further["stages"])
    grid.add(5e-3, 8, values=[0.5])
    (best,) = best_params(store.engine)
    assert (best.parameters, best.mean) == ({"learning_rate": 1e-2, "batch_size": 16}, 0.9)
    for last, stage, count in ((0, "lr-batch", 1), (1, "lr-batch+1", 2), (2, "lr-batch+1", 4)):
        winner = best_cell(store.engine, "paper", "MLP", "lr-batch", last)
        assert winner is not None and winner.stage == stage
        assert len(stage_cells(store.engine, "paper", "MLP", "lr-batch", last)) == count
    cells = list(ranked_cells(store.engine, experiment="paper", model="MLP"))
    assert [(cell.stage, cell.base) for cell in cells] == [
        (f"lr-batch{number}", "lr-batch") for number in ("+1", "+2", "+2", "")
    ]
    assert [cell.stage for cell in grid_cells(store.engine, "paper", "MLP", "lr-batch+2")] == [
        "lr-batch+2", "lr-batch+2",
    ]  # fmt: skip
    with store.engine.connect() as connection:
        row = connection.execute(text("select learning_rate from best_params")).one()
        stages = connection.execute(text("select stage from grid_cells order by 1")).scalars()
        assert tuple(row) == (1e-2,)
        assert list(stages) == ["lr-batch", "lr-batch+1", "lr-batch+2", "lr-batch+2"]
    alpha = search(store, "paper/MLP/alpha", stages=further["stages"])
    alpha.add(1e-2, 16, 0.5, values=[0.6])
    (best,) = best_params(store.engine)
    assert best.mean == 0.6, "a later stage comes before a better one"


def _as_grid_cell(cell: GridCell) -> GridCell:
    return GridCell(**{f.name: getattr(cell, f.name) for f in dataclasses.fields(GridCell)})


def _close_to(cell: GridCell) -> GridCell:
    return dataclasses.replace(
        cell, mean=pytest.approx(cell.mean), deviation=pytest.approx(cell.deviation)
    )


def test_parameters_are_as_they_were_suggested(store: Store, search: Any) -> None:
    """Whatever other experiments have under the same names: a column holds them all as words."""
    study = search(store, "paper/MLP/size")
    study.add(None, 8, values=[0.5], place=1, more={"depth": 0.5})
    study.add(None, 16, values=[0.25], place=0, more={"depth": 2.0})
    declare(store.engine, {"depth": ["gini"], "batch_size": [0.5]}, "accuracy")
    best = best_cell(store.engine, "paper", "MLP", "size")
    assert best is not None and best.parameters == {"batch_size": 8, "depth": 0.5}
    assert [type(value) for value in best.parameters.values()] == [int, float]
    assert [cell.parameters for cell in ranked_cells(store.engine)] == [
        {"batch_size": 8, "depth": 0.5}, {"batch_size": 16, "depth": 2.0},
    ]  # fmt: skip


def test_reruns_come_by_seed_those_that_diverged_too(store: Store, search: Any) -> None:
    study = search(store, "paper/AuxMLP/rerun")
    study.add(1e-3, 8, 0.5, seed=11, value=0.75, train_seconds=2.5, fingerprint="b")
    study.add(1e-3, 8, 0.5, seed=10, value=0.5, train_seconds=1.5, fingerprint="a")
    # What a killed run leaves, and a seed of no use.
    study.add(1e-3, 8, 0.5, seed=10, state=TrialState.FAIL)
    study.add(
        1e-3, 8, 0.5, seed=12, state=TrialState.FAIL, final_error="diverged: 1 of 1 trainings"
    )
    winner = ("paper", "AuxMLP", {"learning_rate": 1e-3, "batch_size": 8, "alpha": 0.5})
    assert reruns(store.engine) == [
        Rerun(*winner, 10, 0.5, 1.5, "a"),
        Rerun(*winner, 11, 0.75, 2.5, "b"),
        Rerun(*winner, 12, None, None, None),
    ]


def test_loss_curves_of_a_models_reruns_come_by_seed(
    store: Store, search: Any, run: TrainingRun
) -> None:
    curves = {"b": (11, (0.7, 0.5)), "c": (10, (0.6, math.nan)), "d": (12, (0.1, 0.1))}
    record(
        store.engine,
        [
            dataclasses.replace(run, fingerprint=print_, seed=seed, loss_curve=curve)
            for print_, (seed, curve) in curves.items()
        ],
    )
    rerun = search(store, "paper/MLP/rerun")
    for fingerprint in ("b", "c"):
        rerun.add(1e-3, 8, seed=curves[fingerprint][0], values=[0.8], fingerprint=fingerprint)
    search(store, "other/MLP/rerun").add(1e-3, 8, seed=12, values=[0.8], fingerprint="d")
    first, second = rerun_curves(store.engine, "paper", "MLP")
    assert first[0] == 0.6 and math.isnan(first[1])
    assert second == (0.7, 0.5)


@pytest.fixture
def empty() -> Engine:
    return create_engine("sqlite://")


def test_a_database_without_tables_is_no_store(empty: Engine) -> None:
    for read in (studies, ranked_cells, reruns, training_runs, best_params, model_results):
        with pytest.raises(StoreError):
            list(read(empty))  # type: ignore[operator]
