"""Figures that only one of the first principles has: lines through points, networks of circles."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.plots import nth_colour, subplots

Points = tuple[np.ndarray, np.ndarray]


def lines(panels: Mapping[str, Points], found: Mapping[str, Mapping[str, Any]], truth: Any) -> Any:
    """Points and lines through them, a panel each.

    Args:
      panels: inputs and targets [n], by title.
      found: (intercept, slope) by name of the line, by title.
      truth: the line that the points were drawn about.
    """
    figure, axes = subplots(1, len(panels), (5 * len(panels), 3.8))
    for axis, (title, (x, y)) in zip(axes[0], panels.items(), strict=True):
        ends = np.array([x.min(), x.max()])
        axis.plot(x, y, "o", color="0.5", ms=4, label="examples")
        axis.plot(ends, truth[0] + truth[1] * ends, color="black", lw=1, label="true line")
        for i, (name, line) in enumerate(found[title].items()):
            axis.plot(ends, line[0] + line[1] * ends, ("--", "-.")[i], color=nth_colour(i), lw=2, label=name)
        axis.set(title=title, xlabel="x", ylabel="y")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(frameon=False, fontsize=9)
    return figure


def networks(panels: Mapping[str, Sequence[np.ndarray]]) -> Any:
    """Networks as circles and lines, layer by layer from the left (001:789-797, 003:298-312).

    Args:
      panels: by title, for every layer which of its units are on, bool [units]; a unit that is off is
        crossed out and has no connections.
    """
    figure, axes = subplots(1, len(panels), (4.4 * len(panels), 3.6))
    for axis, (title, layers) in zip(axes[0], panels.items(), strict=True):
        places = [np.stack([np.full(len(on), i), np.arange(len(on)) - (len(on) - 1) / 2], 1)
                  for i, on in enumerate(layers)]  # fmt: skip
        for i in range(len(layers) - 1):
            for start in places[i][layers[i]]:
                for end in places[i + 1][layers[i + 1]]:
                    axis.plot(*np.stack([start, end]).T, color="0.6", lw=0.6, zorder=1)
        for i, (place, on) in enumerate(zip(places, layers, strict=True)):
            colour = nth_colour(0) if i == 0 else nth_colour(1) if i == len(layers) - 1 else "white"
            axis.scatter(*place[on].T, s=170, color=colour, ec="black", zorder=2)
            axis.scatter(*place[~on].T, s=170, color="white", ec="0.6", ls="--", zorder=2)
            axis.scatter(*place[~on].T, s=120, color="firebrick", marker="x", zorder=3)
        axis.set_title(title, fontsize=11)
        axis.margins(0.12)
        axis.axis("off")
    return figure
