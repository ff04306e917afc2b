"""The stages of a chain and their grids."""

from dataclasses import replace
from itertools import product

import pytest

from digitcmp.models import MODELS
from digitcmp.training import Hyperparameters
from studies.grid import Grid
from studies.paper import PAPER
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, Protocol
from studies.stages import Stage, chain, make_stage, start

PROTOCOL = Protocol(repeats=3, reruns=2, stage1_alpha=0.4)
WINNER = Hyperparameters(1e-3, 16, 0.7)
PLAIN_WINNER = Hyperparameters(1e-3, 16, None)


def cells_of(stage: Stage) -> set[tuple[Hyperparameters, tuple[int, ...]]]:
    cells = [stage.cell(parameters) for parameters in Grid(stage.search_space).cells()]
    assert len({(each.hyperparameters, each.seeds) for each in cells}) == len(cells)
    return {(each.hyperparameters, each.seeds) for each in cells}


def test_the_papers_results_are_of_our_models() -> None:
    assert list(PAPER) == list(MODELS)
    for name, published in PAPER.items():
        assert (published.alpha is not None) == MODELS[name].auxiliary_loss
        assert published.learning_rate in LEARNING_RATES
        assert published.batch_size in BATCH_SIZES
        assert published.alpha is None or published.alpha in ALPHAS


@pytest.mark.parametrize("model", MODELS)
def test_alpha_is_searched_where_there_is_an_auxiliary_loss(model: str) -> None:
    expected = ("lr-batch", "alpha", "rerun") if "Aux" in model else ("lr-batch", "rerun")
    assert chain(model, Protocol()) == expected
    assert chain(model, Protocol(search="joint")) == ("joint", "rerun")
    assert chain(model, Protocol(search="published")) == ("rerun",)


def test_the_joint_grid_is_the_product_of_both() -> None:
    stage = make_stage("toy", "AuxMLP", "joint", replace(PROTOCOL, stage1_alpha=0.0), None)
    assert cells_of(stage) == {
        (Hyperparameters(rate, size, alpha), (0, 1, 2))
        for rate, size, alpha in product(LEARNING_RATES, BATCH_SIZES, ALPHAS)
    }
    plain = make_stage("toy", "MLP", "joint", PROTOCOL, None)
    assert len(cells_of(plain)) == 20


@pytest.mark.parametrize(
    ("settings", "name", "metric"),
    [
        ({}, "alpha", "test accuracy"),
        ({"select_on": "validation"}, "alpha", "validation accuracy"),
        ({"select_on": "validation", "rank_by": "lower-bound"}, "rerun", "test accuracy"),
        ({"rank_by": "lower-bound"}, "alpha", "lower bound of test accuracy"),
    ],
)
def test_the_metric_is_what_cells_compete_by(
    settings: dict[str, str], name: str, metric: str
) -> None:
    protocol = replace(PROTOCOL, **settings)  # type: ignore[arg-type]
    assert make_stage("toy", "AuxMLP", name, protocol, WINNER).metric == metric


def test_studies_are_named_by_experiment_model_and_stage() -> None:
    stage = make_stage("paper", "AuxsiameseCNN", "lr-batch", PROTOCOL, None)
    assert stage.study_name == "paper/AuxsiameseCNN/lr-batch"


@pytest.mark.parametrize(("model", "alpha"), [("AuxsiameseCNN", 0.4), ("SiameseCNN", None)])
def test_the_first_grid_is_learning_rates_by_batch_sizes(model: str, alpha: float | None) -> None:
    stage = make_stage("paper", model, "lr-batch", PROTOCOL, None)
    assert cells_of(stage) == {
        (Hyperparameters(rate, size, alpha), (0, 1, 2))
        for rate, size in product(LEARNING_RATES, BATCH_SIZES)
    }
    assert stage.trainings_per_cell == 3
    assert not stage.is_rerun


def test_alpha_is_a_float_however_it_was_given() -> None:
    """Else the second grid would not know the trainings of the first."""
    stage = make_stage("paper", "AuxMLP", "lr-batch", Protocol(stage1_alpha=1), None)
    assert {type(cell["alpha"]) for cell in Grid(stage.search_space).cells()} == {float}


def test_the_second_grid_is_alphas_at_the_winner() -> None:
    stage = make_stage("paper", "AuxMLP", "alpha", PROTOCOL, WINNER)
    assert cells_of(stage) == {(Hyperparameters(1e-3, 16, alpha), (0, 1, 2)) for alpha in ALPHAS}


@pytest.mark.parametrize(("model", "winner"), [("AuxMLP", WINNER), ("MLP", PLAIN_WINNER)])
def test_the_last_grid_is_seeds_at_the_winner(model: str, winner: Hyperparameters) -> None:
    stage = make_stage("paper", model, "rerun", PROTOCOL, winner)
    assert cells_of(stage) == {(winner, (10,)), (winner, (11,))}
    assert stage.trainings_per_cell == 1
    assert stage.is_rerun


@pytest.mark.parametrize("model", MODELS)
def test_without_a_search_the_papers_settings_are_rerun(model: str) -> None:
    protocol = Protocol(search="published", reruns=2)
    stage = make_stage("toy", model, "rerun", protocol, start(model, protocol))
    of_paper = PAPER[model]
    chosen = Hyperparameters(of_paper.learning_rate, of_paper.batch_size, of_paper.alpha)
    assert cells_of(stage) == {(chosen, (10,)), (chosen, (11,))}
    assert start(model, Protocol()) is None


def test_batch_sizes_and_seeds_stay_whole_numbers() -> None:
    """Also where they come back from SQL as floats."""
    stage = make_stage("paper", "AuxMLP", "rerun", PROTOCOL, WINNER)
    cell = stage.cell({"learning_rate": 1e-3, "batch_size": 16.0, "alpha": 0.7, "seed": 10.0})
    assert cell.hyperparameters == WINNER
    assert [type(each) for each in (cell.hyperparameters.batch_size, *cell.seeds)] == [int, int]
