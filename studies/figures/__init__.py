"""Figures of a store's results: typed reads in, matplotlib figures out.

Readable for colour-blind people and in greyscale. Published results stand beside ours.
"""

from studies.figures.curves import curve, loss_curves
from studies.figures.effects import objective_effects, seconds_effects
from studies.figures.files import figures_of, model_figures, search_figures
from studies.figures.models import (
    DrawnModel,
    objective_against_seconds,
    objective_bars,
    seconds_bars,
)
from studies.figures.search import Search, heat_map
from studies.figures.style import png

__all__ = [
    "DrawnModel",
    "Search",
    "curve",
    "figures_of",
    "heat_map",
    "loss_curves",
    "model_figures",
    "objective_against_seconds",
    "objective_bars",
    "objective_effects",
    "png",
    "search_figures",
    "seconds_bars",
    "seconds_effects",
]
