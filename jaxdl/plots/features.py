"""What a convolutional network looks for, and what it finds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl.plots.canvas import subplots


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
