"""The penalties L1 and L2 with their derivatives: which of them takes the larger step (003:1148-1167).

Reproduces: 003:1148-1167, |w| and w^2 with their derivatives (F18); "un pas plus grand" of 003:1155.
Paper: Tibshirani 1996, Regression shrinkage and selection via the lasso; Hoerl, Kennard 1970 (ridge).
Command: python -m experiments penalties
Expected: L1 reaches 0 in 10 steps of 0.1, where L2 leaves 0.8^10; L1's step is the larger below 0.5 only.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import plots
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """Steps down each of the two penalties."""

    learning_rate: float = 0.1  # of plain descent
    start: float = 1.0  # the first weight
    points: int = 301  # of the curves, from -1.5 to 1.5


def run(config: Config, out: Output) -> Report:
    """Draw, step down, and compare the steps."""
    w = np.linspace(-1.5, 1.5, config.points)
    penalties = {"L1: |w|": jnp.abs, "L2: w²": jnp.square}
    panels, steps, ways = {}, {}, {}
    for name, penalty in penalties.items():
        with jax.enable_x64(True):
            values, slopes = (np.asarray(each) for each in jax.vmap(jax.value_and_grad(penalty))(w))
        panels[name] = {"penalty": (w, values[:, None]), "derivative": (w, slopes[:, None])}
        steps[name] = abs(slopes)
        ways[name] = descend(penalty, config.start, config.learning_rate)
    panels["steps down the penalty alone"] = {
        name: (np.arange(len(way)), way[:, None]) for name, way in ways.items()
    }
    figure = plots.series(panels, "w")
    figure.axes[2].set_xlabel("step")
    out.figure("penalties", figure)
    one, two = steps.values()
    left = [way[10] for way in ways.values()]
    source = "003:1155"
    return Report([
        claim("largest derivative of |w|", source, "= 1 +- 0", one.max()),
        claim("derivative of w^2 at w = 1.5", source, "= 3 +- 1e-12", two[-1]),
        claim("largest |w| with a larger step of L1 (the slide: everywhere)", source, "= 0.5 +- 0.011",
              abs(w[one > two]).max()),
        claim("w left of 1 after 10 steps, L1", source, "= 0 +- 1e-12", left[0]),
        claim("w left of 1 after 10 steps, L2: 0.8^10", source, "= 0.1073741824 +- 1e-9", left[1]),
    ])  # fmt: skip


def descend(penalty: Callable[[Any], Any], w: float, learning_rate: float) -> np.ndarray:
    """The weights of 20 steps; what would overshoot 0 ends there (a proximal step, for L1)."""
    weights = [w]
    with jax.enable_x64(True):
        for _ in range(20):
            after = weights[-1] - learning_rate * float(jax.grad(penalty)(weights[-1]))
            weights.append(after if after * w > 0 else 0.0)
    return np.array(weights)
