"""How things are said to people."""

import pytest

from studies.wording import cell_text, duration, plus_minus, without_password


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.4, "0 s"), (45, "45 s"), (89.4, "89 s"), (90, "2 min"), (720, "12 min"),
        (89 * 60, "89 min"), (90 * 60, "1 h 30 min"), (3 * 3600 + 20 * 60, "3 h 20 min"),
        (2 * 3600 - 1, "2 h 00 min"), (26 * 3600, "26 h 00 min"),
    ],
)  # fmt: skip
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_cell_is_said_by_its_parameters_in_one_order() -> None:
    parameters = {"seed": 12, "alpha": 0.0, "batch_size": 32, "learning_rate": 0.005}
    assert cell_text(parameters) == "learning_rate 0.005, batch_size 32, alpha 0, seed 12"


def test_what_a_cell_does_not_have_is_left_out() -> None:
    assert cell_text({"learning_rate": 0.0005, "batch_size": 8, "alpha": None}) == (
        "learning_rate 0.0005, batch_size 8"
    )


def test_plus_minus() -> None:
    assert plus_minus(0.9046, 0.0141, 3) == "0.905 ± 0.014"
    assert plus_minus(10, 0.5, 1) == "10.0 ± 0.5"


def test_a_single_run_has_no_deviation() -> None:
    assert plus_minus(0.9046, None, 3) == "0.905"


@pytest.mark.parametrize(
    ("word", "said"),
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
def test_a_password_is_hidden(word: str, said: str) -> None:
    assert without_password(word) == said


@pytest.mark.parametrize(
    "word",
    ["MLP", "sqlite:////data/a:b@c.db", "postgresql://me@db:5432/s", "tcp://host:8786", "a:b@c"],
)
def test_other_words_stay_as_they_are(word: str) -> None:
    assert without_password(word) == word
