"""Figures hold what the reads say, and nothing in them overlaps."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean
from unittest import mock

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from scipy import stats

from storage.queries import GridCell, ModelResult
from storage.store import Store
from storage.trainings import Value
from studies import figures
from studies.figures import DrawnModel, Search
from studies.figures.curves import curve, loss_curves, loss_panels
from studies.figures.models import objective_against_seconds, objective_dots, seconds_dots
from studies.figures.search import heat_map, scale
from studies.paper import experiment
from studies.report.effects_figure import effects_figure
from studies.report.statistics import Estimate
from tests.support.filled import BEST_TREE, FOREST, LENET, Filled, around

PAPER = experiment()
RATES, SIZES, ALPHAS = [5e-3, 1e-3, 5e-4, 1e-4], [8, 16, 32, 64, 128], [i / 10 for i in range(11)]
PUBLISHED = asdict(PAPER.published["AuxsiameseCNN"])
GRID: dict[str, Sequence[Value]] = {"learning_rate": RATES, "batch_size": SIZES, "alpha": [1.0]}
SEARCH = Search("AuxsiameseCNN", GRID, published=PUBLISHED)
ALPHA = replace(SEARCH, grid={"learning_rate": [5e-3], "batch_size": [8], "alpha": ALPHAS})


def cell(mean: float, **parameters: Value) -> GridCell:
    return GridCell(
        "paper", "AuxsiameseCNN", "s", parameters, mean, 0.012, 10, "COMPLETE", 0, number=0
    )


CELLS = [
    cell(0.9 - 9 / size * rate, learning_rate=rate, batch_size=size, alpha=1.0)
    for rate, size in itertools.product(RATES, SIZES)
]
ALPHA_CELLS = [
    cell(0.88 + alpha / 50, learning_rate=5e-3, batch_size=8, alpha=alpha) for alpha in ALPHAS
]
TREES = Search("Forest", {"depth": [4, 8], "kernel": ["poly", "linear"], "rate": [0.1, 0.5, 9]})
TREE_CELLS = [
    cell(0.9 - depth / 100 + len(kernel) / 1000 + rate / 100, depth=depth, kernel=kernel, rate=rate)
    for depth, kernel, rate in itertools.product([4, 8], ["poly", "linear"], [0.1, 0.5, 9])
]
WORDS = Search("SVM", {"kernel": ["poly", "linear", "rbf"]})
WORD_CELLS = [cell(0.9 - len(word) / 100, kernel=word) for word in ["poly", "linear", "rbf"]]
NOISE = (-0.02, -0.012, -0.01, 0.0, 0.0, 0.001, 0.006, 0.01, 0.012, 0.013)
MODELS = [
    DrawnModel(
        ModelResult("paper", model, "accuracy", 72268, {"learning_rate": 1e-3, "batch_size": 8},
                    known.mean + 0.01, 0.012, (known.seconds or 0) / 10, (known.seconds or 0) / 99,
                    10, 10, 0, 0),
        asdict(known), PAPER.factors[model], [known.mean + 0.01 + noise for noise in NOISE],
        [(known.seconds or 0) / 10 * (1 + noise) for noise in NOISE],
    )
    for model, known in PAPER.published.items()
]  # fmt: skip
FOUR = MODELS + [
    replace(
        drawn,
        result=replace(drawn.result, model=model),
        published={},
        factors=LENET.factors[model],
    )
    for drawn, model in zip(MODELS, LENET.models, strict=False)
]
"""Four groups: nothing is published of the last one."""
PLAIN = [
    replace(
        drawn,
        result=replace(drawn.result, objective="loss", model=f"Tree{place}"),
        published={},
        factors={},
    )
    for place, drawn in enumerate(MODELS + MODELS[:2])
]
CURVES = [tuple(3 / (epoch + seed / 10) for epoch in range(1, 26)) for seed in range(10)]
EFFECTS = {
    (name, kind): Estimate(value, value - 0.006, value + 0.007)
    for name, value in (
        ("weight sharing, without auxiliary loss", -0.012),
        ("auxiliary loss, with weight sharing", 0.031),
        ("interaction of weight sharing and auxiliary loss", 0.113),
    )
    for kind in ("MLP", "CNN", "ResNet", "all")
}
RATIOS = {
    key: Estimate(1 + 20 * size, 1 + 19 * size, 1 + 21 * size, neutral=1.0)
    for key, size in ((key, abs(row.value)) for key, row in EFFECTS.items())
}
ONE_RATIO = dict(list(RATIOS.items())[:1])
ONE_SEED = {("weight sharing", ""): Estimate(-0.012, None, None)}


def effects(known: Mapping[tuple[str, str], Estimate]) -> Figure:
    """With the words of the longest labels that a report has."""
    if next(iter(known.values())).neutral:
        return effects_figure(
            "Effects on training time", "ratio of training seconds (log scale)", known
        )
    return effects_figure("Effects on test accuracy", "difference of mean test accuracy", known)


DRAWN: dict[str, Callable[[], Figure]] = {
    "heat map": lambda: heat_map(SEARCH, CELLS, CELLS[7]),
    "heat map of contenders": lambda: heat_map(
        replace(SEARCH, contenders=("s#0",)), CELLS[:1], CELLS[7]
    ),
    "alpha of contenders": lambda: curve(
        replace(ALPHA, contenders=("s#0",)),
        "alpha",
        ALPHA_CELLS,
        replace(ALPHA_CELLS[-1], number=1),
    ),
    "alpha of contenders, published elsewhere": lambda: curve(
        replace(ALPHA, grid=ALPHA.grid | {"learning_rate": [5e-4]}, contenders=("s#0",)),
        "alpha",
        ALPHA_CELLS,
        replace(ALPHA_CELLS[-1], number=1),
    ),
    "heat map of one cell": lambda: heat_map(SEARCH, CELLS[:1], None),
    "heat map of none": lambda: heat_map(replace(SEARCH, published=None), [], None),
    "heat map of words": lambda: heat_map(TREES, TREE_CELLS, TREE_CELLS[2]),
    "alpha of none": lambda: curve(ALPHA, "alpha", [], None),
    "alpha": lambda: curve(ALPHA, "alpha", ALPHA_CELLS, ALPHA_CELLS[-1]),
    "learning rate": lambda: curve(SEARCH, "learning_rate", CELLS[::5], CELLS[0]),
    "words": lambda: curve(WORDS, "kernel", WORD_CELLS, WORD_CELLS[0]),
    "loss": lambda: loss_curves("AuxsiameseResNet", CURVES),
    "loss of all": lambda: loss_panels({drawn.result.model: CURVES for drawn in FOUR}),
    "loss of one rerun and epoch": lambda: loss_curves("MLP", [(0.7,)]),
    "accuracies": lambda: objective_dots(MODELS),
    "accuracies of four groups": lambda: objective_dots(FOUR),
    "accuracy of one": lambda: objective_dots(MODELS[-1:]),
    "losses": lambda: objective_dots(PLAIN),
    "seconds": lambda: seconds_dots(MODELS),
    "seconds of one": lambda: seconds_dots(MODELS[-1:]),
    "effects": lambda: effects(EFFECTS),
    "effects of one seed": lambda: effects(ONE_SEED),
    "ratios": lambda: effects(RATIOS),
    "ratios of one": lambda: effects(ONE_RATIO),
    "both": lambda: objective_against_seconds(MODELS),
    "both of four groups": lambda: objective_against_seconds(FOUR),
    "both of no groups": lambda: objective_against_seconds(PLAIN),
    "both of one": lambda: objective_against_seconds(MODELS[:1]),
}


def texts(figure: Figure) -> list[Text]:
    """What can be read in a figure: what is drawn, as labels outside of an axis are not."""
    drawn: dict[Text, None] = {}

    def draw(text: Text, *arguments: object, **options: object) -> None:
        drawn[text] = None

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", draw):
        canvas.draw()
    return [text for text in drawn if text.get_visible() and text.get_text().strip()]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_no_text_overlaps_another_or_leaves_the_figure(draw: Callable[[], Figure]) -> None:
    figure = draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    assert len(boxes) >= 5
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        assert not a.padded(-1).overlaps(b.padded(-1)), (one, other)
    page = figure.bbox
    for text, box in boxes:
        assert page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1, text


OF_EACH_KIND = (
    "heat map of words", "alpha", "loss", "accuracies", "effects of one seed", "both of one",
)  # fmt: skip


@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(draw, id=name, marks=[pytest.mark.slow] * (name not in OF_EACH_KIND))
        for name, draw in DRAWN.items()
    ],
)
def test_the_same_results_give_the_same_bytes(draw: Callable[[], Figure]) -> None:
    assert figures.png(draw()) == figures.png(draw())


def test_each_cell_says_mean_and_deviation() -> None:
    shown = words(DRAWN["heat map"]())
    for drawn in CELLS:
        assert f"{drawn.mean:.3f}\n± 0.012" in shown


def test_cells_without_a_result_say_why() -> None:
    states = ("DIVERGED", "FAIL", "RUNNING")
    cells = [*CELLS[3:], *map(lambda c, s: replace(c, state=s), CELLS[:3], states)]
    assert {"diverged", "failed", "running"} <= set(words(heat_map(SEARCH, cells, CELLS[7])))


@pytest.mark.parametrize("is_minimized", [False, True])
def test_a_place_of_several_cells_shows_the_best(is_minimized: bool) -> None:
    search = replace(TREES, is_minimized=is_minimized)
    shown = words(heat_map(search, TREE_CELLS[::-1], TREE_CELLS[2]))
    best = [0.865, 0.867, 0.825, 0.827] if is_minimized else [0.954, 0.956, 0.914, 0.916]
    assert [f"{mean:.3f}\n± 0.012" in shown for mean in best] == [True] * 4
    # Numbers grow upwards, words stand as in the grid.
    axes = heat_map(search, TREE_CELLS, None).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["8", "4"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["poly", "linear"]


def test_the_winner_and_what_is_published_are_framed() -> None:
    best = CELLS[7].parameters
    (axes, _) = heat_map(SEARCH, CELLS, CELLS[7]).axes
    frames = {
        str(frame.get_label()): (round(frame.get_y() + 0.47), round(frame.get_x() + 0.47))
        for frame in axes.patches
        if isinstance(frame, Rectangle)
    }
    published = PUBLISHED["parameters"]
    assert frames == {
        "winner": (RATES.index(best["learning_rate"]), SIZES.index(best["batch_size"])),
        # Its alpha is not that of these cells.
        "published (0.905 ± 0.014 at alpha 0.6)": (
            RATES.index(published["learning_rate"]), SIZES.index(published["batch_size"]),
        ),
    }  # fmt: skip


def test_a_figure_says_which_parameters_all_its_cells_share() -> None:
    (title,) = (figure.get_title(loc="left") for figure in heat_map(SEARCH, CELLS, None).axes[:1])
    assert title == "AuxsiameseCNN: test accuracy, mean ± standard deviation\nat alpha 1"
    shown = words(curve(ALPHA, "alpha", ALPHA_CELLS, None))
    shared = "at learning_rate 0.005, batch_size 8"
    assert f"AuxsiameseCNN: test accuracy against alpha\n{shared}" in shown
    # The published batch size is another one, its learning rate is not.
    assert "published at batch_size 32" in shown
    many = {f"parameter_{number}": [number] for number in range(9)}
    lines = replace(SEARCH, grid=many).title("test accuracy").splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= 70
    assert "\nat" not in "\n".join(words(heat_map(TREES, TREE_CELLS, None)))


def test_cells_that_cannot_be_told_from_the_winner_are_framed_once() -> None:
    cells = [replace(cell, number=number) for number, cell in enumerate(TREE_CELLS)]
    # Two of the winner's place, two of the place to its right, one below.
    search = replace(TREES, contenders=tuple(cells[place].name for place in (2, 1, 4, 5, 7)))
    figure = heat_map(search, cells, cells[2])
    frames = [frame for frame in figure.axes[0].patches if isinstance(frame, Rectangle)]
    places = [(round(frame.get_y() + 0.47), round(frame.get_x() + 0.47)) for frame in frames]
    widths = [frame.get_linewidth() for frame in frames]
    assert dict(zip(places, widths, strict=True)) == {(1, 0): 3, (1, 1): 1.2, (0, 0): 1.2}
    assert len(places) == 3
    assert words(figure).count("not told from the winner") == 1
    assert "not told from the winner" not in words(heat_map(TREES, cells, cells[2]))


def test_a_curve_has_rings_around_cells_that_cannot_be_told_from_the_winner() -> None:
    cells = [replace(cell, number=number) for number, cell in enumerate(ALPHA_CELLS)]
    search = replace(ALPHA, contenders=tuple(cells[place].name for place in (10, 8, 9)))
    rings = {
        str(line.get_label()): list(line.get_xdata())
        for line in curve(search, "alpha", cells, cells[10]).axes[0].lines
    }
    assert rings["not told from the winner"] == [0.8, 0.9]


def test_numbers_stand_to_scale_where_there_is_room() -> None:
    def ticks(values: Sequence[Value]) -> list[float]:
        search = Search("Forest", {"rate": values})
        axes = curve(search, "rate", [], None).axes[0]
        return [float(tick) for tick in axes.get_xticks()]

    assert ticks([0, 1, 4]) == [0, 1, 4]
    first, second, third = ticks([0.001, 0.1, 0.01])
    assert second - first == pytest.approx(third - second)
    assert ticks([0, 0.001, 1]) == [0, 1, 2]


@pytest.mark.parametrize("models", [MODELS, FOUR, PLAIN])
@pytest.mark.parametrize("name", ["mean", "seconds"])
def test_each_rerun_its_mean_and_the_published_one_have_their_places(
    models: list[DrawnModel], name: str
) -> None:
    figure = objective_dots(models) if name == "mean" else seconds_dots(models)
    (axes,) = figure.axes
    samples = [drawn.values if name == "mean" else drawn.seconds for drawn in models]
    reruns = [line for line in axes.lines if line.get_marker() == "|" and len(line.get_xdata()) > 2]
    assert [list(line.get_xdata()) for line in reruns] == samples
    points = [drawn.lines[0].get_xdata()[0] for drawn in axes.containers]
    expected = []
    for drawn, sample in zip(models, samples, strict=True):
        expected += [fmean(sample), *([drawn.published[name]] if drawn.published else [])]
    assert points == pytest.approx(expected)
    assert ("published" in "\n".join(words(figure))) == (models != PLAIN)


def test_a_mean_has_students_interval() -> None:
    (axes,) = objective_dots(MODELS[:1]).axes
    (_, _, (interval,)) = axes.containers[0].lines
    (ends,) = interval.get_segments()
    asked = stats.ttest_1samp(MODELS[0].values, 0).confidence_interval(0.95)
    assert list(ends[:, 0]) == pytest.approx([asked.low, asked.high])


def test_dead_networks_are_marked_and_do_not_stretch_the_scale() -> None:
    dead = replace(CELLS[3], mean=0.6, dead=2)
    cells = [*CELLS[:3], dead, *CELLS[4:]]
    alive = [drawn.mean for drawn in cells if drawn is not dead]
    assert scale(False, cells) == (min(alive), max(alive))
    assert scale(True, cells) == (0.6, max(alive))
    assert scale(False, [dead]) == (0.6, 0.6)
    figure = heat_map(SEARCH, cells, CELLS[7])
    assert "0.600\n± 0.012 †2" in words(figure)
    assert figure.axes[0].images[0].norm.vmin == min(alive)


def test_groups_have_colours_and_models_of_no_group_have_markers() -> None:
    def looks(models: list[DrawnModel]) -> list[tuple[object, object]]:
        (axes,) = objective_against_seconds(models).axes
        points = [drawn.lines[0] for drawn in axes.containers]
        return [(point.get_color(), point.get_marker()) for point in points]

    four = looks(FOUR)
    assert len(set(four)) == len(FOUR)
    assert len({colour for colour, _ in four}) == len({marker for _, marker in four}) == 4
    assert len(set(looks(PLAIN))) == len(PLAIN)
    assert len({colour for colour, _ in looks(PLAIN[:12])}) == 1


def test_each_panel_of_losses_has_its_own_scale() -> None:
    """An auxiliary loss is added to the loss of the comparison."""
    figure = loss_panels({"AuxMLP": [(4.7, 3.0)], "MLP": [(0.7, 1e-5)], "odd": [(0.5, -0.5)]})
    figure.draw_without_rendering()
    with_auxiliary, without, negative = figure.axes[:3]
    assert 2 < with_auxiliary.get_ylim()[0] < 3 < with_auxiliary.get_ylim()[1] < 6
    low, high = without.get_ylim()
    shown = [tick for tick in without.get_yticks() if low <= tick <= high]
    assert len(shown) > 1 and all(f"{tick:e}".startswith("1.0000") for tick in shown)
    assert (without.get_yscale(), negative.get_yscale()) == ("log", "linear")


def test_effects_stand_where_their_values_and_intervals_are() -> None:
    (axes,) = effects(EFFECTS).axes
    for place, (row, drawn) in enumerate(zip(EFFECTS.values(), axes.containers, strict=True)):
        (point, _, (interval,)) = drawn.lines
        assert (*point.get_xdata(), *point.get_ydata()) == (row.value, place)
        (ends,) = interval.get_segments()
        assert list(ends[:, 0]) == pytest.approx([row.low, row.high])
    assert len({drawn.lines[0].get_color() for drawn in axes.containers}) == 4
    interaction = "all: interaction of weight sharing and auxiliary loss"
    assert {"+0.113", interaction} <= set(words(effects(EFFECTS)))
    assert "×1.62" in words(effects(RATIOS))


def test_a_study_has_the_figures_of_its_stage(store: Store) -> None:
    Filled(store).model("AuxMLP", around(0.85))
    Filled(store, FOREST, BEST_TREE).model("Forest", around(0.4))
    names = {
        stage: [name for name, _ in figures.figures_of(store.engine, *stage)]
        for stage in [
            ("paper", "AuxMLP", "lr-batch"), ("paper", "AuxMLP", "alpha"),
            ("paper", "AuxMLP", "rerun"), ("forest", "Forest", "rerun"),
        ]
    }  # fmt: skip
    assert list(names.values()) == [
        ["heat-map.png"], ["curve.png"],
        ["loss.png", "accuracy.png", "seconds.png", "accuracy-against-seconds.png"],
        ["training-loss.png", "loss.png", "seconds.png", "loss-against-seconds.png"],
    ]  # fmt: skip


def test_a_search_of_many_parameters_has_a_curve_of_each_beyond_two() -> None:
    drawn = list(figures.search_figures(TREES, TREE_CELLS, TREE_CELLS[2]))
    assert [name for name, _ in drawn] == ["heat-map.png", "curve.png"]
    # Only cells that share the winner's depth and kernel.
    (points, *_) = drawn[1][1].axes[0].containers
    assert list(points.lines[0].get_ydata()) == [c.mean for c in TREE_CELLS[:3]]
    more = replace(TREES, grid={**TREES.grid, "weight": [1, 2]})
    names = [name for name, _ in figures.search_figures(more, [], None)]
    assert names == ["heat-map.png", "curve-rate.png", "curve-weight.png"]


def test_an_older_study_has_the_grid_of_its_protocol_or_of_its_cells() -> None:
    cells = [CELLS[0], replace(CELLS[0], parameters={**CELLS[0].parameters, "batch_size": 16})]
    older = Search.of_study("MLP", {"protocol": {"batch_sizes": SIZES}}, cells)
    assert older.grid == {"learning_rate": [5e-3], "batch_size": SIZES, "alpha": [1.0]}
    assert Search.of_study("MLP", {}, cells).grid["batch_size"] == [8, 16]
