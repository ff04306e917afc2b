"""The live view of a run in a terminal: running studies, time and models left, in what room is."""

import time
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleRenderable, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from studies.display.study_progress import RunProgress, StudyProgress, fitting
from studies.display.words import duration, listed

LINES_OF_A_STUDY = 2
"""In a narrow terminal that is high enough: the bar, and below it the best cell."""

LEAST_BAR, MOST_BAR = 5, 20


class LiveView(Live):
    """Draws a run again and again, at the end of a terminal; what is printed stays above."""

    def __init__(self, console: Console, run: RunProgress) -> None:
        self._run = run
        self._lines: list[Text] = []
        self._widths: list[int] = []
        """Of the lines on the screen."""
        super().__init__(console=console, get_renderable=lambda: Group(*self._lines))

    def refresh(self) -> None:
        """Draw the run as it is, in the room that the terminal has by now, if that is news."""
        with self._lock:
            width, height = self.console.size
            lines = list(view(self._run, width - 1, height - 1))
            if lines != self._lines or max(self._widths, default=0) > width:
                self._lines = lines
                super().refresh()

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Clear also the lines that a terminal has wrapped as it became narrower."""
        with self._lock:
            width = self.console.width
            wrapped = sum((cells - 1) // width for cells in self._widths if cells)
            self._widths = [min(width, line.cell_len) for line in self._lines]
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
            clear = Control(
                ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2), *up * wrapped
            )
            return [*([clear] if wrapped else []), *super().process_renderables(renderables)]


def view(run: RunProgress, width: int, height: int) -> Iterator[Text]:
    """Yield lines on a run, at most so many and so wide: what matters most comes first into it."""
    below = [line for line in (_last(run, width), *_outlook(run, width)) if line]
    below = below[max(0, len(below) + 1 - height) :]
    room = height - len(below)
    running = sorted(run.running, key=lambda study: not study.has_moved)
    shown = running if len(running) <= room else running[: room - 1]
    shown = [study for study in run.running if any(study is other for other in shown)]
    yield from _bars(shown, width, room)
    if len(running) > len(shown):
        yield _line(f"and {len(running) - len(shown)} more studies", width)
    yield from (_line(text, width) for text in below)


def _bars(studies: Sequence[StudyProgress], width: int, room: int) -> Iterator[Text]:
    """Yield a line for each study with its best cell, or two where that does not fit into one."""
    if not studies:
        return
    counts = [f"{study.done}/{study.total}" for study in studies]
    of_count = max(map(len, counts))
    short = max(len(study.short_result()) for study in studies)
    # By what may come, so that lines stay as they are when it comes.
    of_result = max(max(study.most_columns, len(study.result())) for study in studies)
    most_of_name = max(MOST_BAR, width - of_count - short - LEAST_BAR - 3)
    of_name = min(max(len(study.name) for study in studies), most_of_name)
    left = width - of_name - of_count - 3
    is_one = left - of_result >= LEAST_BAR
    has_second = not is_one and LINES_OF_A_STUDY * len(studies) <= room
    bar = max(LEAST_BAR, min(MOST_BAR, left - (of_result if is_one else short)))
    for study, count in zip(studies, counts, strict=True):
        filled = bar * study.done // study.total if study.total else bar
        result = study.result() if is_one else "" if has_second else study.short_result()
        line = Text.assemble(
            fitting([study.name], of_name).ljust(of_name + 1),
            ("━" * filled, "bar.complete"),
            ("─" * (bar - filled), "bar.back"),
            (f" {count.rjust(of_count)} ", "progress.download"),
            result,
            no_wrap=True,
        )
        line.truncate(width, overflow="ellipsis")
        yield line
        if has_second and study.best is not None:
            texts = [f"  {study.result(names)}" for names in (True, False)]
            yield _line(fitting(texts, width), width)


def _last(run: RunProgress, width: int) -> str:
    """Return the cell that ended last, and what it gave."""
    if run.last is None:
        return ""
    study, parameters, outcome = run.last
    cells = [study.cell(parameters, names) for names in (True, False)]
    texts = [", ".join(filter(None, [f"last: {study.name}", cell])) for cell in cells]
    return fitting([f"{text}: {outcome}" for text in texts], width)


def _outlook(run: RunProgress, width: int) -> Iterator[str]:
    """Yield the time that went and that is left, and the models that are left."""
    elapsed = f"{duration(run.times.elapsed)} elapsed"
    outlook = run.times.outlook(time.time())
    # Who knows the end can do without what is left.
    texts = [", ".join([elapsed, *outlook]), f"{elapsed}, {outlook[-1]}", outlook[-1]]
    yield fitting(texts, width)
    models = run.models()
    names = [model for model, is_left in models.items() if is_left]
    start = f"{len(names)} of {len(models)} models left"
    some = (
        f"{start}: {listed([*names[:count], f'{len(names) - count} more'])}"
        for count in range(len(names) - 1, 0, -1)
    )
    yield fitting([f"{start}: {listed(names)}" if names else start, *some, start], width)


def _line(text: str, width: int) -> Text:
    line = Text(text, no_wrap=True, overflow="ellipsis")
    line.truncate(width, overflow="ellipsis")
    return line
