"""Figures hold what the reads say, and nothing in them overlaps."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from unittest import mock

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from storage.queries import GridCell, ModelResult
from studies import figures
from studies.figures.effects import Row
from studies.paper import PAPER
from studies.protocol import ALPHAS, BATCH_SIZES, LEARNING_RATES

CELLS = [
    GridCell("paper", "AuxsiameseCNN", "lr-batch", rate, size, 1.0, 0.9 - 9 / size * rate, 0.012,
             10, "COMPLETE", 0)
    for rate, size in itertools.product(LEARNING_RATES, BATCH_SIZES)
]  # fmt: skip
ALPHA_CELLS = [
    dataclasses.replace(CELLS[0], alpha=alpha, mean_accuracy=0.88 + alpha / 50) for alpha in ALPHAS
]
RESULTS = [
    ModelResult("paper", model, 72268, 1e-3, 8, None, each.accuracy + 0.01, 0.012,
                each.seconds / 10, each.seconds / 99, 10)
    for model, each in PAPER.items()
]  # fmt: skip
CURVES = [tuple(3 / (epoch + seed / 10) for epoch in range(1, 26)) for seed in range(10)]
EFFECTS = [
    Row(kind, f"{kind}: {name}", value, value - 0.006, value + 0.007)
    for kind in ("MLP", "CNN", "ResNet")
    for name, value in (("weight sharing", -0.012), ("auxiliary loss", 0.031), ("both", 0.113))
]
RATIOS = [
    dataclasses.replace(row, value=1 + 20 * each, low=1 + 19 * each, high=1 + 21 * each)
    for row, each in ((row, abs(row.value)) for row in EFFECTS)
]
ONE_SEED = [dataclasses.replace(EFFECTS[0], low=None, high=None)]

DRAWN: dict[str, Callable[[], Figure]] = {
    "heat map": lambda: figures.heat_map("AuxsiameseCNN", CELLS, CELLS[7]),
    "heat map of one cell": lambda: figures.heat_map("AuxsiameseCNN", CELLS[:1], None),
    "heat map of none": lambda: figures.heat_map("MLP", [], None),
    "alpha of none": lambda: figures.alpha_curve("AuxsiameseCNN", [], None),
    "alpha": lambda: figures.alpha_curve("AuxsiameseCNN", ALPHA_CELLS, ALPHA_CELLS[-1]),
    "loss": lambda: figures.loss_curve("AuxsiameseResNet", CURVES),
    "loss of one rerun and epoch": lambda: figures.loss_curve("MLP", [(0.7,)]),
    "accuracies": lambda: figures.accuracy_bars(RESULTS),
    "accuracy of one": lambda: figures.accuracy_bars(RESULTS[-1:]),
    "seconds": lambda: figures.seconds_bars(RESULTS),
    "seconds of one": lambda: figures.seconds_bars(RESULTS[-1:]),
    "effects": lambda: figures.accuracy_effects(EFFECTS),
    "effects of one seed": lambda: figures.accuracy_effects(ONE_SEED),
    "ratios": lambda: figures.seconds_effects(RATIOS),
    "ratios of one": lambda: figures.seconds_effects(RATIOS[:1]),
    "both": lambda: figures.accuracy_against_seconds(RESULTS),
    "both of one": lambda: figures.accuracy_against_seconds(RESULTS[:1]),
}


def texts(figure: Figure) -> list[Text]:
    """What can be read in a figure: what is drawn, as labels outside of an axis are not."""
    drawn: dict[Text, None] = {}

    def draw(text: Text, *arguments: object, **options: object) -> None:
        drawn[text] = None

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", draw):
        canvas.draw()
    return [each for each in drawn if each.get_visible() and each.get_text().strip()]


def said(figure: Figure) -> list[str]:
    return [each.get_text() for each in texts(figure)]


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_no_text_overlaps_another_or_leaves_the_figure(draw: Callable[[], Figure]) -> None:
    figure = draw()
    boxes = [(each.get_text(), each.get_window_extent()) for each in texts(figure)]
    assert len(boxes) > 5
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_the_same_results_give_the_same_bytes(draw: Callable[[], Figure]) -> None:
    assert figures.png(draw()) == figures.png(draw())


def test_each_cell_says_mean_and_deviation() -> None:
    shown = said(DRAWN["heat map"]())
    for cell in CELLS:
        assert f"{cell.mean_accuracy:.3f}\n± 0.012" in shown


def test_cells_without_a_result_say_why() -> None:
    states = ("DIVERGED", "FAIL", "RUNNING")
    cells = [*CELLS[3:], *map(lambda c, s: dataclasses.replace(c, state=s), CELLS[:3], states)]
    shown = said(figures.heat_map("AuxsiameseCNN", cells, CELLS[7]))
    assert {"diverged", "failed", "running"} <= set(shown)


def test_the_winner_and_the_papers_are_framed() -> None:
    best = CELLS[7]
    (axes, _) = figures.heat_map("AuxsiameseCNN", CELLS, best).axes
    frames = {
        str(each.get_label()): (round(each.get_y() + 0.47), round(each.get_x() + 0.47))
        for each in axes.patches
        if isinstance(each, Rectangle)
    }
    paper = PAPER["AuxsiameseCNN"]
    assert frames == {
        "winner": (LEARNING_RATES.index(best.learning_rate), BATCH_SIZES.index(best.batch_size)),
        "the paper's winner (0.905 ± 0.014)": (
            LEARNING_RATES.index(paper.learning_rate),
            BATCH_SIZES.index(paper.batch_size),
        ),
    }


@pytest.mark.parametrize(
    ("draw", "digits", "means"),
    [
        (figures.accuracy_bars, 3, [(r.mean_accuracy, PAPER[r.model].accuracy) for r in RESULTS]),
        (
            figures.seconds_bars,
            1,
            [(r.mean_train_seconds, PAPER[r.model].seconds) for r in RESULTS],
        ),
    ],
)
def test_bars_are_as_long_as_ours_and_the_papers(
    draw: Callable[[Sequence[ModelResult]], Figure], digits: int, means: list[tuple[float, float]]
) -> None:
    # Whatever order they come in, they are drawn in the paper's.
    figure = draw(RESULTS[::-1])
    (axes,) = figure.axes
    widths = [each.get_width() for each in axes.patches if isinstance(each, Rectangle)]
    assert widths == pytest.approx([ours for ours, _ in means] + [paper for _, paper in means])
    numbers = "\n".join(said(figure))
    assert all(f"{ours:.{digits}f} ± " in numbers for ours, _ in means)


def test_effects_stand_where_their_values_and_intervals_are() -> None:
    (axes,) = figures.accuracy_effects(EFFECTS).axes
    for place, (row, drawn) in enumerate(zip(EFFECTS, axes.containers, strict=True)):
        (point, _, (interval,)) = drawn.lines
        assert (*point.get_xdata(), *point.get_ydata()) == (row.value, place)
        (ends,) = interval.get_segments()
        assert list(ends[:, 0]) == pytest.approx([row.low, row.high])
    assert "+0.113" in said(figures.accuracy_effects(EFFECTS))
    assert "×1.62" in said(figures.seconds_effects(RATIOS))
