"""The paper's figures, drawn from ours: typed reads in, matplotlib figures out.

Readable for colour-blind people and in greyscale. The paper's figures stand beside ours.
"""

from studies.figures.comparison import accuracy_bars, seconds_bars
from studies.figures.effects import accuracy_effects, seconds_effects
from studies.figures.files import figures_of
from studies.figures.search import alpha_curve, heat_map
from studies.figures.style import png
from studies.figures.training import accuracy_against_seconds, loss_curve

__all__ = [
    "accuracy_against_seconds",
    "accuracy_bars",
    "accuracy_effects",
    "alpha_curve",
    "figures_of",
    "heat_map",
    "loss_curve",
    "png",
    "seconds_bars",
    "seconds_effects",
]
