"""The live view of a run, as people see it in a terminal."""

import io
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from studies.display.live_view import view
from studies.experiment.study import GridStudy, grid_study
from tests.studies.display.replay import RERUN, SECOND, SIZE, TOY, Replay
from tests.support.terminal import wait_for

NAMES = ["AuxsiameseResNet", "SiameseCNN", "MLP"]
LATER = {f"toy/{name}/{stage}": 1000.0 for name in NAMES for stage in ("size", "rerun")}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")


def console(width: int, height: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height)


def shown(replay: Replay, width: int, height: int) -> list[str]:
    """The lines of the live view in a terminal of this size."""
    lines = [line.plain for line in view(replay.progress._run, width, height)]
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    return lines


def written(of: Console) -> str:
    """All that a terminal was given, without its codes."""
    assert isinstance(of.file, io.StringIO)
    text = re.sub("\r\x1b\\[2K", "\n", of.file.getvalue())
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def side_by_side() -> Replay:
    """Three models are being searched."""
    replay = Replay(console(60, 12), later=LATER)
    for number, name in enumerate(NAMES):
        replay.begin(grid_study(TOY, name, "size", None))
        replay.cell(0.5 + number / 10, 0.5 + number / 10)
    return replay


def test_60_by_12_show_three_models_with_their_best_cells_and_the_end() -> None:
    lines = shown(side_by_side(), 59, 11)
    cell = "depth 32, kernel [red], rate 0.001"
    assert [re.sub("[━─]+", "#", line) for line in lines[:-2]] == [
        "AuxsiameseResNet size # 2/40 ",
        f"  best 0.5000 at {cell}",
        "SiameseCNN size       # 2/40 ",
        f"  best 0.6000 at {cell}",
        "MLP size              # 2/40 ",
        f"  best 0.7000 at {cell}",
        f"last: MLP size, {cell}: 0.7000",
    ]
    end = r"ends about \d\d:\d\d( on \w+ \d+ \w+)?"
    assert re.fullmatch(rf"0 s elapsed, (1 h 50 min left, )?{end}", lines[-2])
    assert lines[-1] == "4 of 4 models left: tree, AuxsiameseResNet and 2 more"


def test_a_wide_terminal_shows_a_study_in_a_line() -> None:
    lines = shown(side_by_side(), 119, 29)
    assert len(lines) == 6
    assert re.fullmatch(
        "SiameseCNN size       ━─{19} 2/40 best 0.6000 at depth 32, kernel .red., rate 0.001",
        lines[1],
    )
    assert ", 1 h 50 min left, ends about " in lines[-2]
    assert lines[-1] == "4 of 4 models left: tree, AuxsiameseResNet, SiameseCNN and MLP"


@pytest.mark.parametrize("width", [20, 40, 59, 79, 119, 199])
@pytest.mark.parametrize("height", [4, 5, 8, 11, 29])
def test_time_and_models_left_are_shown_whatever_the_size(width: int, height: int) -> None:
    replay = side_by_side()
    for number in range(20):
        replay.begin(GridStudy(TOY, f"waits-{number}", "second", SECOND.grid))
    lines = shown(replay, width, height)
    assert "ends after " in lines[-2], "nothing is known of some"
    assert lines[-1].startswith("24 of 24 models") or width < 60
    moved = ("AuxsiameseResNet size", "SiameseCNN size", "MLP size")
    assert lines[0].startswith(tuple(name[:15] for name in moved)), (
        "what moves comes before the rest"
    )
    if 4 < height < 23:
        assert re.search(r"and \d+ more studies", "\n".join(lines)) or width < 30


def test_finished_studies_are_one_line_each_above_the_others() -> None:
    of = console(60, 12)
    replay = Replay(of, SECOND, later=LATER)
    with pytest.raises(KeyboardInterrupt), replay.progress:
        replay.begin(SECOND)
        replay.cell(0.5, 0.5)
        replay.cell(0.75, 0.75)
        replay.begin(RERUN)
        replay.cell(0.5)
        replay.progress._live.refresh()  # type: ignore[union-attr]
        assert "tree second" not in "".join(shown(replay, 59, 11)[:1])
        raise KeyboardInterrupt
    text = written(of)
    (line,) = set(re.findall("^tree second .*trainings.*", text, re.MULTILINE))
    assert line == "tree second done, 4 trainings: best 0.7500 at depth 2"
    assert "0 s elapsed" in text.splitlines()[-2], "how far it was stays on the screen"


