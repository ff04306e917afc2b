"""Which study goes on beyond a grid, and where it ends; results are plain functions."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest

from storage.rows import RankedCell
from studies import Beyond, Experiment, Stage
from studies.display.errors import UsageError
from studies.experiment.extension import further_study, is_clearly_worse
from studies.experiment.study import GridStudy, grid_study
from studies.experiment.training import Training
from studies.paper import experiment as paper

Objective = Callable[[Mapping[str, Any], int], float]


def train(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 0.5}


STAGE = Stage("size", rate=[5e-3, 1e-3, 5e-4, 1e-4], batch=[8, 16, 32, 64, 128], weight=[0.0])
TOY = Experiment("toy", {"net": train}, [STAGE], repeats=10, extend=4)


def search(
    experiment: Experiment, objective: Objective, stage: str = "size", states: Any = None
) -> tuple[list[GridStudy], list[RankedCell]]:
    """Complete the studies of a stage: all of them, and their cells, the winner first."""
    studies = [grid_study(experiment, "net", stage, None)]
    sign = studies[0].sign
    cells: list[tuple[int, RankedCell]] = []
    for study in studies:
        for cell in study.cells():
            values = tuple(objective(cell.parameters, seed) for seed in cell.seeds)
            state = (states or {}).get(tuple(cell.parameters.values()), "COMPLETE")
            cells.append((study.extension, RankedCell(
                "toy", "net", study.name, cell.parameters, fmean(values), 0.0, len(values), state,
                dead=0, number=study.place(cell.parameters), values=values, fingerprints=(),
                base=stage,
            )))  # fmt: skip
        cells.sort(
            key=lambda ranked: (
                ranked[1].state != "COMPLETE",
                -sign * (ranked[1].mean or 0.0),
                ranked[0],
                ranked[1].number,
            )
        )
        further = further_study(studies, [cell for _, cell in cells], experiment.extend)
        if further is not None:
            studies.append(further)
    parameters = [tuple(cell.parameters.items()) for _, cell in cells]
    assert len(parameters) == len(set(parameters)), "no cell is tried twice"
    return studies, [cell for _, cell in cells]


def peak(noise: float = 0.01, sign: int = 1, **optimum: float) -> Objective:
    """An objective that falls by 0.02 with each doubling of the distance to its optimum."""

    def objective(parameters: Mapping[str, Any], seed: int) -> float:
        away = sum(abs(math.log2(parameters[name] / best)) for name, best in optimum.items())
        same = random.Random(seed).gauss(0, 3 * noise)
        own = random.Random(f"{sorted(parameters.items())} {seed}").gauss(0, noise)
        return 0.9 - sign * (0.02 * away + same + own)

    return objective


def varied(studies: Sequence[GridStudy], name: str) -> list[list[Any]]:
    return [list(study.grid[name]) for study in studies]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("optimum", "further"),
    [
        ({"rate": 0.1, "batch": 32}, 3),
        ({"rate": 1e-3, "batch": 1}, 3),
        ({"rate": 1e-5, "batch": 32}, 2),
    ],
)
def test_an_optimum_outside_is_followed(optimum: dict[str, float], further: int, seed: int) -> None:
    """Three steps beyond the grid, or two, with noise; and then it has neighbours on all sides."""
    objective = peak(**optimum)
    studies, cells = search(
        TOY, lambda parameters, repeat: objective(parameters, 100 * seed + repeat)
    )
    assert cells[0].parameters == {**optimum, "weight": 0.0}
    assert len(studies) - 1 in (further, further + 1)
    assert [study.name for study in studies[:3]] == ["size", "size+1", "size+2"]
    assert cells[0].stage == f"size+{further}"


def test_an_optimum_inside_ends_at_the_grid() -> None:
    studies, cells = search(TOY, peak(rate=1e-3, batch=32))
    assert (len(studies), cells[0].parameters["rate"]) == (1, 1e-3)


def test_without_the_option_nothing_goes_on() -> None:
    assert len(search(replace(TOY, extend=0), peak(rate=0.1, batch=32))[0]) == 1
    assert len(search(replace(TOY, extend=2), peak(rate=0.1, batch=32))[0]) == 3


def test_a_corner_goes_on_in_both_directions() -> None:
    studies, cells = search(TOY, peak(noise=1e-4, rate=0.01, batch=4))
    assert studies[1].only is not None
    new = {tuple(cell.values())[:2] for cell in studies[1].only}
    assert new == {(0.01, 4), (0.01, 8), (0.01, 16), (0.005, 4), (0.001, 4)}
    assert studies[1].reason == "rate 0.005 is the largest tried and batch 8 is the smallest tried"
    assert studies[1].parent == {"study": "toy/net/size", "trial": 0}
    assert tuple(cells[0].parameters.values()) == (0.01, 4, 0.0)


def test_only_new_cells_are_tried_in_the_order_of_their_places() -> None:
    studies, _ = search(TOY, peak(rate=0.1, batch=2))
    seen: set[tuple[Any, ...]] = set()
    for study in studies:
        cells = [tuple(cell.parameters.values()) for cell in study.cells()]
        assert len(cells) == len(study) == len(set(cells))
        assert not seen.intersection(cells)
        seen.update(cells)
        places = [study.place(cell.parameters) for cell in study.cells()]
        assert places == sorted(places)
        assert study.study_name == f"toy/net/size{f'+{study.extension}' * bool(study.extension)}"


def test_what_is_clearly_worse_at_the_edge_is_left_out() -> None:
    """Without noise that is all but the winner's value and its neighbours; with it, less."""
    exact, _ = search(TOY, peak(noise=1e-4, rate=0.01, batch=32))
    assert varied(exact, "rate")[1:] == [[0.01], [0.05]][: len(exact) - 1]
    assert varied(exact, "batch")[1] == [16, 32, 64]
    noisy, _ = search(TOY, peak(noise=0.2, rate=0.01, batch=32))
    assert set(exact[1].grid["batch"]) < set(noisy[1].grid["batch"])
    few, _ = search(replace(TOY, repeats=2), peak(noise=1e-4, rate=0.01, batch=32))
    assert varied(few, "batch")[1] == [8, 16, 32, 64, 128], "two repeats show nothing"


