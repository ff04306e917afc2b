"""What figures of a search have in common, and the heat map of two of its parameters."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from storage.queries import GridCell
from storage.rows import kept_certainty
from storage.trainings import Value
from studies.display.words import cell_text, plus_minus, value_text
from studies.figures.style import HEIGHT, canvas, legend_below

HALO = [withStroke(linewidth=5, foreground="white", dashes={"dash_offset": 0, "dash_list": None})]
"""Around frames, dashed ones too, so that they stand out from cells of any lightness."""

FRAME = "#D0006F"

AS_GOOD = "not told from the winner"
"""Label of the cells that cannot be told from the winner."""

LINE = 70
"""Letters of a title's line."""

UNDONE = {"RUNNING": "running", "DIVERGED": "diverged", "FAIL": "failed", "PRUNED": "given up"}


@dataclass(frozen=True)
class Search:
    """What a figure shows of a search beside its cells."""

    model: str
    grid: Mapping[str, Sequence[Value]]
    measured: str = "test accuracy"
    """The data on which cells compete, and the objective."""
    is_minimized: bool = False
    published: Mapping[str, Any] | None = None
    contenders: tuple[str, ...] = ()
    """The names of cells that cannot be told from the winner, itself among them; none where that
    is not known."""
    scale: tuple[float, float] | None = None
    """The least and the most that colours tell apart; by default those of the cells."""

    @classmethod
    def of_study(
        cls, model: str, attributes: Mapping[str, Any], cells: Sequence[GridCell]
    ) -> "Search":
        """Return what the attributes of a study hold."""
        pairs = attributes.get("protocol", {}).get("select_on", "test")
        certainty = kept_certainty(attributes)
        return cls(
            model, grid_of(attributes, cells), f"{pairs} {attributes.get('objective', 'accuracy')}",
            attributes.get("direction") == "minimize", attributes.get("published"),
            () if certainty is None else certainty.contenders,
        )  # fmt: skip

    @property
    def varied(self) -> list[str]:
        """The parameters with several values."""
        return [name for name, values in self.grid.items() if len(values) > 1]

    @property
    def fixed(self) -> dict[str, Value]:
        """The parameters with one value, which all cells have."""
        return {name: values[0] for name, values in self.grid.items() if len(values) == 1}

    def title(self, shown: str) -> str:
        """Return the model and what is shown of it; below, the parameters that all cells share."""
        lines = textwrap.wrap(f"at {cell_text(self.fixed)}", LINE) if self.fixed else []
        return "\n".join([f"{self.model}: {shown}", *lines])

    @property
    def published_elsewhere(self) -> str:
        """Where the published parameters differ from those that all cells share: ` at depth 4`."""
        known = {**self.fixed, **(self.published or {}).get("parameters", {})}
        other = {name: known[name] for name, value in self.fixed.items() if known[name] != value}
        return f" at {cell_text(other)}" if other else ""

    def values(self, name: str, cells: Iterable[GridCell]) -> list[Value]:
        """Return all values of a parameter: numbers by size, words in the order of the grid."""
        tried = (cell.parameters[name] for cell in cells if name in cell.parameters)
        values = list(dict.fromkeys([*self.grid[name], *tried]))
        return values if has_words(values) else sorted(values)

    def best_last(self, cells: Iterable[GridCell]) -> list[GridCell]:
        """Return cells by their mean, those without a result first."""
        sign = -1 if self.is_minimized else 1
        return sorted(cells, key=lambda cell: (is_done(cell), sign * (cell.mean or 0.0)))


def grid_of(attributes: Mapping[str, Any], cells: Sequence[GridCell]) -> dict[str, Sequence[Value]]:
    """Return the grid of a search, with what lies beyond it among the cells.

    An older study's is that of its protocol, or of its cells.
    """
    tried: dict[str, dict[Value, None]] = {}
    for name, value in (item for cell in cells for item in cell.parameters.items()):
        tried.setdefault(name, {})[value] = None
    if attributes.get("grid"):
        return {
            name: list(dict.fromkeys([*values, *tried.get(name, ())]))
            for name, values in attributes["grid"].items()
        }
    protocol = attributes.get("protocol", {})
    return {
        name: protocol.get(f"{name}s", list(values)) if len(values) > 1 else list(values)
        for name, values in tried.items()
    }


def has_words(values: Iterable[Value]) -> bool:
    """Return whether not all values are numbers."""
    return any(isinstance(value, str) for value in values)


def is_done(cell: GridCell) -> bool:
    """Return whether a cell has a result that counts."""
    return cell.state == "COMPLETE" and cell.mean is not None


