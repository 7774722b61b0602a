"""The paper that every figure is drawn on: its style, its axes, its file."""

from pathlib import Path
from typing import Any

import numpy as np

STYLE = "tableau-colorblind10"
ORDER = (0, 1, 3, 4, 5, 6, 8, 7, 2, 9)  # of its colours: those that are pale on white come last


def save(figure: Any, path: str | Path) -> Path:
    """Write a figure as PNG, making its folder, and free its memory."""
    import matplotlib.pyplot as plt

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return path


def subplots(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, np.ndarray]:
    """A figure of `size` inches in the library's style, and its axes [rows, columns]. No window opens."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from cycler import cycler

    cycle = cycler(color=[nth_colour(i) for i in range(len(ORDER))])
    with plt.style.context([STYLE, {"axes.prop_cycle": cycle}]):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes


def nth_colour(i: int) -> str:
    """The i-th colour of a figure made by `subplots`, "#rrggbb"; after the last one follows the first.

    matplotlib's own C0 is the first colour of whatever style is on when it is looked up, which
    outside of `subplots` is not this one.

    >>> nth_colour(0), nth_colour(1), nth_colour(10) == nth_colour(0)
    ('#006BA4', '#FF800E', True)
    """
    from matplotlib import style

    colours = style.library[STYLE]["axes.prop_cycle"].by_key()["color"]
    return colours[ORDER[i % len(ORDER)]]


def pixels(figure: Any, dpi: int = 80) -> np.ndarray:
    """A figure as an image, uint8 [height, width, 3], for `animation`; its memory is freed.

    Figures of one size in inches have one size in pixels, whatever is on them.
    """
    import matplotlib.pyplot as plt

    figure.set_dpi(dpi)
    figure.canvas.draw()
    image = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return image
