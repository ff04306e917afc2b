"""The grid: every cell once, however a study is interrupted."""

from collections.abc import Mapping
from itertools import product
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna import Study
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import TrialState, create_trial

from storage.store import Store
from storage.trainings import Value
from storage.trials import OpenTrial, Outcome
from studies.display.errors import UsageError
from studies.search.grid_sampler import FINAL_ERROR, Grid, fail_unfinished, is_ours

SPACE: dict[str, tuple[Value, ...]] = {
    "learning_rate": (5e-3, 1e-3),
    "batch_size": (8, 16, 32),
    "optimizer": ("sgd", "adam"),
    "alpha": (1.0,),
}
CELLS = {tuple(values) for values in product(*SPACE.values())}


def study_on(storage: BaseStorage) -> Study:
    return optuna.create_study(
        study_name="paper/AuxMLP/lr-batch", storage=storage, sampler=Grid(SPACE),
        direction="maximize", load_if_exists=True,
    )  # fmt: skip


def grid_of(study: Study) -> Grid:
    assert isinstance(study.sampler, Grid)
    return study.sampler


def free(study: Study) -> list[int]:
    return grid_of(study).free(study, steps)


def steps(parameters: Mapping[str, Any]) -> float:
    """Training on smaller batches takes longer."""
    return 1 / parameters["batch_size"]


def ask(study: Study, cell: int | None = None) -> OpenTrial:
    """A trial for a cell, the first free one if none is given."""
    engine = study._storage._backend.engine  # type: ignore[attr-defined]
    cell = free(study)[0] if cell is None else cell
    return grid_of(study).ask(engine, study, cell, {"place": 0})


def tell(trial: OpenTrial, value: float = 0.5) -> None:
    """Complete a trial as a driver does."""
    trial.end(Outcome(TrialState.COMPLETE, value, {"score": value}))


def fail(trial: OpenTrial, **attributes: str) -> None:
    trial.end(Outcome(TrialState.FAIL, None, attributes))


def cell_of(trial: OpenTrial) -> tuple[Value, ...]:
    return tuple(trial.params[name] for name in SPACE)


def completed(study: Study) -> list[tuple[Value, ...]]:
    return [
        tuple(trial.params[name] for name in SPACE)
        for trial in study.get_trials(states=(TrialState.COMPLETE,))
    ]


def test_every_cell_is_handed_out_once(store: Store) -> None:
    study = study_on(store.optuna)
    assert len(grid_of(study)) == len(CELLS) == len(free(study))
    for _ in CELLS:
        tell(ask(study))
    assert sorted(completed(study)) == sorted(CELLS)
    assert free(study) == []


def test_the_longest_trainings_come_first(store: Store) -> None:
    study = study_on(store.optuna)
    sizes = []
    while free(study):
        trial = ask(study)
        sizes.append(trial.params["batch_size"])
        tell(trial)
    assert sizes == [8] * 4 + [16] * 4 + [32] * 4


def test_a_running_trial_has_its_cell_for_itself(store: Store) -> None:
    study = study_on(store.optuna)
    trials = [ask(study) for _ in CELLS]
    assert {cell_of(trial) for trial in trials} == CELLS
    assert free(study) == []


def test_a_failed_trial_frees_its_cell_but_not_one_with_a_final_error(store: Store) -> None:
    study = study_on(store.optuna)
    failed, hopeless = ask(study), ask(study)
    fail(failed)
    fail(hopeless, **{FINAL_ERROR: "diverged: 1 of 10 trainings"})
    left = [grid_of(study).cells()[cell] for cell in free(study)]
    assert len(left) == len(CELLS) - 1
    assert failed.params in left
    assert hopeless.params not in left


def test_trials_of_a_killed_driver_are_failed_and_asked_again(store: Store) -> None:
    study = study_on(store.optuna)
    tell(ask(study))
    ask(study)
    # As older versions left them: killed before the first parameter was drawn.
    store.optuna.create_new_trial(study._study_id)
    study.enqueue_trial({"learning_rate": 5e-3})
    resumed = study_on(store.optuna)
    assert fail_unfinished(resumed) == 3
    assert fail_unfinished(resumed) == 0
    while free(resumed):
        tell(ask(resumed))
    assert sorted(completed(resumed)) == sorted(CELLS)
    assert not resumed.get_trials(states=(TrialState.RUNNING, TrialState.WAITING))