def test_a_finished_study_is_a_line_at_any_width() -> None:
    of = console(50, 12)
    replay = Replay(of)
    with replay.progress:
        replay.begin(SIZE, free=1)
        replay.cell(0.5, 0.5)
    assert "tree size done: best 0.5000 at 32, [red], 0.001" in written(of).splitlines()


def test_a_model_that_stops_is_not_left() -> None:
    replay = Replay(console(60, 12), later={"toy/tree/rerun": 5.0, "toy/MLP/size": 5.0})
    replay.begin(SECOND)
    replay.cell(error="RuntimeError: no luck")
    assert shown(replay, 59, 11)[-1] == "2 of 2 models left: tree and MLP"
    replay.cell(0.5, 0.5)
    assert shown(replay, 59, 11)[-1] == "1 of 2 models left: MLP", "it has no certain winner"


def test_reruns_show_their_mean_so_far_and_how_many() -> None:
    replay = Replay(console(60, 12), RERUN)
    replay.begin(RERUN)
    replay.cell(0.5)
    replay.cell(1.0)
    (line, *_) = shown(replay, 59, 11)
    assert line.endswith(" 2/4 mean 0.7500 ± 0.3536 of 2")
    (line, *_) = shown(replay, 45, 3)
    assert line.endswith(" 2/4 mean 0.7500 of 2")


def test_what_has_not_changed_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    of = console(60, 12)
    replay = Replay(of)
    live = replay.progress._live
    assert live is not None
    live.auto_refresh = False
    with replay.progress:
        replay.begin(SIZE)
        replay.cell(0.5, 0.5)
        live.refresh()
        drawn = written(of)
        for _ in range(5):
            live.refresh()
        assert written(of) == drawn
        replay.cell(0.75, 0.75)
        live.refresh()
        assert written(of) != drawn


SCRIPT = """
import time

import optuna
from rich.console import Console
from tests.studies.display.test_live_view import LATER, NAMES, TOY, Replay, grid_study

optuna.logging.disable_default_handler()
replay = Replay(Console(), later=LATER)
with replay.progress:
    for name in NAMES:
        replay.begin(grid_study(TOY, name, "size", None))
        replay.cell(0.5, 0.5)
    replay.progress.show_waiting("No worker is free.")
    time.sleep(60)
"""


class Tmux:
    """A real terminal, with a screen to read."""

    def __init__(self, folder: Path) -> None:
        self.socket = str(folder / "tmux")

    def __call__(self, *words: str) -> str:
        command = ["tmux", "-S", self.socket, "-f", "/dev/null", *words]
        # Either would count for more than the size of the terminal.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return done.stdout

    def screen(self) -> list[str]:
        return self("capture-pane", "-p").rstrip("\n").splitlines()


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    tmux = Tmux(tmp_path)
    tmux("new-session", "-d", "-x", "120", "-y", "30", "sleep 120")
    tmux("set", "-g", "status", "off")
    try:
        yield tmux
    finally:
        tmux("kill-server")


def test_it_follows_a_terminal_that_is_resized(tmux: Tmux, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    root = Path(__file__).parents[3]
    command = f"cd {root}; echo before; PYTHONPATH={root} {sys.executable} {tmp_path}/script.py"
    tmux("respawn-pane", "-k", command)
    wait_for(lambda: any("models left" in line for line in tmux.screen()), "a view")
    wait_for(lambda: len(tmux.screen()) == 8, "three models in a line each")
    for width, height, lines in ((60, 12, 10), (100, 20, 7), (60, 12, 10), (40, 8, 7)):
        tmux("resize-window", "-x", str(width), "-y", str(height))
        wait_for(lambda n=lines: len(tmux.screen()) == n, f"{lines} lines")  # type: ignore[misc]
        time.sleep(0.5)
        screen = tmux.screen()
        assert screen[0] == "No worker is free.", screen
        assert len([line for line in screen if "elapsed" in line or "ends" in line]) == 1, screen
        assert len([line for line in screen if line.startswith("MLP size")]) == 1, screen
        assert screen[-1].startswith("4 of 4 models"), screen
