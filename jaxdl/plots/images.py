"""Images side by side, in rows, in sheets and through time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.plots.canvas import subplots


def image_grid(
    images: np.ndarray, titles: Sequence[str] | None = None, columns: int = 8, cmap: str = "gray_r"
) -> Any:
    """Images in rows, each scaled to its own range unless they are in 0..1.

    Args:
      images: [n, height, width] or [n, height, width, channels], one or three channels.
      titles: [n].
      columns: images per row.
      cmap: for images with one channel.
    """
    images = np.asarray(images)
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    columns = max(1, min(columns, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure, axes = subplots(rows, columns, (1.05 * columns, (1.25 if titles else 1.05) * rows))
    for axis in axes.flat:
        axis.axis("off")
    unit = len(images) > 0 and images.min() >= 0 and images.max() <= 1
    limits = {"vmin": 0, "vmax": 1} if unit else {}
    for i, image in enumerate(images):
        axes.flat[i].imshow(image, cmap=cmap, interpolation="nearest", **limits)
        if titles:
            axes.flat[i].set_title(titles[i], fontsize=8, pad=2)
    return figure


def image_rows(rows: Mapping[str, np.ndarray], cmap: str = "gray_r") -> Any:
    """Rows of images with their names beside them: inputs over what networks make of them (003:1094).

    Args:
      rows: images [columns, height, width, 1] in 0..1 by name; what lies outside is clipped.
      cmap: for the pixels.
    """
    columns = max(len(images) for images in rows.values())
    figure, axes = subplots(len(rows), columns, (0.85 * columns + 1.5, 0.9 * len(rows)))
    for axis in axes.flat:
        axis.axis("off")
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        line[0].text(-0.15, 0.5, name, transform=line[0].transAxes, ha="right", va="center", fontsize=9)
        for axis, image in zip(line, np.asarray(images), strict=False):
            axis.imshow(image[..., 0], cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
    return figure


def tiles(images: np.ndarray, xlabel: str = "", ylabel: str = "", limit: float = 0.0) -> Any:
    """One sheet of images close to each other, such as the manifold that a decoder spans.

    Args:
      images: [rows, columns, height, width, 1] in 0..1; the first row is shown at the top.
      xlabel, ylabel: what changes along the columns and the rows.
      limit: if not 0, the axes are marked from -limit to limit, upwards and to the right.
    """
    images = np.asarray(images)[..., 0]
    border = max(1, images.shape[2] // 14)
    images = np.pad(images, ((0, 0), (0, 0), (border, border), (border, border)))
    rows, columns, height, width = images.shape
    figure, axes = subplots(1, 1, (min(8, 0.4 * columns + 1), min(8, 0.4 * rows + 1)))
    axis = axes[0, 0]
    extent = (-limit, limit, -limit, limit) if limit else (0, columns, 0, rows)
    sheet = images.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    axis.imshow(sheet, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", extent=extent, aspect="auto")
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.set_box_aspect(rows * height / (columns * width))
    if not limit:
        axis.set(xticks=[], yticks=[])
    return figure


def animation(path: str | Path, frames: np.ndarray, columns: int = 6, milliseconds: int = 150) -> Path:
    """Write images that change through time as a GIF, dark on white; the last frame stays longer.

    Args:
      path: of the file; its folder is made.
      frames: uint8 [times, n, height, width, channels], one or three channels.
      columns: images per row; what is left over of n is not shown.
      milliseconds: per frame.
    """
    from PIL import Image

    frames = np.asarray(frames)
    frames = 255 - frames if frames.shape[-1] == 1 else frames
    times, n, height, width, channels = frames.shape
    columns = min(columns, n)
    rows = n // columns
    tiles = np.pad(frames[:, : rows * columns], ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)), constant_values=200)
    tiles = tiles.reshape(times, rows, columns, height + 2, width + 2, channels).transpose(0, 1, 3, 2, 4, 5)
    tiles = tiles.reshape(times, rows * (height + 2), columns * (width + 2), channels)
    zoom = max(1, 360 // tiles.shape[2])
    tiles = tiles.repeat(zoom, 1).repeat(zoom, 2)
    pages = [Image.fromarray(tile[..., 0] if channels == 1 else tile) for tile in tiles]
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    durations = [milliseconds] * (times - 1) + [10 * milliseconds]
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=durations, loop=0)
    return path
