"""The live view of a run in a terminal: running studies, time left and models left."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.console import Console, ConsoleRenderable, Group
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

from studies.display.study_progress import RunProgress, StudyProgress, fitting
from studies.display.words import duration, listed

LINES_OF_A_STUDY = 2
"""In a narrow terminal that is high enough: the bar, and below it the best cell."""

MOST_PRINTED = 100
"""Sentences that are kept, to be printed again on a screen that had to be cleared."""

LEAST_BAR, MOST_BAR = 5, 20


class LiveView(Live):
    """Draws a run again and again, at the end of a terminal; what is printed stays above."""

    def __init__(self, console: Console, run: RunProgress) -> None:
        self._run = run
        self._lines: list[Text] = []
        self._columns: list[int] = []
        """How wide the lines on the screen are."""
        self._printed: deque[str] = deque(maxlen=MOST_PRINTED)
        super().__init__(console=console, get_renderable=lambda: Group(*self._lines))

    def refresh(self) -> None:
        """Draw the run as it is now, at the terminal's present size, if anything has changed."""
        with self._lock:
            width, height = self.console.size
            lines = list(view(self._run, width - 1, height - 1))
            if lines != self._lines or max(self._columns, default=0) > width:
                self._lines = lines
                super().refresh()

    def print(self, sentence: str) -> None:
        """Print a sentence above the view, in lines of whole words."""
        if self.is_started:
            # The view goes with the sentence: no study is in both.
            self.refresh()
        self._printed.append(sentence)
        self.console.print(Text(sentence))

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Draw over the last view; over the whole screen if that has become too narrow for it.

        Then the terminal has wrapped its lines, and each kind of terminal does so otherwise.
        """
        with self._lock:
            width = self.console.width
            is_wrapped = max(self._columns, default=0) > width
            self._columns = [min(width, line.cell_len) for line in self._lines]
            over_last, *others = super().process_renderables(renderables)
            if not is_wrapped:
                return [over_last, *others]
            clear = Control(ControlType.HOME, ControlType.CLEAR)
            return [clear, *map(Text, self._printed_in_room()), *others]

    def _printed_in_room(self) -> list[str]:
        """Return the sentences printed last for which a screen has room above the view."""
        width, height = self.console.size
        room, shown = height - len(self._lines) - 1, list[str]()
        for sentence in reversed(self._printed):
            room -= len(wrap(sentence, width))
            if room < 0:
                break
            shown.insert(0, sentence)
        return shown


def view(run: RunProgress, width: int, height: int) -> Iterator[Text]:
    """Yield the most important lines on a run that fit into `width` columns and `height` lines."""
    below = [line for line in (_last(run, width), *_outlook(run, width)) if line]
    below = below[max(0, len(below) + 1 - height) :]
    room = height - len(below)
    by_need = sorted(run.running, key=lambda study: not study.has_moved)
    hidden = by_need[room - 1 :] if len(by_need) > room > 1 else by_need[room:]
    shown = [study for study in run.running if not any(study is other for other in hidden)]
    yield from _bars(shown, width, room - (len(hidden) > 0))
    if hidden and room > 1:
        yield _line(f"and {len(hidden)} more studies", width)
    yield from (_line(text, width) for text in below)


def _bars(studies: Sequence[StudyProgress], width: int, room: int) -> Iterator[Text]:
    """Yield a line for each study with its best cell, or two where that does not fit into one."""
    if not studies:
        return
    counts = [f"{study.done}/{study.total}" for study in studies]
    of_count = max(map(len, counts))
    short = max(len(study.short_result()) for study in studies)
    # By the widest result that may come, so that lines do not move when it comes.
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
    """Yield the time elapsed and left, and the models left."""
    elapsed = f"{duration(run.times.elapsed)} elapsed"
    outlook = run.times.outlook(time.time())
    # Where the end is shown, the time left can be left out.
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
