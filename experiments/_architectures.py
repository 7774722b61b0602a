"""The competitors of `architectures`, how they are ranked, and the figure."""

import time
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxdl import data, models, plots
from jaxdl.learners import supervised
from jaxdl.run import Fitted, Output
from jaxdl.transforms import many_steps, resident

COSTS = {"parameters": "parameters", "flops": "FLOPs of a training step",
         "milliseconds": "milliseconds of a training step"}  # fmt: skip


class RowReader(nn.Module):
    """An LSTM that reads an image row by row, from the top; its last state decides.

    >>> import jax.numpy as jnp
    >>> logits, _ = RowReader(4, 10).init_with_output(jax.random.key(0), jnp.zeros((2, 8, 8, 1)))
    >>> logits.shape
    (2, 10)
    """

    units: int  # of its state
    outputs: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Images [batch, height, width, 1] to logits [batch, outputs]."""
        return models.RecurrentNet(self.units, self.outputs, many_to_many=False)(x[..., 0], train=train)[0]


def competitors(classes: int) -> dict[str, Any]:
    """A linear model, MLPs of three widths, a CNN and an LSTM for small images."""
    return {
        "linear": models.MLP((), classes),
        **{f"MLP {width}": models.MLP((width,), classes) for width in (16, 64, 256)},
        "CNN": models.CNN((16, 32), 64, classes),
        "LSTM": RowReader(64, classes),
    }


def rank(fitted: Fitted) -> tuple[float, float]:
    """What is highest for the best: validation accuracy, mean over seeds; where equal, minus the loss."""
    last = _judged(fitted)
    return float(np.mean(last["accuracy"])), -float(np.mean(last["loss"]))


def measure(fitted: Fitted, milliseconds: float) -> dict[str, np.ndarray]:
    """Validation accuracy and loss, and what they cost (see `COSTS`), [seeds]."""
    last, seeds = _judged(fitted), len(fitted.best_step)
    costs = {"parameters": fitted.parameters, "flops": fitted.flops_per_step, "milliseconds": milliseconds}
    found = {name: np.array(last[name]) for name in ("accuracy", "loss")}
    return found | {name: np.full(seeds, float(x)) for name, x in costs.items()}


def milliseconds(model: Any, rows: data.Split, batch_size: int, steps: int = 100) -> float:
    """Time of a training step, the least of three measurements of so many steps."""
    learner = supervised.learner(model, optax.adam(1e-3))
    many = many_steps(resident(learner, batch_size, data.order.rows), steps)
    state, step, times = many.init(jax.random.key(0), rows), jax.jit(many.step), []
    for _ in range(4):  # the first one compiles
        start = time.perf_counter()
        jax.block_until_ready(step(state, rows))
        times.append(1000 * (time.perf_counter() - start) / steps)
    return min(times[1:])


def draw(out: Output, results: Mapping[str, Mapping[str, np.ndarray]], chosen: str) -> None:
    """Validation accuracy against every one of `COSTS`.

    Args:
      out: where to.
      results: of `measure`, by architecture.
      chosen: the one that is marked.
    """
    figure, axes = plots.subplots(1, len(COSTS), (4.4 * len(COSTS), 3.8))
    for axis, (cost, label) in zip(axes[0], COSTS.items(), strict=True):
        for i, (name, values) in enumerate(results.items()):
            accuracy, x = values["accuracy"], values[cost].mean()
            spread = accuracy.std(ddof=1) if len(accuracy) > 1 else 0.0
            mark = name + " (chosen)" * (name == chosen)
            axis.errorbar(x, accuracy.mean(), yerr=spread, color=plots.nth_colour(i), capsize=3,
                          marker="os^Dv*"[i % 6], ms=8, ls="none", label=mark)  # fmt: skip
            if name == chosen:
                axis.plot(x, accuracy.mean(), "o", ms=18, mfc="none", mec="black")
        axis.set(xlabel=label, xscale="log")
        axis.margins(x=0.12)
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("validation accuracy, mean ± std")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), frameon=False, ncols=len(results),
                  loc="outside lower center")  # fmt: skip
    out.figure("competition", figure)


def _judged(fitted: Fitted) -> Any:
    return [row for row in fitted.rows if row["kind"] == "validation"][-1]