def test_waiting_trials_are_not_handed_out_and_foreign_ones_take_no_cell(store: Store) -> None:
    """Whatever somebody enqueued, added, optimized or told by hand, every cell is searched."""
    study = study_on(store.optuna)
    wanted = {"learning_rate": 5e-3, "batch_size": 8, "optimizer": "sgd", "alpha": 1.0}
    study.enqueue_trial({**wanted, "batch_size": 9})
    drawn_from = grid_of(study)._distributions
    study.add_trial(create_trial(params=wanted, distributions=drawn_from, value=0.99))
    study.tell(ask(study).number, 0.99)
    plain = optuna.load_study(
        study_name=study.study_name, storage=store.optuna,
        sampler=optuna.samplers.GridSampler(SPACE, seed=0),
    )  # fmt: skip
    plain.optimize(lambda trial: trial.suggest_float("learning_rate", 1e-3, 5e-3), n_trials=2)
    assert len(free(study)) == len(CELLS)
    study.enqueue_trial({**wanted, "batch_size": 9})
    while free(study):
        cell = free(study)[0]
        trial = ask(study, cell)
        assert trial.params == grid_of(study).cells()[cell]
        tell(trial)
    assert sorted(cell_of(trial) for trial in ours_of(study)) == sorted(CELLS)


def ours_of(study: Study) -> list[Any]:
    return [trial for trial in study.get_trials() if is_ours(trial)]


def test_parameters_are_numbers_that_sql_can_read_or_words(store: Store) -> None:
    study = study_on(store.optuna)
    ask(study)
    assert study.trials[0].distributions == {
        "learning_rate": FloatDistribution(1e-3, 5e-3),
        "batch_size": IntDistribution(8, 32),
        "optimizer": CategoricalDistribution(("sgd", "adam")),
        "alpha": FloatDistribution(1.0, 1.0),
    }


ACTIONS = ("ask", "tell", "fail", "give up", "give up and crash", "crash")


@pytest.fixture(scope="module")
def in_memory() -> RDBStorage:
    return RDBStorage("sqlite://")


@settings(deadline=None, max_examples=40)  # a busy machine is no failure
@given(history=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 5))))
def test_every_cell_is_completed_once_whatever_happens(
    in_memory: RDBStorage, history: list[tuple[str, int]]
) -> None:
    for study_name in optuna.get_all_study_names(in_memory):
        optuna.delete_study(study_name=study_name, storage=in_memory)
    study = study_on(in_memory)
    running: list[OpenTrial] = []
    hopeless: list[tuple[Value, ...]] = []
    for action, which in history:
        left = free(study)
        if action == "ask" and left:
            running.append(ask(study, left[which % len(left)]))
        elif action in ("tell", "fail", "give up", "give up and crash") and running:
            trial = running.pop(which % len(running))
            if action == "tell":
                tell(trial)
                continue
            final = {} if action == "fail" else {FINAL_ERROR: "diverged"}
            if final:
                hopeless.append(cell_of(trial))
            if action == "give up and crash":
                study._storage.set_trial_user_attr(trial.trial_id, FINAL_ERROR, "diverged")
            else:
                fail(trial, **final)
        if "crash" in action:
            running.clear()
            study = study_on(in_memory)
            fail_unfinished(study)
        under_way = [cell_of(trial) for trial in running]
        assert len(free(study)) + len(completed(study) + hopeless + under_way) == len(CELLS)
    for trial in running:
        tell(trial)
    while free(study):
        tell(ask(study))
    assert sorted(completed(study) + hopeless) == sorted(CELLS)


def test_trials_with_another_kind_of_a_parameter_are_refused(store: Store) -> None:
    study = study_on(store.optuna)
    drawn_from = {"batch_size": FloatDistribution(8, 32)}
    study.add_trial(create_trial(params={"batch_size": 8.0}, distributions=drawn_from, value=1.0))
    with pytest.raises(UsageError, match="it has trials with another kind of batch_size"):
        free(study)
