"""How grids go on: the values that follow, in both directions."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

import pytest

from studies import Beyond, Experiment, Stage
from studies.display.errors import UsageError
from studies.experiment.beyond import values_beyond
from studies.paper import STAGES


def train(parameters: Any, seed: int) -> dict[str, float]:
    return {"accuracy": 0.5}


def beyond(values: Sequence[Any], upwards: bool, rule: Beyond) -> list[Any]:
    return list(islice(values_beyond(values, upwards, rule), 4))


@pytest.mark.parametrize(
    ("values", "rule", "below", "above"),
    [
        # Geometric series, and two positive numbers.
        ([8, 16, 32, 64], {}, [4, 2, 1], [128, 256, 512, 1024]),
        ([0.1, 0.01, 0.001], {}, [1e-4, 1e-5, 1e-6, 1e-7], [1.0, 10.0, 100.0, 1000.0]),
        ([0.1, 0.2], {}, [0.05, 0.025, 0.0125, 0.00625], [0.4, 0.8, 1.6, 3.2]),
        ([3, 9], {}, [1], [27, 81, 243, 729]),
        ([4, 6, 9], {}, [3, 2, 1], [14, 21, 32, 48]),
        # Arithmetic ones; those of positive numbers do not reach zero.
        ([0.0, 0.1, 0.2, 0.3], {}, [], [0.4, 0.5, 0.6, 0.7]),
        ([10, 20, 30], {}, [], [40, 50, 60, 70]),
        ([20, 30, 40], {}, [10], [50, 60, 70, 80]),
        ([-1, 0, 1], {}, [-2, -3, -4, -5], [2, 3, 4, 5]),
        ([0, 1], {}, [], [2, 3, 4, 5]),
        # As their own values do.
        ([5e-3, 1e-3, 5e-4, 1e-4], {}, [5e-5, 1e-5, 5e-6, 1e-6], [0.01, 0.05, 0.1, 0.5]),
        ([1, 2, 5, 10], {}, [], [20, 50, 100, 200]),
        ([100, 200, 500, 1000], {}, [50, 20, 10, 5], [2000, 5000, 10000, 20000]),
        ([0.3, 0.1, 0.03], {}, [0.01, 0.003, 0.001, 3e-4], [1.0, 3.0, 10.0, 30.0]),
        ([0.0, 1e-4, 1e-3], {}, [], [0.01, 0.1, 1.0, 10.0]),
        ([10, 50, 100, 200], {}, [2], [400, 800, 1600, 3200]),
        # As a stage says.
        ([8, 16, 32], {"factor": 4, "least": 2}, [2], [128, 512, 2048, 8192]),
        ([0.0, 0.5, 1.0], {"most": 1.0}, [], []),
        ([0.0, 0.5, 1.0], {"step": 0.1, "least": -0.2}, [-0.1, -0.2], [1.1, 1.2, 1.3, 1.4]),
        # Nothing.
        (["gini", "entropy"], {}, [], []),
        (["none", 1, 2], {"factor": 2}, [], []),
        ([3], {}, [], []),
        ([0.0], {}, [], []),
    ],
)  # fmt: skip
def test_the_values_that_follow(
    values: list[Any], rule: dict[str, float], below: list[Any], above: list[Any]
) -> None:
    for order in (values, values[::-1]):
        assert beyond(order, False, Beyond(**rule)) == below
        assert beyond(order, True, Beyond(**rule)) == above
    kinds = {type(value) for value in (*below, *above)}
    assert kinds <= {type(value) for value in values}, "whole numbers stay whole"


def test_numbers_are_as_people_write_them() -> None:
    tenths = [tenth / 10 for tenth in range(11)]
    assert [str(value) for value in beyond(tenths, True, Beyond())] == ["1.1", "1.2", "1.3", "1.4"]
    assert [str(value) for value in beyond([5e-3, 1e-3], False, Beyond(factor=2))] == [
        "0.0005", "0.00025", "0.000125", "6.25e-05",
    ]  # fmt: skip


def test_no_number_grows_beyond_what_can_be_kept() -> None:
    assert max(values_beyond([1, 2], True, Beyond())) == 2**53
    assert max(values_beyond([1.0, 1e100], True, Beyond())) == 1e300
    assert min(values_beyond([1.0, 1e100], False, Beyond())) == 1e-300


def test_the_papers_grids_go_on() -> None:
    grids = {name: (values, stage) for stage in STAGES for name, values in stage.grid.items()}
    known = {
        name: [beyond(values, up, stage.beyond.get(name, Beyond())) for up in (False, True)]
        for name, (values, stage) in grids.items()
    }
    assert known == {
        "learning_rate": [[5e-5, 1e-5, 5e-6, 1e-6], [0.01, 0.05, 0.1, 0.5]],
        "batch_size": [[4, 2, 1], [256, 512]],
        "alpha": [[], [1.1, 1.2, 1.3, 1.4]],
    }


def test_a_stage_with_another_grid_goes_on_as_before() -> None:
    rule = Beyond(factor=3)
    experiment = Experiment(
        "toy", {"A": train}, [Stage("size", depth=[4, 8], rate=[1], beyond={"depth": rule})]
    )
    for other in (
        experiment,
        experiment.with_grid("depth", [1, 2]),
        experiment.with_stage(STAGES[1]),
    ):
        assert other.beyond["depth"] == rule
    assert "beyond" not in experiment.stages[0].grid


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"factor": 2, "step": 1}, "a parameter goes on by a factor or by a step, not by both"),
        ({"factor": 1}, "the factor of Beyond must be above 1, not 1"),
        ({"step": -1}, "the step of Beyond must be above 0, not -1"),
        ({"least": "1"}, "Beyond takes finite numbers, not '1'"),
        ({"most": float("nan")}, "Beyond takes finite numbers, not nan"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{sentence}$"):
        Beyond(**rule)


@pytest.mark.parametrize(
    ("beyond", "sentence"),
    [
        (2, "beyond in stage size is 2: give a mapping from parameters"),
        ({"width": Beyond()}, "stage size has no parameter width that could go on"),
        ({"depth": 2}, r"depth goes on by a Beyond\(...\) or None, not by 2"),
    ],
)
def test_a_stage_that_does_not_say_how_is_refused(beyond: Any, sentence: str) -> None:
    with pytest.raises(UsageError, match=f"^{sentence}"):
        Stage("size", depth=[4, 8], kind=["gini", "entropy"], beyond=beyond)