def test_a_gap_in_the_grown_grid_beside_the_winner_is_filled() -> None:
    """Beyond the grid the best batch size is another one, which was clearly worse at its edge."""

    def ridge(parameters: Mapping[str, Any], seed: int) -> float:
        rate, batch = math.log2(parameters["rate"] / 0.05), math.log2(parameters["batch"])
        return 0.9 - 0.02 * abs(rate) - 0.05 * abs(batch - 7 - rate) + seed / 1000

    studies, cells = search(TOY, ridge)
    assert tuple(cells[0].parameters.values())[:2] == (0.05, 128)
    assert any("was not tried there" in str(study.reason) for study in studies[1:])
    tried = {tuple(cell.parameters.values())[:2] for cell in cells}
    assert {(0.05, 64), (0.05, 256), (0.01, 128), (0.1, 128)} <= tried
    assert (0.05, 8) not in tried


def test_cells_that_diverged_or_were_given_up_are_tried_and_worse() -> None:
    states = {(0.01, batch, 0.0): "DIVERGED" for batch in (8, 16, 32, 64, 128)}
    states |= {(0.005, 8, 0.0): "PRUNED"}
    studies, cells = search(TOY, peak(noise=0.2, rate=0.01, batch=32), states=states)
    assert cells[0].parameters["rate"] == 0.005
    assert [study.name for study in studies] == ["size", "size+1"]
    assert 8 not in studies[1].grid["batch"] or cells[0].parameters["batch"] == 16


def test_the_winner_of_equals_is_the_first_one() -> None:
    studies, cells = search(TOY, lambda parameters, seed: 0.5)
    assert cells[0].parameters == {"rate": 5e-3, "batch": 8, "weight": 0.0}
    assert [study.name for study in studies] == ["size", "size+1"]


def test_a_loss_that_is_least_outside_is_followed() -> None:
    least = replace(TOY, objective="loss", direction="minimize")
    _, cells = search(least, peak(sign=-1, rate=0.1, batch=32))
    assert tuple(cells[0].parameters.values())[:2] == (0.1, 32)


