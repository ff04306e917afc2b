"""The time that is left of a run, as people read it."""

import time as system
from datetime import datetime

import pytest

from studies.display import time_left
from studies.display.time_left import TimeLeft, clock_text


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time_left, "time", clock)
    return clock


def test_what_is_not_known_is_not_guessed(clock: Clock) -> None:
    times = TimeLeft({"first": None, "second": None})
    times.begin("first", None)
    assert times.text() == "time not known yet"
    clock.now = 20.0
    times.trained("first", 4, 36, 5.0)
    assert times.text() == "at least 3 min left"
    times.begin("second", 60.0)
    assert times.text() == "4 min left"


def test_the_time_left_is_that_of_all_studies(clock: Clock) -> None:
    times = TimeLeft({"first": 30.0, "second": 25.0})
    times.begin("first", None)
    assert times.text() == "55 s left"
    clock.now = 20.0
    times.trained("first", 2, 1, 10.0)
    assert times.text() == "35 s left"
    times.drop("first", 1, 10.0)
    assert times.text() == "25 s left"
    times.begin("second", 5.0)
    assert times.text() == "5 s left"


def test_the_runs_own_pace_corrects_what_was_expected(clock: Clock) -> None:
    times = TimeLeft({"first": 100.0, "second": 10.0})
    times.begin("first", None)
    clock.now = 80.0
    times.begin("second", None)
    times.trained("first", 4, 6, 10.0)
    assert times.text() == "2 min left", "(100 - 40 + 10) * 2"
    times.drop("first", 6, 10.0)
    assert times.text() == "20 s left"


def test_the_first_minute_tells_little_of_hours(clock: Clock) -> None:
    times = TimeLeft({"first": 60.0, "second": 6000.0})
    times.begin("first", None)
    clock.now = 120.0
    times.trained("first", 60, 0, 1.0)
    # Of the tenth of 6060 seconds that would be trusted, 60 are done: twice as long counts a tenth.
    assert times.seconds == pytest.approx(6000 * (1 + 60 / 606))


def test_a_study_that_took_less_than_expected_leaves_nothing(clock: Clock) -> None:
    times = TimeLeft({"first": 100.0, "second": 25.0})
    times.begin("first", None)
    clock.now = 3.0
    times.trained("first", 2, 1, 1.0)
    times.trained("first", 1, 0, 1.0)
    assert times.text() == "25 s left"


def test_the_clock_says_when_a_run_ends(clock: Clock) -> None:
    times = TimeLeft({"first": 3600.0, "second": 7200.0})
    times.begin("first", None)
    noon = datetime(2026, 11, 29, 12, 0).timestamp()
    assert times.outlook(noon) == ["3 h 00 min left", "ends about 15:00"]
    clock.now = 60.0
    assert times.elapsed == 60.0
    assert times.outlook(noon + 60) == ["2 h 59 min left", "ends about 15:00"], "it does not drift"


def test_an_end_on_another_day_has_its_date() -> None:
    evening = datetime(2026, 11, 30, 22, 30).timestamp()
    assert clock_text(evening, 3600.0) == "23:30"
    assert clock_text(evening, 3 * 3600.0) == "01:30 on Tue 1 Dec"


def test_an_end_of_which_part_is_known_is_not_before_it(clock: Clock) -> None:
    times = TimeLeft({"first": 60.0, "second": None})
    times.begin("first", None)
    noon = datetime(2026, 11, 29, 12, 0).timestamp()
    assert times.outlook(noon) == ["at least 60 s left", "ends after 12:01"]
    clock.now = 100.0
    assert times.outlook(noon) == ["time not known yet"]


def test_a_run_that_is_late_does_not_end_in_0_seconds(clock: Clock) -> None:
    times = TimeLeft({"first": 60.0})
    times.begin("first", None)
    clock.now = 70.0
    assert times.outlook(system.time()) == ["longer than expected"]
