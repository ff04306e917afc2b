"""How far a run is, as people see it."""

import io
import re
from collections.abc import Mapping
from typing import Any

import optuna
import pytest
from rich.console import Console
from sqlalchemy import create_engine

from storage.trainings import TrainingRun
from storage.trials import OpenTrial
from studies.display import progress, time_left
from studies.display.progress import Progress
from studies.display.time_left import TimeLeft
from studies.experiment.definition import Experiment, Stage
from studies.experiment.study import GridStudy, grid_study
from studies.search.grid_sampler import Grid
from studies.search.trial import RunningTrial


def train(parameters: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Return nothing of interest: nobody calls it."""
    return {"accuracy": 1.0}


GRID = Stage("size", depth=[2, 4, 8, 16, 32], kernel=["rbf", "[red]"], rate=[0.001, 0.01])
TOY = Experiment("toy", {"tree": train}, [GRID], repeats=2)
SIZE = grid_study(TOY, "tree", "size", None)
SECOND = GridStudy(TOY, "tree", "second", {"depth": (2, 4)})


class Replay:
    """Tells a progress display what a driver does; an accuracy in thousandths."""

    def __init__(
        self,
        console: Console,
        study: GridStudy = SIZE,
        expected: float | None = 600.0,
        later: Mapping[str, float | None] = {},
    ) -> None:
        self.of = study
        self.progress = Progress(console, {study.study_name: expected, **later})
        self.grid = Grid(study.grid)
        self.study = optuna.create_study(sampler=self.grid, direction=study.experiment.direction)
        self.cells = iter(self.grid.free(self.study, lambda cell: 1.0))

    def cell(
        self, *values: float | None, error: str | None = None, known: int = 0,
        seconds: float | None = None, given_up: str | None = None,
    ) -> None:  # fmt: skip
        """A cell is asked, trained and told; the first `known` of its trainings are recorded."""
        cell = next(self.cells)
        trial = OpenTrial(create_engine("sqlite://"), cell, cell, self.grid.parameters(cell))
        runs = {seed: run_of(seed, value) for seed, value in enumerate(values)}
        recorded = {seed: run for seed, run in runs.items() if seed < known}
        running = RunningTrial(self.of, trial, {seed: str(seed) for seed in (0, 1)}, recorded, list)
        self.progress.asked(running)
        running.runs, running.error, running.given_up = runs, error, given_up
        if len(runs) > known:
            self.progress.trained(running, len(runs) - known, seconds)
        self.progress.told(running)


def run_of(seed: int, value: float | None) -> TrainingRun:
    status, numbers = ("diverged", {}) if value is None else ("ok", {"accuracy": value})
    return TrainingRun("", "tree", {}, seed, {}, None, status, numbers, 1, 1, 1, (), "", "")


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


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_shows_all_of_it(width: int, shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, force_terminal=True, width=width))
    with replay.progress:
        replay.progress.begin(SIZE, free=20)
        replay.cell(0.5, 0.75)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue())
    assert max(map(len, text.splitlines())) <= width
    text = " ".join(text.split())
    assert re.search(r"tree size .* 2/40 best 0\.6250", text), text
    assert re.search(f"{CELL}; best 0.6250 at {CELL}, 10 min left", text), text
    assert not re.search(r"\d/40 trainings", text), "no lines beside the display"


def test_a_small_terminal_shows_the_stages_that_fit(shown: io.StringIO) -> None:
    """The bar that moves and the time left are always among its lines."""
    console = Console(file=shown, force_terminal=True, width=60, height=12)
    later = {f"toy/a-model-whose-name-is-long-{n}/second": 60.0 for n in range(30)}
    replay = Replay(console, later=later)
    with replay.progress:
        for number in range(30):
            model = f"a-model-whose-name-is-long-{number}"
            study = GridStudy(TOY, model, "second", SECOND.grid)
            replay.progress.begin(study, free=2)
        replay.progress.begin(SIZE, free=20)
        replay.cell(0.5, 0.75)
    last = re.split(r"(?:\x1b\[1A\x1b\[2K)+", shown.getvalue())[-1]
    frame = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).strip()
    assert len(frame.splitlines()) <= 12
    assert max(map(len, frame.splitlines())) <= 60
    assert "2/40" in frame and " left" in frame and "best 0.6250" in frame


def test_what_a_run_waits_for_is_told_once_each_time(shown: io.StringIO) -> None:
    display = Progress(Console(file=shown), {})
    for reason in ("It waits.", "It waits.", None, "It waits."):
        display.waits(reason)
    assert shown.getvalue().splitlines() == ["It waits."] * 2


def test_workers_that_do_not_train_are_told_once_for_each_reason(shown: io.StringIO) -> None:
    display = Progress(Console(file=shown), {})
    refused = {"tcp://a:1": "it has torch [1]", "tcp://b:2": "it has torch [1]"}
    display.refuses(refused)
    display.refuses(refused | {"tcp://c:3": "it lacks numpy"})
    assert shown.getvalue().splitlines() == [
        "Worker tcp://a:1, as any like it, does not train: it has torch [1].",
        "Worker tcp://c:3, as any like it, does not train: it lacks numpy.",
    ]


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


def test_nothing_is_left_at_the_end(shown: io.StringIO) -> None:
    replay = Replay(Console(file=shown, width=300), expected=2.0)
    replay.progress.begin(SIZE, free=1)
    replay.cell(0.5, 0.5, seconds=1.0)
    assert shown.getvalue().endswith(" 0 s left\n")


def test_a_study_that_took_less_than_expected_leaves_nothing(clock: Clock) -> None:
    times = TimeLeft({"first": 100.0, "second": 25.0})
    times.begin("first", None)
    clock.now = 3.0
    times.trained("first", 2, 1, 1.0)
    times.trained("first", 1, 0, 1.0)
    assert times.text() == "25 s left"
