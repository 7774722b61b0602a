"""Ways down: on a curve, on a surface, and the lines that a classifier draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl.plots.canvas import nth_colour, subplots

Curve = tuple[np.ndarray, np.ndarray]  # x and y


def descent_on_a_curve(
    curve: Curve,
    paths: Mapping[str, Curve],
    marks: Mapping[str, tuple[float, float]] | None = None,
    slopes: Mapping[str, np.ndarray] | None = None,
    xlabel: str = "w",
    ylabel: str = "loss",
) -> Any:
    """A function of one number, and the points that descents on it go through (001:645-724).

    Args:
      curve: of the function.
      paths: points of a descent, by name; the first is drawn large, the last as a star.
      marks: points to be named, such as minima.
      slopes: derivatives at the first points of a path, by its name, drawn as tangents.
      xlabel, ylabel: of the axes.
    """
    figure, axes = subplots(1, 1, (6.4, 4.2))
    axis = axes[0, 0]
    axis.plot(*curve, color="black", lw=1.2)
    width = np.ptp(curve[0])
    for i, (name, (x, y)) in enumerate(paths.items()):
        colour, marker = nth_colour(i), "os^Dv"[i % 5]
        axis.plot(x, y, color=colour, marker=marker, ms=4, lw=0.8, label=name)
        axis.plot(x[0], y[0], color=colour, marker=marker, ms=10)
        axis.plot(x[-1], y[-1], color=colour, marker="*", ms=15, mec="black")
        tangents = zip(x, y, (slopes or {}).get(name, ()), strict=False)
        for j, (at, height, slope) in enumerate(tangents):
            reach = 0.13 * width / np.hypot(1, slope * width / np.ptp(curve[1]))
            axis.plot([at - reach, at + reach], [height - slope * reach, height + slope * reach],
                      color=nth_colour(4), lw=1.5, label=None if j else "tangents")  # fmt: skip
    for name, (x, y) in (marks or {}).items():
        below = "minimum" in name
        axis.plot(x, y, "x", color="black", ms=6)
        axis.annotate(name, (x, y), xytext=(0, -17) if below else (12, 6), fontsize=9,
                      ha="center" if below else "left", textcoords="offset points")  # fmt: skip
    axis.margins(x=0.02, y=0.14)
    axis.set(xlabel=xlabel, ylabel=ylabel)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return figure


def error_surface(
    x: np.ndarray,
    y: np.ndarray,
    error: np.ndarray,
    paths: Mapping[str, np.ndarray],
    arrow: tuple[np.ndarray, np.ndarray],
    names: tuple[str, str] = ("$w_0$", "$w_1$"),
) -> Any:
    """The error over two weights from the side and from above, with ways down (001:767-788, 002:233-262).

    Args:
      x, y: values of the weights, [columns] and [rows].
      error: [rows, columns].
      paths: weights [steps, 2] by name of the way.
      arrow: a point and a direction, both [2]: drawn as the negative gradient.
      names: of the weights.
    """
    figure, axes = subplots(1, 2, (11, 4.6))
    axes[0, 0].remove()
    side = figure.add_subplot(1, 2, 1, projection="3d")
    side.plot_surface(*np.meshgrid(x, y), error, cmap="viridis", alpha=0.75, lw=0, rcount=60, ccount=60)
    side.set(xlabel=names[0], ylabel=names[1], zlabel="error")
    side.view_init(38, -50)
    side.computed_zorder = False  # the ways lie on the surface, not behind it
    above = axes[0, 1]
    levels = np.geomspace(max(error.min(), error.max() / 2e3), error.max(), 14)
    above.contour(x, y, error, levels=levels, cmap="viridis", linewidths=0.8)
    for i, (name, path) in enumerate(paths.items()):
        style = {"color": nth_colour(i), "ls": ("-", "--", ":", "-.")[i % 4], "label": name}
        above.plot(*path.T, marker=".", ms=3, lw=1.3, **style)
        column = np.abs(path[:, :1] - x).argmin(1)
        row = np.abs(path[:, 1:] - y).argmin(1)
        side.plot(*path.T, error[row, column], zorder=5, lw=1.5, **style)
    point, direction = arrow
    above.annotate("", point + direction, point, arrowprops={"arrowstyle": "-|>", "lw": 2, "color": "black"})
    above.annotate("−gradient", point + direction, xytext=(4, -12), textcoords="offset points", fontsize=9)
    above.set(xlabel=names[0], ylabel=names[1], xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    above.legend(fontsize=8)
    return figure


def decision_maps(
    maps: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]],
    points: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Any:
    """What a classifier says all over the plane, and the points it is to classify (001:562-621).

    Args:
      maps: by title, x [columns], y [rows] and the probability of class 1 [rows, columns]; the
        border, where it is 1/2, is a line.
      points: by the same titles, inputs [n, 2] and classes [n], 0 (circles) or 1 (squares).
    """
    figure, axes = subplots(1, len(maps), (3.0 * len(maps), 3.1))
    for axis, (title, (x, y, share)) in zip(axes[0], maps.items(), strict=True):
        extent = (x[0], x[-1], y[0], y[-1])
        axis.imshow(share, cmap="RdBu", vmin=-0.2, vmax=1.2, extent=extent, origin="lower", aspect="auto")
        if share.min() < 0.5 < share.max():
            axis.contour(x, y, share, levels=[0.5], colors="black", linewidths=1)
        inputs, targets = points[title]
        for label, marker, colour in ((0, "o", "#B2182B"), (1, "s", "#2166AC")):
            chosen = inputs[targets == label]
            axis.scatter(*chosen.T, marker=marker, color=colour, ec="white", s=70 if len(inputs) < 20 else 14)
        axis.set_title(title, fontsize=10)
    return figure
