"""A line through three points by gradient descent, to the last digit printed (001:670-762).

Reproduces: 001:731-762 and 1047-1061: gradients, loss and both curves; the step of 001:698-721 (F4, F5).
Paper: Widrow, Hoff 1960, Adaptive switching circuits.
Command: python -m experiments regression
Expected: gradients -2.0, -7.84, -16.2288 and loss 4.919240100095999, in float64.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from jaxdl import plots
from jaxdl.run import Output, Report, claim

X, Y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])  # 001:731


@dataclasses.dataclass(frozen=True)
class Config:
    """Plain descent on yhat = x w, one example at a time."""

    start: float = 1.0  # the initial weight
    learning_rate: float = 0.01  # alpha; illegible on the slide, but only this gives its numbers
    epochs: int = 100  # passes over the three examples


def cost(w: Any, x: Any, y: Any) -> Any:
    """The squared error of an example (001:739)."""
    return (x * w - y) * (x * w - y)


def mean_cost(w: np.ndarray) -> np.ndarray:
    """Over the three examples (001:636), [n] for weights [n]."""
    return ((X * w[:, None] - Y) ** 2).mean(1)


def descend(w: float, learning_rate: float, epochs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients [epochs, 3], and [epochs] the weight after each pass and the loss of its last example.

    One operation at a time: a compiled loop may round x w - y once instead of twice.
    """
    gradients, weights, losses = [], [], []
    for _ in range(epochs):
        for x, y in zip(X, Y, strict=True):
            gradients.append(float(jax.grad(cost)(w, x, y)))
            w = w - learning_rate * gradients[-1]
        weights.append(w)
        losses.append(cost(w, X[-1], Y[-1]))
    return np.reshape(gradients, (-1, 3)), np.array(weights), np.array(losses)


def run(config: Config, out: Output) -> Report:
    """Descend, compare every digit, draw the parabola and the two curves."""
    with jax.enable_x64(True):
        gradients, weights, losses = descend(config.start, config.learning_rate, config.epochs)
    passes = np.arange(config.epochs + 1)
    curves = {"w": {"after each pass": (passes, np.array([config.start, *weights])[:, None])},
              "loss of the last example": {"after each pass": (passes[1:], losses[:, None])}}  # fmt: skip
    out.figure("training", plots.series(curves, "epoch"))
    path = np.array([config.start, *weights[:7]])
    w = 2 + np.linspace(-1.5, 1.5, 200) * abs(config.start - 2)
    marks = {"initial weight": (config.start, mean_cost(path[:1])[0]), "global loss minimum": (2.0, 0.0)}
    out.figure("parabola", plots.descent_on_a_curve(
        (w, mean_cost(w)), {"after each pass": (path, mean_cost(path))}, marks,
        slopes={"after each pass": 2 * np.mean(X * X) * (path[:4] - 2)}))  # fmt: skip
    source = "001:1047-1061"
    claims = [
        *(claim(f"gradient of example {i + 1}, first pass", source, f"= {value} +- 0", gradients[0, i])
          for i, value in enumerate((-2.0, -7.84, -16.2288))),
        claim("loss after the first pass, every digit", source, "= 4.919240100095999 +- 0", losses[0]),
        claim("forward(4) before training", "001:731", "= 4 +- 0", 4 * config.start),
        claim("forward(4) after training", "001:749", "= 8 +- 1e-9", 4 * weights[-1]),
        claim("error left by a pass over that before it, 0.98 * 0.92 * 0.82", "001:754-760",
              "= 0.739312 +- 1e-6", (2 - weights[0]) / (2 - config.start)),
    ]  # fmt: skip
    return Report(claims, {"weights": weights.tolist(), "losses": losses.tolist()})
