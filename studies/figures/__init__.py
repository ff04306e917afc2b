"""Figures of a store's results: typed reads in, matplotlib figures out.

Readable for colour-blind people and in greyscale. Published results stand beside ours.
"""

from studies.figures.curves import loss_panels
from studies.figures.files import figures_of, file_name, model_figures, search_figures
from studies.figures.models import DrawnModel
from studies.figures.search import Search, scale
from studies.figures.style import Format, picture, png

__all__ = ["DrawnModel", "Format", "Search", "figures_of", "file_name", "loss_panels"]
__all__ += ["model_figures", "picture", "png", "scale", "search_figures"]
