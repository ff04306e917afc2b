"""How far a run is, said to people."""

import io
import re
from collections.abc import Iterator

import optuna
import pytest
from rich.console import Console

from digitcmp.training import Hyperparameters
from storage.schema import TrainingRun
from storage.store import Store
from studies import progress
from studies.estimates import Estimates
from studies.grid import Grid
from studies.progress import Progress
from studies.protocol import Protocol
from studies.stages import make_stage
from studies.telling import Running

STAGE = make_stage("toy", "MLP", "lr-batch", Protocol(repeats=2), None)


class Replay:
    """Tells a progress display what a driver does."""

    def __init__(self, console: Console, store: Store, seconds: float = 600.0) -> None:
        expected = {STAGE.study_name: seconds}
        self.progress = Progress(console, Estimates(store.engine, 1), expected)
        self.study = optuna.create_study(storage=store.optuna, sampler=Grid(STAGE.search_space))
        self.grid = self.study.sampler
        self.cells = iter(self.grid.free(self.study))

    def cell(self, *accuracies: float | None, error: str | None = None, known: int = 0) -> None:
        """A cell is asked, trained and told; the first `known` of its trainings are recorded."""
        trial = self.grid.ask(self.study, next(self.cells))
        runs = {seed: run_of(seed, accuracy) for seed, accuracy in enumerate(accuracies)}
        recorded = {seed: run for seed, run in runs.items() if seed < known}
        running = Running(STAGE, trial, {seed: str(seed) for seed in (0, 1)}, recorded)
        self.progress.asked(running)
        running.runs, running.error = runs, error
        if len(runs) > known:
            self.progress.trained(running, len(runs) - known)
        self.progress.told(running)


def run_of(seed: int, accuracy: float | None) -> TrainingRun:
    status = "diverged" if accuracy is None else "ok"
    return TrainingRun(
        "", "MLP", 1e-3, 8, None, seed, 25, "", status, accuracy, None, 1, 1, 1, (), "", "", None
    )


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def lines_at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    return


def test_without_a_terminal_there_are_plain_lines(said: io.StringIO, store: Store) -> None:
    replay = Replay(Console(file=said, width=40), store)
    with replay.progress:
        replay.progress.begin(STAGE, cells=20, free=20)
        replay.cell(0.5, 0.75)
        replay.cell(0.25, 0.25)
        replay.cell(0.875, None)
        replay.cell(error="RuntimeError: no luck")
    lines = said.getvalue().splitlines()
    assert len(lines) == 4
    assert "\x1b" not in said.getvalue()
    start = r"\d\d:\d\d:\d\d MLP lr-batch "
    best = "; best 0.6250 at learning_rate [0-9.]+, batch_size 8, 10 min left"
    cell = " trainings, learning_rate [0-9.]+, batch_size 8: "
    for line, end in zip(
        lines,
        [
            f"2/40{cell}0.6250{best}",
            f"4/40{cell}0.2500{best}",
            f"6/40{cell}1 diverged{best}",
            f"6/40{cell}failed, RuntimeError: no luck{best}",
        ],
        strict=True,
    ):
        assert re.fullmatch(start + end, line), line


def test_lines_come_every_few_seconds_and_at_the_end(
    said: io.StringIO, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 3600.0)
    replay = Replay(Console(file=said), store)
    with replay.progress:
        replay.progress.begin(STAGE, cells=20, free=3)
        for _ in range(3):
            replay.cell(0.5, 0.5)
    lines = said.getvalue().splitlines()
    assert "40/40 trainings" in lines[-1]
    assert len(lines) <= 2


def test_trainings_that_are_recorded_count_as_done(said: io.StringIO, store: Store) -> None:
    replay = Replay(Console(file=said, width=300), store)
    replay.progress.begin(STAGE, cells=20, free=2)
    replay.cell(0.5, 0.5, known=1)
    replay.cell(0.5, 0.5, known=2)
    assert [line.split()[3] for line in said.getvalue().splitlines()] == ["38/40", "40/40"]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_terminal_shows_all_of_it(width: int, said: io.StringIO, store: Store) -> None:
    replay = Replay(Console(file=said, force_terminal=True, width=width), store)
    with replay.progress:
        replay.progress.begin(STAGE, cells=20, free=20)
        replay.cell(0.5, 0.75)
        replay.cell(0.25, 0.25)
        replay.progress._display.refresh()
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.getvalue())
    text = " ".join(shown.split())
    last = r"MLP lr-batch \S+ 4/40 best 0.6250 "
    cell = r"learning_rate [0-9.]+, batch_size 8"
    assert re.search(rf"{last}{cell}; best 0.6250 at {cell}, 10 min left", text), text
    assert not re.search(r"\d/40 trainings", text), "no lines beside the display"


def test_nothing_is_left_at_the_end(said: io.StringIO, store: Store) -> None:
    replay = Replay(Console(file=said, width=300), store, seconds=0.0)
    replay.progress.begin(STAGE, cells=20, free=1)
    replay.cell(0.5, 0.5)
    assert said.getvalue().endswith("0 s left\n")


def test_the_time_left_follows_the_winner(said: io.StringIO, store: Store) -> None:
    """A plan guesses at its batch size; the stage knows it."""
    times = Estimates(store.engine, 1)
    winner = Hyperparameters(1e-3, 128, None)
    rerun = make_stage("toy", "MLP", "rerun", Protocol(reruns=4), winner)
    display = Progress(Console(file=said), times, {rerun.study_name: 1e6})
    display.begin(rerun, cells=4, free=3)
    assert display._seconds_left() == pytest.approx(3 * times.seconds(rerun, 128))
