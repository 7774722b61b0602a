"""The paper that every figure is drawn on: its style, its axes, its file."""

from pathlib import Path
from typing import Any

import numpy as np

STYLE = "tableau-colorblind10"


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

    with plt.style.context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes


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
