"""How far a run is, as people see it."""

import io
import re
from types import SimpleNamespace

import optuna
import pytest
from rich.console import Console

from studies.display import progress, time_left
from studies.display.progress import Progress
from studies.experiment.definition import Experiment
from studies.experiment.study import grid_study
from tests.studies.display.replay import GRID, RERUN, SIZE, Replay, train


@pytest.fixture
def shown() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)


CELL = r"depth \d+, kernel (rbf|\[red\]), rate [0-9.]+"


def test_without_a_terminal_there_are_plain_lines(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=40))
    with replay.progress:
        replay.progress.begin(SIZE, free=20)
        replay.cell(0.5, 0.75)
        replay.cell(0.25, 0.25)
        replay.cell(0.875, None)
        replay.cell(error="RuntimeError: no luck")
    lines = shown.getvalue().splitlines()
    assert len(lines) == 4
    assert "\x1b" not in shown.getvalue()
    start = r"\d\d:\d\d:\d\d tree size "
    best = f"; best 0.6250 at {CELL}, 10 min left"
    for line, end in zip(
        lines,
        [
            f"2/40 trainings, {CELL}: 0.6250{best}",
            f"4/40 trainings, {CELL}: 0.2500{best}",
            f"6/40 trainings, {CELL}: 1 diverged{best}",
            f"6/40 trainings, {CELL}: failed, RuntimeError: no luck{best}",
        ],
        strict=True,
    ):
        assert re.fullmatch(start + end, line), line


def test_the_least_is_the_best_where_less_is_better(shown: io.StringIO) -> None:
    least = Experiment("toy", {"tree": train}, [GRID], repeats=2, direction="minimize")
    study = grid_study(least, "tree", "size", None)
    replay = Replay(Console(file=shown, width=300), study)
    replay.progress.begin(study, free=20)
    for value in (0.5, 0.25, 0.75):
        replay.cell(value, value)
    best = re.findall(r"best ([0-9.]+) at", shown.getvalue())
    assert best == ["0.5000", "0.2500", "0.2500"]


def test_a_study_that_is_taken_up_again_knows_its_best(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=300))
    trial = optuna.trial.create_trial(value=0.75, params={}, distributions={})
    replay.progress.begin(SIZE, free=2, complete=[trial])
    replay.cell(0.5, 0.5)
    assert "38/40 trainings" in shown.getvalue()
    assert "best 0.7500 at" in shown.getvalue()


def test_lines_come_every_few_seconds_and_at_the_end(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 3600.0)
    replay = Replay(Console(file=shown))
    with replay.progress:
        replay.progress.begin(SIZE, free=3)
        for _ in range(3):
            replay.cell(0.5, 0.5)
    lines = shown.getvalue().splitlines()
    assert "40/40 trainings" in lines[-1]
    assert len(lines) <= 2


def test_trainings_that_are_recorded_or_given_up_need_not_be_done(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=300))
    replay.progress.begin(SIZE, free=3)
    replay.cell(0.5, 0.5, known=1)
    replay.cell(0.5, 0.5, known=2)
    replay.cell(0.25, given_up="can hardly win")
    counts = [line.split()[3] for line in shown.getvalue().splitlines()]
    assert counts == ["36/40", "38/40", "39/39"]


def test_reruns_give_their_mean_so_far(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=300), RERUN)
    replay.progress.begin(RERUN, free=4)
    for value in (0.75, 0.25, None, 0.5):
        replay.cell(value)
    means = re.findall(r"; (mean .*?), ", shown.getvalue())
    assert means == [
        "mean 0.7500 of 1",
        "mean 0.5000 of 2",
        "mean 0.5000 of 2",
        "mean 0.5000 of 3",
    ]
    assert "best" not in shown.getvalue()


def test_the_first_rerun_teaches_how_long_the_others_take(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: seconds)
    monkeypatch.setattr(time_left, "time", clock)
    seconds = 0.0
    replay = Replay(Console(file=shown, width=300), RERUN, expected=2400.0)
    replay.begin(RERUN)
    seconds = 60.0
    replay.cell(0.5, seconds=60.0)
    assert shown.getvalue().endswith(" 3 min left\n"), "not what is left of the 2400 seconds"


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    shown: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    replay = Replay(Console(file=shown, force_terminal=True, width=300))
    with replay.progress:
        replay.progress.begin(SIZE, free=20)
        replay.cell(0.5, 0.75)
    assert " tree size 2/40 trainings, " in shown.getvalue()
    assert len(shown.getvalue().splitlines()) == 1


def test_what_a_run_waits_for_is_told_once_each_time(shown: io.StringIO) -> None:
    display = Progress(Console(file=shown), {})
    for reason in ("It waits.", "It waits.", None, "It waits."):
        display.show_waiting(reason)
    assert shown.getvalue().splitlines() == ["It waits."] * 2


def test_workers_that_do_not_train_are_told_once_for_each_reason(shown: io.StringIO) -> None:
    display = Progress(Console(file=shown), {})
    refused = {"tcp://a:1": "it has torch [1]", "tcp://b:2": "it has torch [1]"}
    display.show_refused(refused)
    display.show_refused(refused | {"tcp://c:3": "it lacks numpy"})
    assert shown.getvalue().splitlines() == [
        "Worker tcp://a:1, and any like it, does not train: it has torch [1].",
        "Worker tcp://c:3, and any like it, does not train: it lacks numpy.",
    ]


def test_nothing_is_left_at_the_end(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=300), expected=2.0)
    replay.progress.begin(SIZE, free=1)
    replay.cell(0.5, 0.5, seconds=1.0)
    assert shown.getvalue().endswith(" 0 s left\n")
