"""Boxes as YOLO writes them: eight numbers for each kind of box in each cell of a grid (003:869-928)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxdl import plots
from jaxdl.errors import require

CLASSES = ("pedestrian", "car", "motorcycle")
NUMBERS = 5 + len(CLASSES)  # pc, bx, by, bh, bw, c1, c2, c3
TALL, WIDE = (0.6, 0.2), (0.25, 0.6)  # height and width of two kinds of boxes


class Box(NamedTuple):
    """A box: centre, height and width as shares of its cell (or image), and a class."""

    x: float
    y: float
    height: float
    width: float
    label: int  # of `CLASSES`


def encode(boxes: Sequence[Box], kinds: Sequence[tuple[float, float]] = (TALL,)) -> np.ndarray:
    """The vector of one cell, [8 kinds]: zeros where there is no box of a kind.

    Args:
      boxes: of the cell; each goes to the kind whose shape is nearest to its own.
      kinds: height and width of each.

    Raises:
      InputError: two boxes of one kind, of which one would be lost.

    >>> encode([Box(0.5, 0.4, 0.3, 0.9, 1)])
    array([1. , 0.5, 0.4, 0.3, 0.9, 0. , 1. , 0. ])
    """
    vector = np.zeros((len(kinds), NUMBERS))
    for box in boxes:
        nearest = int(np.argmax([overlap(kind, (box.height, box.width)) for kind in kinds]))
        expected, remedy = "one box of each kind in a cell", "use more kinds or smaller cells"
        require(vector[nearest, 0] == 0, "boxes", tuple(boxes), expected, remedy)
        vector[nearest] = [1, *box[:4], *np.eye(len(CLASSES))[box.label]]
    return vector.ravel()


def decode(vector: np.ndarray) -> list[Box]:
    """The boxes of a cell: where pc is above 1/2, with the class whose number is largest.

    >>> decode(encode([Box(0.5, 0.4, 0.3, 0.9, 1)]))
    [Box(x=0.5, y=0.4, height=0.3, width=0.9, label=1)]
    """
    parts = vector.reshape(-1, NUMBERS)
    numbers = ((*map(float, y[:5]), int(y[5:].argmax())) for y in parts)
    return [Box(*box) for sure, *box in numbers if sure > 0.5]


def overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Common area over total area (IoU) of two boxes with one centre, by heights and widths."""
    common = min(one[0], other[0]) * min(one[1], other[1])
    return common / (one[0] * one[1] + other[0] * other[1] - common)


def encode_grid(boxes: Sequence[Box], cells: int, kinds: Sequence[tuple[float, float]]) -> np.ndarray:
    """The boxes of an image, each in the cell of its centre, as [cells, cells, 8 kinds].

    Args:
      boxes: in shares of the image.
      cells: rows and columns; the vectors hold shares of a cell, centres from its upper left corner.
      kinds: see `encode`.
    """
    grid = np.zeros((cells, cells, NUMBERS * len(kinds)))
    for row, column in np.ndindex(cells, cells):
        inside = [box for box in boxes if (int(box.y * cells), int(box.x * cells)) == (row, column)]
        own = [
            Box(box.x * cells - column, box.y * cells - row, box.height * cells, box.width * cells, box.label)
            for box in inside
        ]
        grid[row, column] = encode(own, [(height * cells, width * cells) for height, width in kinds])
    return grid


def decode_grid(grid: np.ndarray) -> list[Box]:
    """The boxes of an image in shares of it, from [cells, cells, 8 kinds], row by row."""
    cells = len(grid)
    return [
        Box((column + box.x) / cells, (row + box.y) / cells, box.height / cells, box.width / cells, box.label)
        for row, column in np.ndindex(cells, cells)
        for box in decode(grid[row, column])
    ]


def draw(boxes: Sequence[Box], grid: np.ndarray) -> Any:
    """The boxes of an image on the grid, and the vectors of the cells that hold one.

    Args:
      boxes: in shares of the image.
      grid: of `encode_grid`.
    """
    from matplotlib.patches import Rectangle

    cells, names = len(grid), ["pc", "bx", "by", "bh", "bw", "c1", "c2", "c3"] * (grid.shape[2] // NUMBERS)
    figure, axes = plots.subplots(1, 2, (12, 4.4))
    image, vectors = axes[0]
    for box in boxes:
        corner = box.x - box.width / 2, box.y - box.height / 2
        style = {"fill": False, "ec": plots.nth_colour(box.label), "lw": 2, "ls": ("-", "--", ":")[box.label]}
        image.add_patch(Rectangle(corner, box.width, box.height, **style))
        image.plot(box.x, box.y, "+", color=plots.nth_colour(box.label), ms=9)
        image.text(*corner, f" {CLASSES[box.label]}", fontsize=8, va="bottom", color="black")
    lines = np.arange(cells + 1) / cells
    image.set(xlim=(-0.02, 1.02), ylim=(1.02, -0.02), xticks=(lines[:-1] + lines[1:]) / 2, aspect="equal",
              yticks=(lines[:-1] + lines[1:]) / 2, xlabel="column of the grid", ylabel="row")  # fmt: skip
    image.set_xticks(lines, minor=True)
    image.set_yticks(lines, minor=True)
    image.grid(which="minor", color="0.6", lw=0.8)
    image.set_xticklabels(range(1, cells + 1))
    image.set_yticklabels(range(1, cells + 1))
    held = [place for place in np.ndindex(cells, cells) if grid[place].any()]
    table = np.array([grid[place] for place in held])
    vectors.imshow(np.where(table != 0, 1.0, 0.0), cmap="Blues", vmin=0, vmax=3, aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        vectors.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=8)
    vectors.axvline(NUMBERS - 0.5, color="black", lw=1)
    vectors.set_xticks(range(len(names)), names, fontsize=8)
    vectors.set_yticks(range(len(held)), [f"row {row + 1}, column {column + 1}" for row, column in held])
    vectors.set_title("the vectors of these cells: tall boxes, then wide ones", fontsize=10)
    return figure
