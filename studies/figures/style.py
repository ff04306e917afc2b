"""How all figures look."""

from collections.abc import Sequence
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

ARCHITECTURES = ("MLP", "CNN", "ResNet")
VARIANTS = ("plain", "Siamese", "Aux", "Auxsiamese")

COLOURS = {"MLP": "#DDAA33", "CNN": "#BB5566", "ResNet": "#004488"}
"""Paul Tol's high-contrast scheme: told apart by colour-blind people, and by lightness alone."""

MARKERS = {"plain": "o", "Siamese": "s", "Aux": "^", "Auxsiamese": "D"}

OURS = "#004488"
PUBLISHED = "#B8B8B8"
"""The paper's results, lighter than ours in greyscale too."""

HEIGHT = 4.4
"""Inches."""


def canvas(title: str, width: float = 6.6, height: float = HEIGHT) -> tuple[Figure, Axes]:
    """An empty figure of one plot, in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def log_seconds(axes: Axes, seconds: Sequence[float]) -> None:
    """Show these on a logarithmic axis of seconds, with room for a round number around any."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if seconds:
        axes.set_xlim(min(seconds) / 2, 2 * max(seconds))


def architecture(model: str) -> str:
    """`CNN` of `AuxsiameseCNN`."""
    return next(each for each in ARCHITECTURES if model.endswith(each))


def variant(model: str) -> str:
    """`Auxsiamese` of `AuxsiameseCNN`, `plain` of `CNN`."""
    return model.removesuffix(architecture(model)) or VARIANTS[0]


def png(figure: Figure) -> bytes:
    """The figure as a picture, the same bytes whenever it is drawn from the same results."""
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()
