"""The protocol: the paper's numbers, the names of experiments, and what makes no sense."""

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.errors import UsageError
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES, Protocol, differences
from studies.service import Settings

OTHER: dict[str, Any] = {
    "epochs": 5,
    "repeats": 1,
    "reruns": 2,
    "data": "mnist",
    "auxiliary": "logits",
    "stage1_alpha": 0.5,
    "select_on": "validation",
    "search": "joint",
    "rank_by": "lower-bound",
    "racing": True,
}
"""Another value for each setting."""


def test_the_defaults_are_the_papers() -> None:
    assert LEARNING_RATES == (5e-3, 1e-3, 5e-4, 1e-4)
    assert BATCH_SIZES == (8, 16, 32, 64, 128)
    assert ALPHAS == (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    protocol = Protocol()
    assert protocol.epochs == 25
    assert list(protocol.repeat_seeds) == list(range(10))
    assert list(protocol.rerun_seeds) == list(range(10, 20))
    assert protocol.data == "mnist-sample"
    assert protocol.auxiliary == "softmax"
    assert protocol.stage1_alpha == 0.0


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, "paper"),
        ({"epochs": 5, "repeats": 1}, "paper+epochs=5,repeats=1"),
        ({"reruns": 2}, "paper+reruns=2"),
        ({"stage1_alpha": 0.5}, "paper+stage1-alpha=0.5"),
        ({"stage1_alpha": 1}, "paper+stage1-alpha=1"),
        ({"auxiliary": "logits"}, "paper+auxiliary=logits"),
        ({"search": "published"}, "paper+search=published"),
        ({"data": "mnist"}, "paper+data=mnist"),
        ({"select_on": "validation"}, "paper+select-on=validation"),
        ({"search": "joint", "racing": True}, "paper+search=joint,racing"),
        ({"rank_by": "lower-bound"}, "paper+rank-by=lower-bound"),
    ],
)
def test_an_experiment_is_named_by_what_differs_from_the_paper(
    settings: dict[str, Any], name: str
) -> None:
    assert Settings(protocol=Protocol(**settings)).experiment_name == name


def test_a_name_that_is_given_wins() -> None:
    named = Settings(experiment="Mine_1.b", protocol=Protocol(epochs=5))
    assert named.experiment_name == "Mine_1.b"


@given(st.integers(1, 40), st.integers(1, 40))
def test_reruns_use_seeds_of_their_own(repeats: int, reruns: int) -> None:
    protocol = Protocol(repeats=repeats, reruns=reruns)
    assert len(protocol.repeat_seeds) == repeats
    assert len(protocol.rerun_seeds) == reruns
    assert min(protocol.rerun_seeds) >= 10
    assert not set(protocol.repeat_seeds) & set(protocol.rerun_seeds)


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize("name", ["epochs", "repeats", "reruns"])
def test_counts_are_at_least_one(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{name} must be at least 1, not {value}"):
        Protocol(**{name: value})


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_alpha_is_a_number_from_zero(value: float) -> None:
    with pytest.raises(UsageError, match="stage1-alpha must be a number from 0"):
        Protocol(stage1_alpha=value)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "naïve", "a\n", "x" * 101, '"', "%"])
def test_names_that_sql_and_study_names_cannot_take_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no experiment"):
        Settings(experiment=name)


def test_workers_are_at_least_one() -> None:
    with pytest.raises(UsageError, match="workers must be at least 1, not 0"):
        Settings(workers=0)


def test_protocols_that_agree_have_no_differences() -> None:
    assert list(differences(Protocol().stored("abc"), Protocol().stored("abc"))) == []


def test_every_setting_is_stored_and_compared() -> None:
    assert OTHER.keys() == {field.name for field in fields(Protocol)}
    for name, value in OTHER.items():
        stored, asked = Protocol(), replace(Protocol(), **{name: value})
        assert list(differences(stored.stored("abc"), asked.stored("abc"))) == [
            f"{name}: stored {getattr(stored, name)}, asked {value}"
        ]


def test_data_grids_and_settings_of_other_versions_are_compared() -> None:
    asked = Protocol().stored("abc")
    assert list(differences(asked | {"data_sha256": "old"}, asked)) == [
        "data_sha256: stored old, asked abc"
    ]
    assert list(differences(asked | {"batch_sizes": [8]}, asked)) == [
        "batch_sizes: stored [8], asked [8, 16, 32, 64, 128]"
    ]
    assert list(differences(asked | {"warm_up": 3}, asked)) == ["warm_up: stored 3, asked None"]


def test_a_study_made_before_a_setting_came_has_its_default() -> None:
    asked = Protocol().stored("abc")
    older = {name: value for name, value in asked.items() if name not in ("racing", "search")}
    assert list(differences(older, asked)) == []
    assert list(differences(older, asked | {"racing": True})) == [
        "racing: stored False, asked True"
    ]
    # A joint search tries every alpha, so that it is the same whatever its first stage had.
    joint = asked | {"search": "joint"}
    assert list(differences(joint | {"stage1_alpha": 1.0}, joint)) == []
    del older["auxiliary"]
    assert list(differences(older, asked)) == ["auxiliary: stored logits, asked softmax"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"select_on": "train"}, "select-on must be test or validation, not train"),
        ({"search": "random"}, "search must be two-stage, joint or published, not random"),
        ({"rank_by": "luck"}, "rank-by must be mean or lower-bound, not luck"),
        ({"rank_by": "lower-bound", "repeats": 1}, "lower-bound needs at least 2 repeats"),
        ({"racing": True, "repeats": 3}, "racing gives up a cell after 3 repeats at the earliest"),
        ({"search": "joint", "stage1_alpha": 0.5}, "stage1-alpha has no meaning in a joint"),
        ({"auxiliary": "sigmoid"}, "auxiliary must be softmax or logits, not sigmoid"),
        *(
            ({"search": "published", name: value}, f"{name.replace('_', '-')} has no meaning where")
            for name, value in OTHER.items()
            if name in ("repeats", "stage1_alpha", "select_on", "rank_by")
        ),
        ({"search": "published", "racing": True}, "racing has no meaning where"),
    ],
)
def test_settings_that_make_no_experiment_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Protocol(**settings)
