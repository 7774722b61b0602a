"""Figures from arrays. Each function draws and returns a matplotlib figure; `save` writes it.

Colours are matplotlib's colour-blind safe cycle; nothing is told by colour alone.
"""

from jaxdl.plots.bars import stacked_bars
from jaxdl.plots.canvas import STYLE, nth_colour, pixels, save, subplots
from jaxdl.plots.descent import decision_maps, descent_on_a_curve, error_surface
from jaxdl.plots.features import feature_maps, filters, image_panels
from jaxdl.plots.graphs import computational_graphs
from jaxdl.plots.images import animation, image_grid, image_rows, tiles
from jaxdl.plots.training import confusion_matrix, errors_through_training, learning_curves, series
from jaxdl.plots.values import policy_map, strips
from jaxdl.plots.worlds import acrobot, cart_pole, strokes

__all__ = [
    "STYLE",
    "acrobot",
    "animation",
    "cart_pole",
    "computational_graphs",
    "confusion_matrix",
    "decision_maps",
    "descent_on_a_curve",
    "error_surface",
    "errors_through_training",
    "feature_maps",
    "filters",
    "image_grid",
    "image_panels",
    "image_rows",
    "learning_curves",
    "nth_colour",
    "pixels",
    "policy_map",
    "save",
    "series",
    "stacked_bars",
    "strips",
    "strokes",
    "subplots",
    "tiles",
]
