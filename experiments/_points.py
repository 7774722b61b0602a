"""Figures of points, curves and bars that only the auto-encoders draw."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.plots import nth_colour, subplots


def labelled_points(points: np.ndarray, labels: np.ndarray, xlabel: str, ylabel: str) -> Any:
    """Points in the plane, each drawn as the digit of its class in the colour of its class.

    Args:
      points: [n, 2].
      labels: int [n].
      xlabel, ylabel: names of the two numbers.
    """
    import matplotlib as mpl

    figure, axes = subplots(1, 1, (7, 6.5))
    axis = axes[0, 0]
    colours = mpl.colormaps["tab10"]
    for label in np.unique(labels):
        chosen = points[labels == label]
        axis.scatter(*chosen.T, marker=f"${label}$", s=28, color=colours(int(label) % 10), lw=0.3)
        box = {"boxstyle": "circle", "fc": "white", "ec": colours(int(label) % 10), "lw": 2}
        place = {"ha": "center", "va": "center", "bbox": box}
        axis.text(*np.median(chosen, 0), str(label), fontsize=20, fontweight="bold", **place)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    return figure


def trade_off(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]], marks: Sequence[str], xlabel: str, ylabel: str
) -> Any:
    """Curves of two measures against each other, one panel each, with every point named.

    Args:
      curves: by title, (x, y), both [seeds, points]; means are drawn, with the spread as bars.
      marks: names of the points.
      xlabel, ylabel: names of the measures.
    """
    figure, axes = subplots(1, len(curves), (4.6 * len(curves), 3.8))
    for i, (axis, (title, (x, y))) in enumerate(zip(axes[0], curves.items(), strict=True)):
        middle = x.mean(0), y.mean(0)
        axis.errorbar(*middle, xerr=x.std(0), yerr=y.std(0), fmt="o-", color=nth_colour(i), ms=5, capsize=2)
        for px, py, mark in zip(*middle, marks, strict=True):
            axis.annotate(mark, (px, py), xytext=(6, 5), textcoords="offset points", fontsize=8)
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.margins(x=0.16, y=0.12)
        axis.grid(alpha=0.3)
    return figure


def activations(rows: Mapping[str, np.ndarray], threshold: float) -> Any:
    """The activation of every unit as bars, strongest first, one panel per network (003:1169-1174).

    Args:
      rows: activations [units] by name.
      threshold: units above it count as active.
    """
    figure, axes = subplots(1, len(rows), (4.6 * len(rows), 3.0))
    highest = max(float(np.max(row)) for row in rows.values())
    most = max(int((row > threshold).sum()) for row in rows.values())  # silent units are not drawn
    for i, (axis, (name, row)) in enumerate(zip(axes[0], rows.items(), strict=True)):
        axis.bar(np.arange(len(row)), np.sort(row)[::-1], width=1.0, color=nth_colour(i))
        title = f"{name}: {int((row > threshold).sum())} of {len(row)} units active"
        axis.set(title=title, xlabel="units, strongest first", ylabel="activation")
        axis.set(xlim=(-1, 1.1 * most + 1), ylim=(0, 1.05 * highest))
    return figure


def point_clouds(points: np.ndarray, outputs: Mapping[str, np.ndarray], margin: float | None = None) -> Any:
    """Points that go into an auto-encoder (blue) and come out of it (red), a panel per state (003:1117).

    Args:
      points: [n, 2].
      outputs: [n, 2] by title.
      margin: of the axes about the points, whatever comes out; None: as needed.
    """
    figure, axes = subplots(1, len(outputs), (3.6 * len(outputs), 3.8))
    for axis, (title, output) in zip(axes[0], outputs.items(), strict=True):
        axis.scatter(*np.asarray(points).T, s=9, color="tab:blue", alpha=0.5, lw=0, label="input")
        axis.scatter(*np.asarray(output).T, s=9, color="tab:red", marker="x", lw=0.8, label="output")
        axis.set(title=title, aspect="equal")
        axis.grid(alpha=0.3)
        if margin is not None:
            low, high = points.min(0) - margin, points.max(0) + margin
            axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    axes[0, 0].legend(loc="upper left", fontsize=8, framealpha=0.9)
    return figure
