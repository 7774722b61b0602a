"""What YOLO puts out: eight numbers for a box, sixteen for two, coded and decoded (003:869-928).

Reproduces: y = [pc, bx, by, bh, bw, c1, c2, c3] and its form for two boxes (E44, N16), on a grid (F27).
Paper: Redmon, Divvala, Girshick, Farhadi 2016, You only look once: unified, real-time object detection.
Command: python -m experiments boxes
Expected: 8 numbers, [1, bx, by, bh, bw, 0, 1, 0] for the second class, 16 for two boxes; nothing is lost.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses

import numpy as np

from experiments.foundations._boxes import CLASSES, TALL, WIDE, Box, decode_grid, draw, encode, encode_grid
from jaxdl.errors import require
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """Scenes of objects at random, on a grid of cells with two boxes each."""

    cells: int = 4  # rows and columns of the grid
    objects: int = 6  # in each scene, one in a cell but for the first cell, which has two
    scenes: int = 200  # that are coded and decoded; the first is drawn
    seed: int = 0  # of the objects


def scene(generator: np.random.Generator, cells: int, objects: int) -> list[Box]:
    """Boxes in shares of the image: in the first cell that is chosen a tall one before a wide one."""
    places = generator.choice(cells**2, objects - 1, replace=False)
    boxes = []
    for i, place in enumerate([places[0], *places]):
        height, width = np.array(TALL if i == 0 else WIDE if i == 1 else (TALL, WIDE)[i % 2]) / cells
        x, y = (np.array([place % cells, place // cells]) + generator.uniform(0.3, 0.7, 2)) / cells
        size = generator.uniform(0.9, 1.1, 2)
        label = 0 if height > width else int(generator.integers(1, len(CLASSES)))
        boxes.append(Box(x, y, height * size[0], width * size[1], label))
    return boxes


def run(config: Config, out: Output) -> Report:
    """Code one box as on the slide, then whole scenes and back; draw one."""
    most = config.cells**2 + 1
    require(2 <= config.objects <= most, "objects", config.objects, f"2..{most}", "two share a cell")
    car = Box(0.5, 0.7, 0.3, 0.4, CLASSES.index("car"))
    one, two, none = encode([car]), encode([car], (TALL, WIDE)), encode([])
    generator = np.random.default_rng(config.seed)
    kinds = [(height / config.cells, width / config.cells) for height, width in (TALL, WIDE)]
    lost, moved = 0, 0.0
    for i in range(config.scenes):
        boxes = scene(generator, config.cells, config.objects)
        grid = encode_grid(boxes, config.cells, kinds)
        found = decode_grid(grid)
        lost += len(boxes) != len(found)
        moved = max(moved, *(np.abs(np.subtract(*pair)).max() for pair in zip(sorted(boxes), sorted(found),
                                                                             strict=False)))  # fmt: skip
        if i == 0:
            out.figure("grid", draw(boxes, grid))
    slide = np.array([1, *car[:4], 0, 1, 0])
    return Report([
        claim("numbers for one box", "003:871-902", "= 8 +- 0", len(one)),
        claim("numbers for two boxes", "003:904-928", "= 16 +- 0", len(two)),
        claim("largest difference from [1, bx, by, bh, bw, 0, 1, 0]", "003:871-902", "= 0 +- 0",
              np.abs(one - slide).max()),
        claim("pc where there is no object", "003:871-902", "= 0 +- 0", none[0]),
        claim("scenes in which a box is lost on the grid", "003:904-928", "= 0 +- 0", lost),
        claim("largest error of a box that comes back", "003:869-928", "< 1e-9", moved),
    ], {"numbers of a scene": config.cells**2 * len(two)})  # fmt: skip
