"""A computational graph as a drawing: operations as circles, numbers forward and backward (001:822-1078)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.graph import Node
from jaxdl.plots.canvas import subplots

FORWARD, BACKWARD = "#006BA4", "#C85200"  # of the colour-blind safe cycle
PAPER = {"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"}  # a number covers the lines behind it


def computational_graphs(graphs: Mapping[str, Sequence[Node]]) -> Any:
    """Computational graphs under each other, from the inputs on the left to the output on the right.

    Above a node stands its value, below it its gradient, and at the head of an arrow the local
    gradient of the operation by what arrives there.

    Args:
      graphs: of `jaxdl.graph.trace`, by title.
    """
    places = [_places(nodes) for nodes in graphs.values()]
    tall = [float(np.ptp(place[:, 1])) + 1.4 for place in places]
    wide = max(float(np.ptp(place[:, 0])) for place in places) + 1.6
    figure, _ = subplots(1, 1, (1.45 * wide, sum(tall) * 0.95 + 0.5 * len(tall)))
    figure.clear()
    axes = figure.subplots(len(tall), 1, squeeze=False, gridspec_kw={"height_ratios": tall})
    for axis, (title, nodes), place, height in zip(axes[:, 0], graphs.items(), places, tall, strict=True):
        axis.set_title(title, fontsize=11, loc="left")
        middle = (place[:, 1].max() + place[:, 1].min()) / 2
        axis.set(xlim=(-0.8, wide - 0.8), ylim=(middle - height / 2, middle + height / 2), aspect="equal")
        axis.axis("off")
        _draw(axis, nodes, place)
    figure.supxlabel("above a node: its value (blue); below: its gradient (orange); "
                     "at an arrow: local gradient (grey)", fontsize=8)  # fmt: skip
    return figure


def _places(nodes: Sequence[Node]) -> np.ndarray:
    """Positions [nodes, 2]: a column per step; inputs stand just before the first that uses them."""
    column = []
    for node in nodes:
        column.append(1 + max((column[i] for i in node.inputs), default=-1))
    for i, node in enumerate(nodes):
        users = [column[j] for j, other in enumerate(nodes) if i in other.inputs]
        if not node.inputs and users:
            column[i] = min(users) - 1
    rows = np.zeros(len(nodes))
    for _ in range(4):  # each node moves towards the middle of its neighbours, order settles quickly
        for i in range(max(column) + 1):
            chosen = [j for j in range(len(nodes)) if column[j] == i]
            near = [[rows[k] for k in range(len(nodes)) if k in nodes[j].inputs or j in nodes[k].inputs]
                    for j in chosen]  # fmt: skip
            order = sorted(range(len(chosen)), key=lambda j: (np.mean(near[j]) if near[j] else 0, -chosen[j]))
            for place, j in enumerate(order):
                rows[chosen[j]] = 1.5 * (place - (len(chosen) - 1) / 2)
    return np.stack([1.6 * np.array(column, float), rows], 1)


def _draw(axis: Any, nodes: Sequence[Node], place: np.ndarray) -> None:
    for node, (x, y) in zip(nodes, place, strict=True):
        for i, local in zip(node.inputs, node.local, strict=True):
            start, end = place[i], np.array([x, y])
            far = x - start[0] > 1.7  # passes over other columns: bend around what stands there
            bend = (-0.25 if start[1] >= y else 0.25) if far else 0.0
            arrow = {"arrowstyle": "-|>", "color": "gray", "shrinkA": 15, "shrinkB": 15}
            axis.annotate("", end, start, arrowprops={**arrow, "connectionstyle": f"arc3,rad={bend}"})
            along = end - start
            control = (start + end) / 2 + bend * np.array([along[1], -along[0]])  # matplotlib's arc3
            t = 1 - 0.72 / np.linalg.norm(along)
            spot = (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end
            axis.text(*spot, _short(local), fontsize=7.5, color="dimgray", ha="center", va="center",
                      bbox=PAPER)  # fmt: skip
    for node, (x, y) in zip(nodes, place, strict=True):
        leaf = not node.inputs
        shown = (node.name or _short(node.value)) if leaf else node.operation
        style = "round,pad=0.35" if leaf or len(shown) > 4 else "circle,pad=0.35"
        box = {"boxstyle": style, "fc": "#EEF3F8" if leaf else "white", "ec": "black"}
        size = 11 if len(shown) < 3 else 8
        axis.text(x, y, shown, ha="center", va="center", bbox=box, zorder=3, fontsize=size)
        value = (f"{node.name} = " if node.name and not leaf else "") + _short(node.value)
        axis.text(x, y + 0.27, value, color=FORWARD, ha="center", va="bottom", fontsize=9, bbox=PAPER)
        axis.text(x, y - 0.29, _short(node.gradient), color=BACKWARD, ha="center", va="top", fontsize=9,
                  bbox=PAPER)  # fmt: skip


def _short(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")
