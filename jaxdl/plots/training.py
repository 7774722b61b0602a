"""Figures of a run: what was measured through it, and what came out of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl.plots.canvas import nth_colour, subplots

Row = Mapping[str, Any]  # of metrics.jsonl


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
        for kind, style, colour in (("train", "-", nth_colour(0)), ("validation", "--", nth_colour(1))):
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
        below = any((np.array(row["loss"], float) <= 0).any() for row in rows if "loss" in row)
        if name == "loss" and not below:  # a log-likelihood or a critic's loss may be; NaN is null there
            axis.set_yscale("log")
        if best is not None:
            axis.axvline(best, color="gray", lw=0.8, ls=":", label="best validation")
        axis.set(xlabel="epoch", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False, fontsize=8)
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
            axis.plot(steps, values.mean(1), ls=styles[i % len(styles)], color=nth_colour(i), label=name)
            axis.fill_between(steps, values.min(1), values.max(1), alpha=0.2, color=nth_colour(i), lw=0)
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
            axis.plot(x, values.mean(1), style, color=nth_colour(i), label=name)
            axis.fill_between(x, values.min(1), values.max(1), alpha=0.2, color=nth_colour(i), lw=0)
        axis.set(title=title, xlabel=xlabel, yscale="log" if title in logarithmic else "linear")
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
