"""Figures from arrays. Each function draws and returns a matplotlib figure; `save` writes it.

Colours are matplotlib's colour-blind safe cycle; nothing is told by colour alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Row = Mapping[str, Any]  # of metrics.jsonl
STYLE = "tableau-colorblind10"


def save(figure: Any, path: str | Path) -> Path:
    """Write a figure as PNG, making its folder, and free its memory."""
    import matplotlib.pyplot as plt

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return path


def learning_curves(rows: Sequence[Row], steps_per_epoch: float, best: float | None = None) -> Any:
    """Loss and measures through training: mean over seeds, their range as a band (003:274).

    Args:
      rows: of metrics.jsonl, kinds "train" and "validation"; values are lists, one per seed.
      steps_per_epoch: turns steps into epochs.
      best: epoch of the chosen state, marked by a line.
    """
    judged = {name for row in rows if row["kind"] == "validation" for name in row}
    names = ["loss", *sorted(judged - {"kind", "step", "loss"})]
    figure, axes = subplots(1, len(names), (4.6 * len(names), 3.4))
    for axis, name in zip(axes[0], names, strict=True):
        for kind, style, colour in (("train", "-", "C0"), ("validation", "--", "C1")):
            chosen = [row for row in rows if row["kind"] == kind and name in row]
            if not chosen:
                continue
            epochs = np.array([row["step"] for row in chosen]) / steps_per_epoch
            values = np.array([np.atleast_1d(row[name]) for row in chosen], float)
            seeds = values.shape[1]
            label = f"{kind}, mean and range of {seeds} seeds" if seeds > 1 else kind
            axis.plot(epochs, values.mean(1), style, color=colour, label=label)
            axis.fill_between(epochs, values.min(1), values.max(1), alpha=0.2, color=colour, lw=0)
            if name == "accuracy":
                # The first epochs would flatten the rest.
                low = values.min(1)[len(values) // 2 :].min()
                axis.set_ylim(max(-0.01, 1 - 2.5 * (1 - low)) - 1e-3, 1.001)
        if name == "loss":
            axis.set_yscale("log")
        if best is not None:
            axis.axvline(best, color="gray", lw=0.8, ls=":", label="best validation")
        axis.set(xlabel="epoch", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    return figure


def confusion_matrix(counts: np.ndarray, labels: Sequence[str], title: str = "") -> Any:
    """Counts [truth, prediction] (002:383), shaded by share of the row, the errors in red."""
    counts = np.asarray(counts)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = subplots(1, 1, (0.55 * len(labels) + 1.2, 0.5 * len(labels) + 1.0))
    axis = axes[0, 0]
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for truth, predicted in np.ndindex(*counts.shape):
        if counts[truth, predicted]:
            right = truth == predicted
            colour = "white" if share[truth, predicted] > 0.6 else "black" if right else "firebrick"
            axis.text(predicted, truth, f"{counts[truth, predicted]:.0f}", ha="center", va="center",
                      color=colour, fontsize=9, fontweight="normal" if right else "bold")  # fmt: skip
    axis.set(title=title, xlabel="prediction", ylabel="truth")
    axis.set_xticks(range(len(labels)), labels)
    axis.set_yticks(range(len(labels)), labels)
    return figure


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


def errors_through_training(
    curves: Mapping[str, Mapping[str, Sequence[Row]]], levels: Mapping[str, float], level: str
) -> Any:
    """Error of several models through training, one panel per task: mean and range over seeds.

    Args:
      curves: rows of metrics.jsonl of kind "validation", by task and model.
      levels: by task, an error to compare with, drawn as a dotted line.
      level: what that error is.
    """
    figure, axes = subplots(1, len(curves), (5.2 * len(curves), 3.6))
    styles = ("--", "-", "-.", (0, (1, 1)))
    for axis, (task, models) in zip(axes[0], curves.items(), strict=True):
        for i, (name, rows) in enumerate(models.items()):
            chosen = [row for row in rows if row["kind"] == "validation"]
            steps = [row["step"] for row in chosen]
            values = np.array([np.atleast_1d(row["loss"]) for row in chosen], float)
            axis.plot(steps, values.mean(1), ls=styles[i % len(styles)], color=f"C{i}", label=name)
            axis.fill_between(steps, values.min(1), values.max(1), alpha=0.2, color=f"C{i}", lw=0)
        axis.axhline(levels[task], color="black", lw=1, ls=":", label=level)
        axis.set(title=task, xlabel="step", ylabel="mean squared error, held out", yscale="log")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
    return figure


def series(
    panels: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
    xlabel: str,
    logarithmic: Sequence[str] = (),
) -> Any:
    """One panel per measure, one line per run: mean over seeds, their range as a band.

    Args:
      panels: title -> name of a run -> (x [points], values [points, seeds]).
      xlabel: of all panels.
      logarithmic: titles of the panels with a logarithmic axis.
    """
    columns = 2 if len(panels) > 1 else 1
    rows = -(-len(panels) // columns)
    figure, axes = subplots(rows, columns, (5 * columns, 3.2 * rows))
    for axis in axes.flat[len(panels) :]:
        axis.axis("off")
    for axis, (title, runs) in zip(axes.flat, panels.items(), strict=False):
        for i, (name, (x, values)) in enumerate(runs.items()):
            values = np.asarray(values, float)
            style = ("-", "--", ":", "-.")[i % 4]
            axis.plot(x, values.mean(1), style, color=f"C{i}", label=name)
            axis.fill_between(x, values.min(1), values.max(1), alpha=0.2, color=f"C{i}", lw=0)
        axis.set(title=title, xlabel=xlabel, yscale="log" if title in logarithmic else "linear")
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
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


def subplots(rows: int, columns: int, size: tuple[float, float]) -> tuple[Any, np.ndarray]:
    """A figure of `size` inches in the library's style, and its axes [rows, columns]. No window opens."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with plt.style.context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    return figure, axes
