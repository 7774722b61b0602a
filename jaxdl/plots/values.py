"""Figures of what actions are worth."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.plots.canvas import nth_colour, subplots

ARROWS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # right and up, of the actions up, right, down, left


def policy_map(tables: Mapping[str, np.ndarray], grid: Sequence[str], largest: float | None = None) -> Any:
    """The value of every cell of a GridWorld as a colour and a number, with the best action as an arrow.

    Args:
      tables: title -> Q values [rows * columns, 4] of the actions up, right, down and left.
      grid: the map, see `envs.gridworld`; walls, goals and pits are written into their cells.
      largest: value of the darkest colour; None: the largest in the tables.
    """
    rows, columns = len(grid), len(grid[0])
    if largest is None:
        largest = max(float(np.abs(q).max()) for q in tables.values())
    down = -(-len(tables) // 2)
    figure, axes = subplots(down, min(2, len(tables)), (2.2 * columns + 1, (1.1 * rows + 0.4) * down))
    for axis, (title, q) in zip(axes.flat, tables.items(), strict=False):
        values = np.asarray(q).max(-1).reshape(rows, columns)
        cells = np.array([list(row) for row in grid])
        shown = np.ma.masked_where(np.isin(cells, list("#GP")), values)
        axis.imshow(shown, cmap="RdBu", vmin=-largest, vmax=largest, alpha=0.6)
        for (row, column), cell in np.ndenumerate(cells):
            if cell in "#GP":
                word = {"#": "", "G": "goal", "P": "pit"}[cell]
                axis.add_patch(_square(row, column, {"#": "0.45", "G": "#bfe3c0", "P": "#f2c1bd"}[cell]))
                axis.text(column, row, word, ha="center", va="center")
                continue
            right, up = ARROWS[int(np.asarray(q)[row * columns + column].argmax())]
            start, end = (column - 0.2 * right, row - 0.12 + 0.2 * up), (0.4 * right, -0.4 * up)
            axis.arrow(*start, *end, width=0.04, head_width=0.16, color="black", length_includes_head=True)
            axis.text(column, row + 0.36, f"{values[row, column]:.3f}", ha="center", va="center", fontsize=8)
        axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(
        axes.flat[0].images[0], ax=axes.ravel().tolist(), label="value of the best action", shrink=0.8
    )
    return figure


def _square(row: int, column: int, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column - 0.5, row - 0.5), 1, 1, color=color)


def strips(groups: Mapping[str, np.ndarray], xlabel: str) -> Any:
    """One row per group: a dot for each value, a bar for their mean; the first group as a line through all.

    Args:
      groups: name -> values [n].
      xlabel: what the values are.
    """
    figure, axes = subplots(1, 1, (7, 0.36 * len(groups) + 0.9))
    axis = axes[0, 0]
    for i, values in enumerate(groups.values()):
        values = np.asarray(values, float)
        offsets = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else 0
        axis.plot(values, i + offsets, "o", color=nth_colour(0), alpha=0.6, markersize=4)
        axis.plot([values.mean()] * 2, [i - 0.32, i + 0.32], color=nth_colour(1), lw=3)
    first = np.mean(next(iter(groups.values())))
    axis.axvline(first, color="0.6", lw=1, ls="--", zorder=0)
    axis.set(yticks=range(len(groups)), yticklabels=list(groups), xlabel=xlabel)
    axis.invert_yaxis()
    axis.grid(alpha=0.3, axis="x")
    return figure
