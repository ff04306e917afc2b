"""The chain of a model, the grid of each of its stages, and what makes a training another one."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from studies import Experiment, Published, Stage
from studies.experiment.study import Cell, GridStudy, chain, grid_study
from studies.experiment.training import Parameters, Training
from studies.search.grid_sampler import Grid


def train(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 0.5}


STAGES = (
    Stage("size", depth=[4, 8], trees=[10, 30], weight=[0.0]),
    Stage("kind", kind=["gini", "entropy"]),
    Stage("weight", weight=[0.0, 0.5, 1.0]),
)
TOY = Experiment(
    "toy",
    {"Forest": train, "Plain": train, "Bare": train},
    STAGES,
    repeats=3,
    reruns=2,
    without={"Plain": ["weight"], "Bare": ["weight", "kind", "depth", "trees"]},
)
WINNER: dict[str, Any] = {"depth": 8, "trees": 10, "kind": "gini", "weight": 0.5}


def cells_of(study: GridStudy) -> set[tuple[tuple[tuple[str, Any], ...], tuple[int, ...]]]:
    """The cells that Optuna's grid has, which are as many as the study's."""
    cells = [study.cell(parameters) for parameters in Grid(study.grid).cells()]
    assert len(cells) == len(study) == len(study.cells())
    return {(tuple(cell.parameters.items()), cell.seeds) for cell in cells}


def test_a_model_has_the_stages_of_which_it_has_a_parameter() -> None:
    assert chain(TOY, "Forest") == ("size", "kind", "weight", "rerun")
    assert chain(TOY, "Plain") == ("size", "kind", "rerun")
    assert chain(TOY, "Bare") == ("rerun",)
    assert chain(replace(TOY, search="joint"), "Plain") == ("joint", "rerun")


@pytest.mark.parametrize(("model", "fixed"), [("Forest", {"weight": 0.0}), ("Plain", {})])
def test_the_first_grid_is_a_product(model: str, fixed: dict[str, float]) -> None:
    study = grid_study(TOY, model, "size", None)
    assert cells_of(study) == {
        ((("depth", depth), ("trees", trees), *fixed.items()), (0, 1, 2))
        for depth, trees in product([4, 8], [10, 30])
    }
    assert study.study_name == f"toy/{model}/size"
    assert (study.varied.keys(), study.fixed) == ({"depth", "trees"}, fixed)
    assert study.following == chain(TOY, model)[1:]
    assert study.trainings_per_cell == 3
    assert not study.is_rerun


def test_the_next_grid_is_at_the_winner_of_the_one_before() -> None:
    before = {"depth": 8, "trees": 10, "weight": 0.0}
    study = grid_study(TOY, "Forest", "kind", before)
    assert list(study.grid) == ["depth", "trees", "weight", "kind"], "as the stages name them"
    assert study.fixed == before
    assert study.varied == {"kind": ("gini", "entropy")}
    study = grid_study(TOY, "Forest", "weight", before | {"kind": "gini"})
    assert study.varied == {"weight": (0.0, 0.5, 1.0)}, "instead of its start"


def test_the_last_grid_is_seeds_at_the_winner() -> None:
    study = grid_study(TOY, "Forest", "rerun", WINNER)
    parameters = tuple((name, WINNER[name]) for name in ("depth", "trees", "weight", "kind"))
    assert cells_of(study) == {(parameters, (10,)), (parameters, (11,))}
    assert study.trainings_per_cell == 1
    assert study.is_rerun
    assert study.following == ()


def test_the_joint_grid_is_the_product_of_all() -> None:
    joint = replace(TOY, search="joint")
    study = grid_study(joint, "Forest", "joint", None)
    assert len(study) == len(cells_of(study)) == 2 * 2 * 2 * 3
    assert len(grid_study(joint, "Plain", "joint", None)) == 8
    assert len(grid_study(joint, "Bare", "joint", None)) == 1


def test_without_a_search_what_is_published_is_rerun() -> None:
    published = {model: Published(WINNER, 0.9, 0.01) for model in TOY.models}
    experiment = replace(TOY, search="published", published=published, repeats=10)
    assert chain(experiment, "Forest") == ("rerun",)
    study = grid_study(experiment, "Plain", "rerun", None)
    assert study.fixed == {"depth": 8, "trees": 10, "kind": "gini"}


@pytest.mark.parametrize(
    ("fields", "name", "metric"),
    [
        ({}, "size", "test accuracy"),
        ({"select_on": "validation"}, "size", "validation accuracy"),
        ({"select_on": "validation", "rank_by": "lower-bound"}, "rerun", "test accuracy"),
        ({"rank_by": "lower-bound"}, "size", "lower bound of test accuracy"),
        ({"rank_by": "median"}, "size", "median of test accuracy"),
        ({"objective": "loss", "direction": "minimize"}, "size", "test loss"),
    ],
)
def test_the_metric_is_what_cells_compete_by(
    fields: dict[str, Any], name: str, metric: str
) -> None:
    study = grid_study(replace(TOY, **fields), "Forest", name, WINNER)
    assert study.metric == metric
    assert study.sign == (-1 if "direction" in fields else 1)
    assert study.pairs == metric.rpartition(" of ")[2].split()[0]


def test_a_search_is_a_race_and_its_reruns_are_not() -> None:
    race = replace(TOY, racing=True, repeats=4)
    assert grid_study(race, "Forest", "size", None).is_race
    assert not grid_study(race, "Forest", "rerun", WINNER).is_race
    assert not grid_study(TOY, "Forest", "size", None).is_race


def test_the_place_of_a_cell_is_that_in_the_product() -> None:
    study = GridStudy(TOY, "Forest", "size", {"a": (2, 1), "b": ("x", "y")})
    places = [study.place(cell.parameters) for cell in study.cells()]
    assert places == [0, 1, 2, 3]
    assert study.place({"a": 1, "b": "x"}) == 2


def test_seeds_stay_whole_numbers() -> None:
    study = grid_study(TOY, "Forest", "rerun", WINNER)
    cell = study.cell({**WINNER, "seed": 10.0})
    assert cell.seeds == (10,)
    assert type(cell.seeds[0]) is int


SEARCH = grid_study(TOY, "Forest", "size", None)
CHOSEN = {"depth": 4, "trees": 10, "weight": 0.0}


def print_of(
    study: GridStudy = SEARCH,
    chosen: Mapping[str, Any] = CHOSEN,
    seed: int = 0,
    data: str | None = "abc",
) -> str:
    return study.fingerprints(Cell(chosen, (seed,)), data)[seed]


def of(stage: str = "size", model: str = "Forest", /, **fields: Any) -> GridStudy:
    return grid_study(replace(TOY, **fields), model, stage, WINNER)


OTHERS = {
    "model": print_of(of("size", "Plain")),
    "value": print_of(chosen=CHOSEN | {"depth": 8}),
    "parameter": print_of(chosen=CHOSEN | {"kind": "gini"}),
    "seed": print_of(seed=1),
    "data": print_of(data="abd"),
    "no data": print_of(data=None),
    "version": print_of(of(version="1")),
    "other version": print_of(of(version="2")),
    "setting": print_of(of(settings={"epochs": 5})),
    "setting of a version": print_of(of(settings={"epochs": 5}, version="1")),
    "rerun": print_of(of("rerun")),
    "objective": print_of(of(objective="loss", direction="minimize")),
    "rerun of another experiment": print_of(of("rerun", name="other")),
    "rerun of another model": print_of(of("rerun", "Plain")),
}


def test_what_changes_a_result_makes_another_training() -> None:
    prints = [print_of(), *OTHERS.values()]
    assert len(set(prints)) == len(prints)


@pytest.mark.parametrize(
    "same",
    [
        of(name="other"),
        of("kind"),
        of(repeats=5, reruns=1, rank_by="lower-bound"),
        of(select_on="validation"),
        of(racing=True, repeats=4),
        of(stages=[Stage("size", depth=[4, 16], weight=[0.0, 3.0])]),
    ],
)
def test_a_search_may_use_the_trainings_of_another(same: GridStudy) -> None:
    assert print_of(same) == print_of()


def test_the_order_of_parameters_does_not_matter() -> None:
    assert print_of(chosen=dict(reversed(CHOSEN.items()))) == print_of()


def test_each_seed_has_a_fingerprint_in_order() -> None:
    prints = SEARCH.fingerprints(Cell(CHOSEN, (3, 1, 2)), "abc")
    assert list(prints) == [3, 1, 2]
    assert prints[1] == print_of(seed=1)


class Shares(Training):
    """At weight 0 it does what Plain does."""

    code, parameter_count = "1", 5

    def recorded_as(self, model: str, parameters: Parameters) -> tuple[str, Parameters]:
        if parameters.get("weight") == 0:
            return "Plain", {k: v for k, v in parameters.items() if k != "weight"}
        return model, parameters


def test_models_that_do_the_same_share_trainings_but_no_reruns() -> None:
    experiment = replace(TOY, models={"Forest": Shares(), "Plain": Shares()})
    forest, plain = (grid_study(experiment, model, "size", None) for model in experiment.models)
    bare = {k: v for k, v in CHOSEN.items() if k != "weight"}
    assert forest.recorded_as(CHOSEN) == ("Plain", bare)
    assert print_of(forest) == print_of(plain, bare)
    assert print_of(forest, CHOSEN | {"weight": 0.5}) != print_of(plain, bare)
    reruns = [replace(study, name="rerun") for study in (forest, plain)]
    assert reruns[0].recorded_as(CHOSEN) == ("Forest", CHOSEN)
    assert print_of(reruns[0]) != print_of(reruns[1], bare)
