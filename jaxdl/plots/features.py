"""What a convolutional network looks for, and what it finds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.plots.canvas import nth_colour, subplots


def filters(kernels: np.ndarray, columns: int = 8) -> Any:
    """Convolution filters on one scale, blue negative, white zero, red positive (003:598).

    Args:
      kernels: [height, width, in, out]; the mean over the input channels is shown.
      columns: filters per row.
    """
    kernels = np.asarray(kernels).mean(2).transpose(2, 0, 1)
    rows = -(-len(kernels) // columns)
    figure, axes = subplots(rows, columns, (0.8 * columns, 0.8 * rows))
    limit = np.abs(kernels).max()
    shown = None
    for axis in axes.flat:
        axis.axis("off")
    for axis, kernel in zip(axes.flat, kernels, strict=False):
        shown = axis.imshow(kernel, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    figure.colorbar(shown, ax=axes, shrink=0.8, label="weight")
    return figure


def feature_maps(image: np.ndarray, levels: Mapping[str, np.ndarray], columns: int = 16) -> Any:
    """One image, and under it what each level of a network makes of it (003:598-618).

    Args:
      image: [height, width, 1].
      levels: activations [height, width, features] by name, shallow to deep; bright is strong, on
        one scale per level.
      columns: the first so many features of each level are shown, in two rows.
    """
    half = columns // 2
    figure, axes = subplots(2 * len(levels), half + 2, (0.8 * (half + 2), 1.75 * len(levels)))
    for axis in axes.flat:
        axis.axis("off")
    grid = axes[0, 0].get_gridspec()
    shown = figure.add_subplot(grid[:2, :2])
    shown.imshow(np.asarray(image)[..., 0], cmap="gray_r", interpolation="nearest")
    shown.set_title("input", fontsize=9)
    shown.axis("off")
    for i, (name, maps) in enumerate(levels.items()):
        maps = np.asarray(maps)
        rows = axes[2 * i : 2 * i + 2, 2:]
        rows[0, 0].set_title(name, fontsize=9, loc="left")
        for axis, feature in zip(rows.flat, np.moveaxis(maps, -1, 0), strict=False):
            axis.imshow(feature, cmap="magma", vmin=0, vmax=max(maps.max(), 1e-6), interpolation="nearest")
    return figure


def image_panels(
    panels: Mapping[str, np.ndarray],
    boxes: Mapping[str, Sequence[tuple[int, int, int, int]]] | None = None,
    numbers: bool = False,
    columns: int = 5,
    size: float = 2.4,
) -> Any:
    """Images of any sizes side by side: a field, a filter, what comes out of it (003:388-542).

    Args:
      panels: by title, [height, width] from black, the smallest number, to white, or [height, width, 3].
      boxes: by title, (top, left, height, width) of fields to be framed, in pixels.
      numbers: print the value into every pixel.
      columns: panels per row.
      size: of a panel, inches.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure, axes = subplots(rows, columns, (size * columns, (size + 0.25) * rows))
    for axis in axes.flat:
        axis.axis("off")
    for axis, (title, image) in zip(axes.flat, panels.items(), strict=False):
        image = np.asarray(image)
        axis.imshow(image, cmap="gray", interpolation="nearest")
        axis.set_title(title, fontsize=9)
        for i, (top, left, height, width) in enumerate((boxes or {}).get(title, ())):
            frame = {"fill": False, "ec": nth_colour(i + 1), "lw": 2, "ls": ("-", "--")[i % 2]}
            axis.add_patch(_rectangle(left - 0.5, top - 0.5, width, height, frame))
        if numbers:
            middle = (image.min() + image.max()) / 2
            for (y, x), value in np.ndenumerate(image):
                colour = "white" if value <= middle else "black"
                axis.text(x, y, f"{value:g}", ha="center", va="center", fontsize=7, color=colour)
    return figure


def _rectangle(x: float, y: float, width: float, height: float, style: Mapping[str, Any]) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, height, **style)