def heat_map(search: Search, cells: Sequence[GridCell], best: GridCell | None) -> Figure:
    """Draw the mean objective over the first two parameters that vary, with its deviation.

    Of cells that differ in other parameters, the best counts. The places of the winner, of cells
    that cannot be told from it, and of the published parameters are framed.
    """
    down, across = search.varied[:2]
    rows, columns = search.values(down, cells), search.values(across, cells)
    # A number grows to the right and upwards.
    rows = rows if has_words(rows) else rows[::-1]
    by_place = {
        (rows.index(cell.parameters[down]), columns.index(cell.parameters[across])): cell
        for cell in search.best_last(cells)
        if {down, across} <= cell.parameters.keys()
    }
    spread = " ± standard deviation" * any(cell.deviation is not None for cell in cells)
    title = search.title(f"{search.measured}, mean{spread}")
    figure, axes = canvas(title, max(6.6, 1.6 + len(columns)), max(HEIGHT, 1.4 + 0.6 * len(rows)))
    means = np.full((len(rows), len(columns)), math.nan)
    for place, cell in by_place.items():
        if is_done(cell):
            means[place] = cell.mean
    # The better, the lighter.
    colours = "cividis_r" if search.is_minimized else "cividis"
    low, high = search.scale or scale(search.is_minimized, cells)
    image = axes.imshow(means, cmap=colours, aspect="auto", vmin=low, vmax=high)
    axes.set_facecolor("#EEEEEE")
    tones = np.asarray(image.norm(means))
    lightness = 1 - tones if search.is_minimized else tones
    for (row, column), cell in by_place.items():
        # Not a number where the cell has no result: then the ground is light.
        colour = "white" if lightness[row, column] < 0.55 else "black"
        axes.text(column, row, _text(cell), ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(columns)), [value_text(value) for value in columns])
    axes.set_yticks(range(len(rows)), [value_text(value) for value in rows])
    axes.set_xlabel(across)
    axes.set_ylabel(down)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    beyond = (
        bool(np.nanmin(means, initial=low) < low),
        bool(np.nanmax(means, initial=high) > high),
    )
    extend = {(True, False): "min", (False, True): "max", (True, True): "both"}.get(
        beyond, "neither"
    )
    dead = "; †n: n dead networks" * any(cell.dead for cell in cells)
    figure.colorbar(image, ax=axes, label=f"mean {search.measured}{dead}", extend=extend)
    framed = [(AS_GOOD, cell.parameters) for cell in cells if cell.name in search.contenders]
    framed += [("winner", best.parameters)] if best else []
    if search.published:
        mean = plus_minus(search.published["mean"], search.published["deviation"], 3)
        framed.append(
            (f"published ({mean}{search.published_elsewhere})", search.published["parameters"])
        )
    frames: dict[tuple[str, int, int], None] = {}
    for label, parameters in framed:
        row_value, column_value = parameters.get(down), parameters.get(across)
        if row_value in rows and column_value in columns:
            row, column = rows.index(row_value), columns.index(column_value)
            if label == "winner":
                frames.pop((AS_GOOD, row, column), None)
            frames[label, row, column] = None
    for label, row, column in frames:
        _frame(axes, row, column, label)
    if axes.patches:
        legend_below(figure, columns=3)
    return figure


def scale(is_minimized: bool, cells: Iterable[GridCell]) -> tuple[float, float]:
    """Return the least and the most that the colours of a heat map tell apart.

    One dead network would take the whole range: the worse end is that of the cells without one,
    where there are any.
    """
    done = [cell for cell in cells if is_done(cell)]
    every = [cell.mean or 0.0 for cell in done] or [0.0]
    alive = [cell.mean or 0.0 for cell in done if not cell.dead] or every
    return (min(every), max(alive)) if is_minimized else (min(alive), max(every))


def _text(cell: GridCell) -> str:
    if cell.state != "COMPLETE" or cell.mean is None:
        return UNDONE.get(cell.state, cell.state.lower())
    dead = f" †{cell.dead}" if cell.dead else ""
    return plus_minus(cell.mean, cell.deviation, 3).replace(" ±", "\n±") + dead


def _frame(axes: Axes, row: int, column: int, label: str) -> None:
    """Frame a cell: the winner wide, its equals narrow, what is published dashed, and inside."""
    style: dict[str, Any]
    edge, style = 0.40, {"linestyle": (0, (3, 2)), "linewidth": 1.6}
    if label in ("winner", AS_GOOD):
        edge, style = 0.47, {"linewidth": 3 if label == "winner" else 1.2}
    if label in axes.get_legend_handles_labels()[1]:
        # A legend has a label once.
        label = "_"
    axes.add_patch(
        Rectangle(
            (column - edge, row - edge), 2 * edge, 2 * edge, fill=False, edgecolor=FRAME,
            label=label, path_effects=HALO, **style,
        )
    )  # fmt: skip
