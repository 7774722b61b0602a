"""Amounts beside each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl.plots.canvas import nth_colour, subplots


def stacked_bars(bars: Mapping[str, Mapping[str, float]], ylabel: str = "") -> Any:
    """One bar per name, its parts on top of each other, the sum above it (003:738).

    Args:
      bars: amounts by part, by name; all with the same parts.
      ylabel: what is counted, in which unit.
    """
    figure, axes = subplots(1, 1, (1.0 * len(bars) + 1.5, 3.6))
    axis = axes[0, 0]
    bottom = np.zeros(len(bars))
    for i, part in enumerate(next(iter(bars.values()))):
        height = np.array([parts[part] for parts in bars.values()])
        axis.bar(
            list(bars), height, bottom=bottom, label=part, color=nth_colour(i), hatch=("", "//", "..")[i % 3]
        )
        bottom += height
    for x, total in enumerate(bottom):
        axis.text(x, total, f"{total:.1f}", ha="center", va="bottom", fontsize=9)
    axis.set(ylabel=ylabel, ylim=(0, 1.3 * bottom.max()))
    axis.legend(frameon=False, fontsize=8, loc="upper left", ncols=2)
    return figure
