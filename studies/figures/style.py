"""How all figures look: colours, markers, axes."""

import warnings
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import cycle
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter

COLOURS = (
    "#DDAA33", "#BB5566", "#004488", "#44AA99", "#AA4499", "#88CCEE", "#999933", "#332288",
)  # fmt: skip
"""Of Paul Tol's schemes: told apart by colour-blind people, the first three by lightness alone."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "*", "h", "<", ">")

OURS = "#004488"
FAINT = "#E4E4E4"
"""Lines of a grid."""

HEIGHT = 4.4
"""Inches."""


def canvas(title: str, width: float = 6.6, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return an empty figure of one plot, its size in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def colours(groups: Iterable[str]) -> dict[str, str]:
    """Return a colour for each group, in order; a single one is drawn as all of ours are."""
    names = list(dict.fromkeys(groups))
    return dict(zip(names, cycle(COLOURS), strict=False)) if len(names) > 1 else {names[0]: OURS}


def rows_of_names(axes: Axes, names: Sequence[str], values: Sequence[str], size: float) -> None:
    """Name the rows of a plot on the left, from the top, and write their values on the right."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", color=FAINT)
    axes.set_axisbelow(True)
    numbers = axes.secondary_yaxis("right")
    numbers.set_yticks(range(len(names)), values, fontsize=size)
    numbers.tick_params(length=0)
    numbers.spines[:].set_visible(False)


def log_axis(axes: Axes, subs: Sequence[float], which: Literal["x", "y"] = "x") -> None:
    """Make an axis logarithmic, with plain numbers at these multiples of powers of ten."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def log_seconds(axes: Axes, seconds: Sequence[float]) -> None:
    """Show seconds on a logarithmic axis, with room for a round number around any."""
    log_axis(axes, (1, 2, 5))
    if seconds:
        axes.set_xlim(min(seconds) / 2, 2 * max(seconds))


def legend_below(figure: Figure, columns: int = 2, **options: Any) -> None:
    """Show the legend under the plot, in so many columns, or as many as the figure has room for."""
    legend = figure.legend(
        loc="outside lower center", ncols=columns, frameon=False, fontsize=9, **options
    )
    if columns > 1 and legend.get_window_extent().width > figure.bbox.width:
        legend.remove()
        legend_below(figure, columns - 1, **options)


Format = Literal["png", "pdf", "svg"]

_UNDATED = {"png": {"Software": None}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""Metadata that would differ from file to file, and are left out."""


def png(figure: Figure) -> bytes:
    """Return the figure as a picture, the same bytes whenever the results are the same."""
    return picture(figure, "png")


def picture(figure: Figure, format: Format) -> bytes:
    """Return the figure in a format, the same bytes whenever the results are the same."""
    # Names and words are text: `$` starts no formula in them.
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    file = BytesIO()
    # Text of a PDF that other programs can edit; names in an SVG that do not change.
    with (
        warnings.catch_warnings(),
        rc_context({"pdf.fonttype": 42, "svg.hashsalt": "digit-studies"}),
    ):
        # A sign that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(file, format=format, dpi=200, metadata=_UNDATED[format])
    return file.getvalue()
