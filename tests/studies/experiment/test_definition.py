"""Experiments as values: their seeds, their names, and what makes no sense."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies import Experiment, Stage
from studies.display.errors import UsageError
from studies.experiment.study import grid_study
from studies.experiment.training import FunctionTraining, Training


def train(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 0.5}


SIZE = Stage("size", depth=[4, 8], kernel=["rbf"])
EXPERIMENT = Experiment("toy", {"A": train, "B": train}, [SIZE, Stage("rate", rate=[0.1, 1])])


def changed(**fields: Any) -> Experiment:
    return replace(EXPERIMENT, **fields)


def test_an_experiment_has_ten_repeats_and_ten_reruns_of_every_parameter() -> None:
    assert EXPERIMENT.parameters == ("depth", "kernel", "rate")
    assert grid_study(EXPERIMENT, "A", "size", None).cells()[0].seeds == tuple(range(10))
    assert list(EXPERIMENT.rerun_seeds) == list(range(10, 20))
    assert isinstance(EXPERIMENT.training("A"), FunctionTraining)


@given(st.integers(1, 40), st.integers(1, 40))
def test_reruns_use_seeds_of_their_own(repeats: int, reruns: int) -> None:
    # With a version, as reading the source a hundred times takes seconds.
    experiment = changed(repeats=repeats, reruns=reruns, version="1")
    (searched, *_) = grid_study(experiment, "A", "size", None).cells()
    assert len(searched.seeds) == repeats
    assert len(experiment.rerun_seeds) == reruns
    assert min(experiment.rerun_seeds) >= 10
    assert not set(searched.seeds) & set(experiment.rerun_seeds)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ([4, 8], (4, 8)),
        ((8, 4), (8, 4)),
        (range(2), (0, 1)),
        ((size for size in (1, 2)), (1, 2)),
        ([1, 0.5], (1.0, 0.5)),
        (["gini", "entropy"], ("gini", "entropy")),
        (["sqrt", 1, 0.5], ("sqrt", 1.0, 0.5)),
        (["sqrt", 1], ("sqrt", 1)),
        (np.array([1, 2]), (1, 2)),
        (np.linspace(0, 1, 3), (0.0, 0.5, 1.0)),
        ([np.float32(0.5), np.int64(2), np.str_("word")], (0.5, 2.0, "word")),
    ],
)
def test_values_of_a_grid_are_pythons_numbers_and_words(given: Any, values: Any) -> None:
    grid = Stage("first", size=given).grid["size"]
    assert grid == values
    assert [type(value) for value in grid] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "size has no values: give at least one"),
        (itertools.count(), "size has more than 10000 values: give fewer"),
        (np.array([]), "size has no values"),
        (5, "size needs a list of values, not 5"),
        ("gini", "size needs a list of values, not 'gini'"),
        ({"gini": 1}, "size needs a list of values"),
        ([1, 1], "size has a value twice: 1, 1"),
        ([1, 1.0], "size has a value twice"),
        ([1, "1"], "size has a value twice"),
        ([True, False], "True is neither a finite number nor a word"),
        ([None], "None is neither"),
        ([""], "'' is neither"),
        ([float("nan")], "nan is neither"),
        ([float("inf")], "inf is neither"),
        ([(1, 2)], r"\(1, 2\) is neither"),
    ],
)
def test_what_is_no_grid_is_refused(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Stage("first", size=given)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "naïve", "a\n", "x" * 51, "rerun", "joint", 5])
def test_stages_have_names_that_studies_can_have(name: Any) -> None:
    with pytest.raises(UsageError, match=r"names no stage|no stage can be called"):
        Stage(name, size=[1])


def test_a_stage_needs_values() -> None:
    with pytest.raises(UsageError, match=r"stage first has no values: give Stage\('first', param"):
        Stage("first")


def test_a_stage_may_have_a_parameter_called_name() -> None:
    assert Stage("first", name=["a"]).grid == {"name": ("a",)}


@pytest.mark.parametrize("name", ["", "a/b", "a b", "naïve", "a\n", "x" * 101, '"', "%", 5])
def test_names_that_sql_and_study_names_cannot_take_are_refused(name: Any) -> None:
    with pytest.raises(UsageError, match="names no experiment: give up to 100 letters"):
        changed(name=name)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"repeats": 0}, "repeats must be from 1 to 10000, not 0"),
        ({"reruns": -1}, "reruns must be from 1 to 10000, not -1"),
        ({"repeats": 10**20}, "repeats must be from 1 to 10000"),
        ({"repeats": 2.5}, "repeats must be from 1 to 10000, not 2.5"),
        ({"direction": "up"}, "direction must be maximize or minimize, not up"),
        ({"select_on": "train"}, "select-on must be test or validation, not train"),
        ({"search": "random"}, "search must be stages, joint or published, not random"),
        ({"rank_by": "luck"}, "rank-by must be mean, median or lower-bound, not luck"),
        ({"rank_by": "lower-bound", "repeats": 1}, "lower-bound needs at least 2 repeats"),
        ({"racing": True, "repeats": 3}, "racing gives up a cell after 3 repeats at the earliest"),
        ({"extend": -1}, "extend must be from 0 to 100, not -1"),
        ({"extend": True}, "extend must be from 0 to 100, not True"),
        ({"settle": 10}, "settle must be more than the 10 repeats that every cell gets, not 10"),
        ({"settle": -1}, "settle must be from 0 to 10000, not -1"),
        ({"settle": True}, "settle must be from 0 to 10000, not True"),
        ({"settle": 40, "margin": -0.1}, "margin must be a number from 0, not -0.1"),
        ({"settle": 40, "margin": float("nan")}, "margin must be a number from 0, not nan"),
        ({"margin": 0.01}, "margin has no meaning without settle"),
        ({"settle": 40, "reruns": 9991}, "settle has the seeds from 10000 on, which 10 repeats"),
        ({"search": "published"}, "nothing is published of A, so it must be searched"),
        ({"data": [1, 2]}, "data must be a function that loads it"),
        ({"models": {}}, "experiment toy has no models: give at least one"),
        ({"models": [train]}, "models must be a mapping from names to functions"),
        ({"models": {"all": train}}, "no model can be called all"),
        ({"models": {"a/b": train}}, "'a/b' names no model"),
        ({"models": {1: train}}, "1 names no model"),
        ({"stages": []}, "experiment toy has no stages: give at least one"),
        ({"stages": SIZE}, r"stages must be a list of Stage\(name"),
        ({"stages": [{"depth": [1]}]}, r"stages must be a list of Stage\(name"),
        ({"stages": [SIZE, Stage("size", rate=[1])]}, "two stages are called size"),
        (
            {"stages": [SIZE, Stage("more", depth=[1, 2])]},
            "depth is searched in stage size already, so stage more cannot have values for it",
        ),
        ({"stages": [SIZE, Stage("more", depth=[1])]}, "depth is searched in stage size already"),
        ({"stages": [Stage("size", seed=[1])]}, "no parameter can be called seed: that is kept"),
        ({"stages": [Stage("size", Model=[1])]}, "no parameter can be called Model"),
        ({"stages": [Stage("size", repeat=[1])]}, "no parameter can be called repeat"),
        ({"stages": [Stage("size", accuracy=[1])]}, "called accuracy: that is the objective"),
        ({"stages": [Stage("size", mean_accuracy=[1])]}, "called mean_accuracy: that is kept"),
        ({"stages": [Stage("size", **{"a-b": [1]})]}, "'a-b' names no parameter"),
        ({"stages": [Stage("size", **{"a" * 51: [1]})]}, "names no parameter"),
        ({"stages": [Stage("size", rate=[1], Rate=[1])]}, "no parameter can be called Rate"),
        ({"settings": {"depth": 1}}, "no parameter can be called depth: that is a setting"),
        ({"settings": {"depths": 1}}, "no parameter can be called depth: that is a setting"),
        ({"settings": {"model": 1}}, "no setting can be called model: that is kept"),
        ({"settings": {"racing": 1}}, "no setting can be called racing"),
        ({"settings": {"epochs": None}}, "setting epochs: None is neither"),
        ({"objective": "depth"}, "no parameter can be called depth: that is the objective"),
        ({"objective": "F1 score"}, "'F1 score' names no objective: give a Python name"),
        ({"objective": "loss_curve"}, "no objective can be called loss_curve"),
    ],
)
def test_fields_that_make_no_experiment_are_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        changed(**fields)


def test_a_single_value_is_a_start_that_a_later_stage_may_search() -> None:
    stages = [Stage("first", depth=[2]), Stage("second", depth=[1, 2, 3])]
    assert changed(stages=stages).parameters == ("depth",)


def test_equal_values_of_a_parameter_are_the_same_in_all_stages() -> None:
    """Else a later stage would not know the trainings of the one before."""
    experiment = changed(stages=[Stage("first", rate=[0]), Stage("second", rate=[0.0, 0.5])])
    assert [repr(stage.grid["rate"]) for stage in experiment.stages] == ["(0.0,)", "(0.0, 0.5)"]


def test_one_more_stage_names_the_experiment() -> None:
    experiment = EXPERIMENT.with_stage(Stage("decay", decay=[0.0, 0.1]))
    assert experiment.name == "toy+decay"
    assert [stage.name for stage in experiment.stages] == ["size", "rate", "decay"]


@pytest.mark.parametrize(
    ("parameter", "values", "name", "grid"),
    [
        ("depth", [2, 4], "toy+depth=2,4", (2, 4)),
        ("depth", [2.5], "toy+depth=2.5", (2.5,)),
        ("rate", [1, 2], "toy+rate=1,2", (1.0, 2.0)),
        ("rate", [1e-4], "toy+rate=0.0001", (1e-4,)),
        ("kernel", ["linear", "rbf"], "toy+kernel=linear,rbf", ("linear", "rbf")),
    ],
)
def test_another_grid_names_the_experiment(
    parameter: str, values: list[Any], name: str, grid: tuple[Any, ...]
) -> None:
    experiment = EXPERIMENT.with_grid(parameter, values)
    assert experiment.name == name
    (found,) = [stage.grid[parameter] for stage in experiment.stages if parameter in stage.grid]
    assert repr(found) == repr(grid)
    assert EXPERIMENT.with_grid(parameter, values, "named").name == "named"


def test_another_grid_is_that_of_the_stage_that_searches() -> None:
    stages = [Stage("first", rate=[0.0]), Stage("second", rate=[0.0, 0.5])]
    other = changed(stages=stages).with_grid("rate", [1, 2])
    assert [stage.grid["rate"] for stage in other.stages] == [(0.0,), (1.0, 2.0)]


def test_a_grid_of_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no parameter is called 'dept': did you mean depth?"):
        EXPERIMENT.with_grid("dept", [1])
    with pytest.raises(UsageError, match="depth has no values"):
        EXPERIMENT.with_grid("depth", [])


def test_a_study_keeps_the_protocol() -> None:
    assert changed(settings={"epochs": 5}).protocol("abc") == {
        "repeats": 10, "reruns": 10, "select_on": "test", "search": "stages", "rank_by": "mean",
        "racing": False, "extend": 0, "settle": 0, "margin": 0.005,
        "objective": "accuracy", "direction": "maximize",
        "epochs": 5, "depths": [4, 8], "kernels": ["rbf"], "rates": [0.1, 1.0],
        "data_sha256": "abc",
    }  # fmt: skip
    assert "data_sha256" not in EXPERIMENT.protocol(None)


def test_another_version_or_setting_makes_other_trainings_also_afterwards() -> None:
    version = changed(version="2").training("A")
    assert version.code == "2"
    assert changed(settings={"epochs": 5}).training("A").settings({}) == {"epochs": 5}


def test_trainings_of_ones_own_refuse_what_they_cannot_take() -> None:
    class Picky(Training):
        code, parameter_count = "1", None

        def check(self, grid: Any) -> None:
            raise UsageError(f"nothing but {' '.join(grid)}")

    with pytest.raises(UsageError, match="nothing but depth kernel"):
        changed(models={"A": Picky()})
