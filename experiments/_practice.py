"""What the experiments on practice share: tables over seeds, and their figures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import optax

from jaxdl import data, plots
from jaxdl.errors import require
from jaxdl.learners import supervised
from jaxdl.run import Fitted, Output, over_split

Values = Mapping[str, np.ndarray]  # [seeds] by measure
Curve = tuple[np.ndarray, np.ndarray]  # x [points], values [points, seeds]


def table(results: Mapping[str, Values]) -> dict[str, dict[str, list[float]]]:
    """Mean and standard deviation over seeds of every measure, by name.

    >>> table({"mlp": {"accuracy": np.array([0.5, 0.7])}})
    {'mlp': {'accuracy': [0.6, 0.14142]}}
    """
    return {
        name: {measure: [_round(x.mean()), _round(x.std(ddof=1)) if len(x) > 1 else 0.0]
               for measure, x in values.items()}
        for name, values in results.items()
    }  # fmt: skip


def few(dataset: data.Dataset, rows: int) -> data.Dataset:
    """A data set of which only the first rows of the training split are left."""
    require(rows >= 1, "rows", rows, "an integer >= 1", "train on something")
    return dataset._replace(train={name: x[:rows] for name, x in dataset.train.items()})


class Look:
    """What is measured of stacked states, without dropout, augmentation and penalty."""

    def __init__(self, model: Any, dataset: data.Dataset):
        evaluate = supervised.evaluate(model)
        splits = {"train": dataset.train, "test": dataset.test}
        self.on = {split: over_split(evaluate, rows) for split, rows in splits.items()}

    def observe(self, _: int, states: Any) -> dict[str, np.ndarray]:
        """Loss and accuracy on the training rows, [seeds]: an `Output.observe`."""
        return {f"train_{name}": x for name, x in self.on["train"](states).items()}

    def measure(self, states: Any) -> dict[str, np.ndarray]:
        """Both on the training and the test rows, and the gap of the losses, [seeds]."""
        test = {f"test_{name}": x for name, x in self.on["test"](states).items()}
        train = self.observe(0, states)
        return {**train, **test, "gap": test["test_loss"] - train["train_loss"]}


def through_training(fitted: Fitted, kind: str, measure: str, epoch: float) -> Curve:
    """A measure in the rows of one kind, against the epoch."""
    rows = [row for row in fitted.rows if row["kind"] == kind]
    return np.array([row["step"] for row in rows]) / epoch, np.array([row[measure] for row in rows], float)


def draw_decay(
    out: Output,
    fits: Mapping[tuple[str, float], Fitted],
    shapes: Mapping[str, optax.Schedule],
    steps: int,
    epoch: float,
) -> None:
    """The schedules, and the validation loss under each of them, a panel for every peak rate.

    Args:
      out: where to.
      fits: by schedule and peak rate.
      shapes: the schedules as shares of the peak.
      steps: of a run.
      epoch: its steps.
    """
    at = np.arange(steps)
    shares = {name: np.array([np.asarray(shape(step)) for step in at]) for name, shape in shapes.items()}
    panels = {"learning rate, share of the peak": {n: (at / epoch, y[:, None]) for n, y in shares.items()}}
    for (name, rate), fitted in fits.items():
        panel = panels.setdefault(f"validation loss, peak rate {rate:g}", {})
        panel[name] = through_training(fitted, "validation", "loss", epoch)
    out.figure("curves", plots.series(panels, "epoch; mean and range over seeds", list(panels)[1:]))


def draw_overfitting(out: Output, fits: Mapping[str, Fitted], stops: np.ndarray, epoch: float) -> None:
    """Training and validation loss, a panel for each cure, and where to stop in the first one.

    Args:
      out: where to.
      fits: by name; the first is the run that over-fits.
      stops: epochs [seeds] of the first one's lowest validation loss.
      epoch: steps of one.
    """
    columns = 3
    rows = -(-len(fits) // columns)
    figure, axes = plots.subplots(rows, columns, (3.9 * columns, 3.0 * rows + 0.4))
    for axis in axes.flat[len(fits) :]:
        axis.axis("off")
    for i, (axis, (name, fitted)) in enumerate(zip(axes.flat, fits.items(), strict=False)):
        curves = {"train": through_training(fitted, "observed", "train_loss", epoch),
                  "validation": through_training(fitted, "validation", "loss", epoch)}  # fmt: skip
        for j, (label, (x, y)) in enumerate(curves.items()):
            style = ("-", "--")[j]
            axis.plot(x, y.mean(1), style, color=plots.nth_colour(j), label=label)
            axis.fill_between(x, y.min(1), y.max(1), alpha=0.2, color=plots.nth_colour(j), lw=0)
        if i == 0:
            axis.axvline(float(np.mean(stops)), color="gray", lw=0.8, ls=":")
            x, y = curves["validation"]
            lowest = [float(np.interp(stop, x, y[:, seed])) for seed, stop in enumerate(stops)]
            axis.plot(stops, lowest, "k*", ms=11, mec="white", label="stop here, one for each seed")
        axis.set(title=name, xlabel="epoch", xscale="log", yscale="log", ylim=(1e-3, 6))
        axis.grid(alpha=0.3)
    for line in axes:
        line[0].set_ylabel("loss, mean and range over seeds")
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, frameon=False, loc="outside lower center", ncols=3)
    out.figure("curves", figure)


def _round(x: Any) -> float:
    return round(float(x), 5)
