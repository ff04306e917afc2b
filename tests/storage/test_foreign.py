"""What others put into a store beside ours: it counts for nothing, and breaks nothing."""

import math
from typing import Any

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial
from sqlalchemy import text

from storage.errors import StoreError
from storage.queries import (
    best_params,
    drawn_parameters,
    grid_cells,
    model_results,
    ranked_cells,
    reruns,
    studies,
)
from storage.reader import open_reader
from storage.store import Store, open_store
from storage.upgrade import upgrade
from storage.views import VIEWS


def shown(store: Store) -> list[Any]:
    """All that people see of a store."""
    engine = store.engine
    with engine.connect() as connection:
        views = [connection.execute(text(f"select * from {view}")).all() for view in VIEWS]
    reads = [read(engine) for read in (best_params, model_results, reruns, studies)]
    return [*views, *reads, list(ranked_cells(engine))]


def fill(store: Store, search: Any) -> optuna.Study:
    study = search(store)
    study.add(1e-3, 8, values=[0.5, 0.7])
    search(store, "paper/MLP/rerun").add(1e-3, 8, seed=10, value=0.75)
    return study.study


def test_a_copy_of_a_study_doubles_nothing(store: Store, search: Any) -> None:
    fill(store, search)
    before = shown(store)
    for name in ("paper/MLP/lr-batch", "paper/MLP/rerun"):
        optuna.copy_study(
            from_study_name=name, from_storage=store.optuna, to_storage=store.optuna,
            to_study_name=f"{name} of before",
        )  # fmt: skip
    assert shown(store) == before


ODD = [{"a": 1}, [1], "a\0b", "\ud800", "words", 5, 10**400, math.nan, None]
LABELS = ("experiment", "model", "stage", "objective", "direction", "parameters", "guessing")
KEPT = ("repeats", "contenders", "win_again", "repeats_to_settle")


def test_odd_attributes_of_others_break_no_query(store: Store, search: Any) -> None:
    """Nor do their trials in our studies, whatever they claim."""
    study = fill(store, search)
    before = shown(store)
    for odd in ODD:
        other = optuna.create_study(storage=store.optuna)
        for key in (*LABELS, *KEPT, "stages", "protocol", "published", "models"):
            other.set_user_attr(key, odd)
        huge, words = FloatDistribution(0, 1e300), CategoricalDistribution([math.nan, "a"])
        drawn = {"learning_rate": huge, "batch_size": huge, "alpha": words}
        for name, into in (("learning_rate", study), *((name, other) for name in drawn)):
            into.add_trial(
                create_trial(
                    params={name: "a" if drawn[name] is words else 1e300},
                    distributions={name: drawn[name]}, value=0.99,
                    user_attrs={"score": odd, "train_seconds": odd},
                )
            )  # fmt: skip
    assert shown(store) == before
    assert drawn_parameters(store.engine)[study.study_name].keys() == {
        "learning_rate", "batch_size",
    }  # fmt: skip


def test_trials_of_others_in_our_studies_count_for_nothing(store: Store, search: Any) -> None:
    """Added, told by hand while they ran, or begun by plain Optuna; also among reruns."""
    study, rerun = search(store), search(store, "paper/MLP/rerun")
    study.add(1e-3, 8, values=[0.5, 0.7])
    rerun.add(1e-3, 8, seed=10, value=0.75)
    before = shown(store)
    mine = study.study.trials[0]
    for state in (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING):
        value = 0.99 if state == TrialState.COMPLETE else None
        for batch_size in (8, 16):
            params = {**mine.params, "batch_size": batch_size}
            trial = create_trial(
                params=params, distributions=mine.distributions, value=value, state=state
            )
            study.study.add_trial(trial)
            if state in (TrialState.COMPLETE, TrialState.PRUNED):
                trial.set_user_attr("place", 1)
                study.study.add_trial(trial)
    for seed in (10, 11):
        params = {**mine.params, "seed": seed}
        kinds = rerun.study.trials[0].distributions
        rerun.study.add_trial(create_trial(params=params, distributions=kinds, value=0.99))
    assert shown(store) == before
    (cell,) = grid_cells(store.engine, "paper", "MLP", "lr-batch")
    assert cell.number == 0


def test_a_study_that_was_deleted_and_searched_again_is_no_later_stage(
    store: Store, search: Any
) -> None:
    stages = ["lr-batch", "alpha", "rerun"]
    for stage, mean in (("alpha", 0.5), ("lr-batch", 0.9)):
        search(store, f"paper/AuxMLP/{stage}", stages=stages).add(1e-3, 8, 0.5, [mean])
    assert [row.mean for row in best_params(store.engine)] == [0.5]


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("create table training_runs (id integer)", "a table training_runs"),
        ("create view training_runs as select 1 as id", "a view training_runs"),
        ("create table training_columns (id integer)", "a table training_columns"),
        ("create table grid_cells (experiment text)", "a table grid_cells"),
        ("create view model_results as select 1 as id", "a view model_results"),
        ("create table certainty (experiment text)", "a table certainty"),
    ],
)
def test_tables_of_others_under_our_names_are_refused(url: str, made: str, what: str) -> None:
    name = made.split()[2]
    with open_store(url) as store, store.engine.begin() as connection:
        kind = "view" if name in VIEWS else "table"
        connection.execute(text(f"drop {kind} {name}"))
        connection.execute(text(made))
    for use in (open_reader, upgrade, lambda url: open_store(url).__enter__()):
        with pytest.raises(StoreError, match=f"has {what} of another program: rename it"):
            use(url)  # type: ignore[operator]
