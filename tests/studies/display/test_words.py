"""Numbers, cells, names and tables as people read them."""

from typing import Any

import pytest

from studies.display.words import (
    cell_text,
    did_you_mean,
    duration,
    edges,
    listed,
    number_text,
    plus_minus,
    without_password,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.4, "0 s"), (45, "45 s"), (89.4, "89 s"), (90, "2 min"), (720, "12 min"),
        (89 * 60, "89 min"), (90 * 60, "1 h 30 min"), (3 * 3600 + 20 * 60, "3 h 20 min"),
        (2 * 3600 - 1, "2 h 00 min"), (26 * 3600, "26 h 00 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_cell_has_its_parameters_in_their_order() -> None:
    parameters = {"trees": 1234567, "rate": 0.005, "kernel": "rbf", "alpha": 0.0, "seed": 12}
    assert cell_text(parameters) == "trees 1234567, rate 0.005, kernel rbf, alpha 0, seed 12"


def test_what_a_cell_does_not_have_is_left_out() -> None:
    assert cell_text({"rate": 0.1 * 3, "alpha": None, "trees": 8}) == "rate 0.3, trees 8"


def test_plus_minus() -> None:
    assert plus_minus(0.9046, 0.0141, 3) == "0.905 ± 0.014"
    assert plus_minus(10, 0.5, 1) == "10.0 ± 0.5"
    assert plus_minus(0.75, 0.0, 3) == "0.750 ± 0.000"


def test_a_single_run_has_no_deviation() -> None:
    assert plus_minus(0.9046, None, 3) == "0.905"


def test_a_small_number_is_not_all_zeros() -> None:
    """A loss may be far below an accuracy."""
    assert number_text(0.00003125, 4) == "3.125e-05"
    assert number_text(0.0, 4) == "0.0000"
    assert plus_minus(-0.000314159, 0.0000271, 3) == "-0.000314 ± 2.71e-05"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("postgresql+psycopg://me:canary@db/studies", "postgresql+psycopg://me:***@db/studies"),
        ("--storage=postgresql://me:canary@db:5432/s", "--storage=postgresql://me:***@db:5432/s"),
        ("postgresql://:canary@db/s", "postgresql://:***@db/s"),
        ("postgresql://me:can@a:r/y @db/s", "postgresql://me:***@db/s"),
        (
            "postgresql://me@db/s?password=canary&sslpassword=canary&jit=off",
            "postgresql://me@db/s?password=***&sslpassword=***&jit=off",
        ),
    ],
)
def test_a_password_is_hidden(word: str, shown: str) -> None:
    assert without_password(word) == shown


@pytest.mark.parametrize(
    "word",
    ["MLP", "sqlite:////data/a:b@c.db", "postgresql://me@db:5432/s", "tcp://host:8786", "a:b@c"],
)
def test_other_words_stay_as_they_are(word: str) -> None:
    assert without_password(word) == word


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mlp", "did you mean MLP?"), ("siamese_mlp", "did you mean SiameseMLP?")],
)
def test_a_mistyped_name_is_told_the_nearest(name: str, hint: str) -> None:
    assert did_you_mean(name, ["MLP", "SiameseMLP", "CNN"]) == hint
    assert did_you_mean(name, []) == ""


def test_lists() -> None:
    assert [listed(["a", "b", "c"][:count]) for count in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("parameters", "sentences"),
    [
        ({"depth": 8, "rate": 0.5, "kernel": "rbf"}, ["depth 8 is the largest"]),
        ({"depth": 2, "rate": 1.0}, ["depth 2 is the smallest", "rate 1 is the largest"]),
        # Nothing lies beyond zero, words have no order, and a single value was not searched.
        ({"depth": 4, "rate": 0.0, "kernel": "linear", "seed": 1}, []),
        ({"exponent": -3}, ["exponent -3 is the smallest"]),
        ({}, []),
    ],
)
def test_values_at_the_end_of_their_grid(parameters: dict[str, Any], sentences: list[str]) -> None:
    grid = {
        "depth": (2, 4, 8), "rate": (0.0, 0.5, 1.0), "exponent": (-3, -2), "seed": (1,),
        "kernel": ("rbf", "linear"),
    }  # fmt: skip
    assert list(edges(grid, parameters)) == sentences
