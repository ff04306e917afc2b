"""How numbers are said to people."""

import pytest

from studies.wording import cell_text, duration, plus_minus


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