def test_words_have_no_edge_and_stay_as_they_win() -> None:
    kinds = Stage("size", kind=["gini", "entropy"], depth=[2, 4, 8])
    experiment = replace(TOY, stages=[kinds])

    def objective(parameters: Mapping[str, Any], seed: int) -> float:
        return parameters["depth"] / 100 + 0.01 * (parameters["kind"] == "gini") + seed / 1000

    studies, _ = search(experiment, objective)
    assert varied(studies, "depth") == [[2, 4, 8], [16], [32], [64], [128]]
    assert varied(studies, "kind")[1:] == [["gini"]] * 4
    assert [study.reason for study in studies[1:3]] == [
        "depth 8 is the largest tried", "depth 16 is the largest tried",
    ]  # fmt: skip


def test_a_parameter_goes_on_as_its_stage_says() -> None:
    for rule, depths in (
        (None, []), (Beyond(most=20), [16]), (Beyond(step=1), [9, 10, 11, 12]),
    ):  # fmt: skip
        stage = Stage("size", depth=[2, 4, 8], beyond={"depth": rule})
        studies, _ = search(replace(TOY, stages=[stage]), lambda p, seed: p["depth"] / 100)
        assert [study.grid["depth"][0] for study in studies[1:]] == depths


def test_a_joint_search_goes_on_in_all_its_parameters() -> None:
    stages = [Stage("size", rate=[5e-3, 1e-3], weight=[1.0]), Stage("weight", weight=[1.0, 2.0])]
    joint = replace(TOY, stages=stages, search="joint")
    studies, cells = search(joint, peak(rate=0.02, weight=4.0), stage="joint")
    assert studies[1].name == "joint+1"
    assert cells[0].parameters["weight"] == 4.0
    assert cells[0].parameters["rate"] == 0.025


class UpTo10(Training):
    """It takes no depth above 10."""

    code, parameter_count = "1", None

    def check(self, grid: Mapping[str, Sequence[Any]]) -> None:
        if max(grid["depth"]) > 10:
            raise UsageError("too deep")


def test_a_value_that_a_model_refuses_is_not_tried() -> None:
    stage = Stage("size", depth=[2, 4])
    experiment = replace(TOY, models={"net": UpTo10()}, stages=[stage])
    studies, _ = search(experiment, lambda parameters, seed: parameters["depth"] / 100)
    assert varied(studies, "depth") == [[2, 4], [8]]


def test_a_stage_searches_what_varies_in_its_own_grid() -> None:
    chosen = paper()
    first = grid_study(chosen, "AuxMLP", "lr-batch", None)
    assert list(first.searched) == ["learning_rate", "batch_size"]
    second = grid_study(chosen, "AuxMLP", "alpha", {"learning_rate": 1e-3, "batch_size": 8})
    assert list(second.searched) == ["alpha"]
    joint = replace(chosen, search="joint")
    assert list(grid_study(joint, "AuxMLP", "joint", None).searched) == list(chosen.parameters)
    assert list(grid_study(joint, "MLP", "joint", None).searched) == list(first.searched)


def test_clearly_worse_is_three_standard_errors_paired_by_seed() -> None:
    winner = RankedCell(
        "toy", "net", "size", {}, 0.9, 0.01, 3, "COMPLETE", dead=0, number=0,
        values=(0.80, 0.90, 1.00), fingerprints=(), base="size",
    )  # fmt: skip
    for values, is_worse in (
        ((0.79, 0.89, 0.98), True), ((0.79, 0.90, 0.98), False), ((0.7, 0.8), False),
        ((0.80, 0.90, 1.00), False), ((0.81, 0.92, 1.01), False),
    ):  # fmt: skip
        assert is_clearly_worse(replace(winner, values=values), winner, 1) is is_worse
        assert not is_clearly_worse(winner, winner, 1)
    assert is_clearly_worse(replace(winner, values=(0.81, 0.91, 1.02)), winner, -1)
    assert is_clearly_worse(replace(winner, state="PRUNED"), winner, 1)
