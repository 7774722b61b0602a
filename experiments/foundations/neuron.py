"""One artificial neuron: what its weight and its bias do (002:119-131, 169-182).

Reproduces: the response of a neuron, the effect of the bias and of the weight (F13), and its two thresholds.
Paper: McCulloch, Pitts 1943, A logical calculus of the ideas immanent in nervous activity.
Command: python -m experiments neuron
Expected: the bias moves the response by b / w, the weight makes its slope, w / 4 for a sigmoid.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import models, plots
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """What is drawn."""

    weights: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)  # of the one input, with a bias of 0
    biases: tuple[float, ...] = (-3.0, 0.0, 3.0)  # with a weight of 1
    points: int = 601  # inputs, evenly from -6 to 6


def neuron(x: jax.Array, weight: float, bias: float) -> jax.Array:
    """sigmoid(b + w x), the neuron of 002:119-123, from [n] to [n]."""
    dense = {"kernel": jnp.array([[weight]]), "bias": jnp.array([bias])}
    response: Any = models.Neuron(models.sigmoid).apply({"params": {"dense": dense}}, x[:, None])
    return response


def run(config: Config, out: Output) -> Report:
    """Draw the responses and measure what the slides say about them."""
    x, zero = jnp.linspace(-6, 6, config.points), jnp.zeros(1)
    biases = {f"b = {b:g}": _line(x, neuron(x, 1.0, b)) for b in config.biases}
    weights = {f"w = {w:g}": _line(x, neuron(x, w, 0.0)) for w in config.weights}
    panels = {"the bias moves the response": biases, "the weight is its slope": weights}
    out.figure("neuron", plots.series(panels, "x"))
    slope = jax.grad(lambda x: neuron(x, 4.0, 0.0)[0])(zero)
    strict = models.sign(zero, strict=True)
    middle = neuron(jnp.array([-1.5]), 2.0, 3.0)
    return Report([
        claim("response at x = -b / w, for w = 2 and b = 3", "002:177", "= 0.5 +- 1e-6", middle),
        claim("slope there for w = 4, w / 4", "002:178", "= 1 +- 1e-6", slope),
        claim("response to an empty input, without a bias", "002:179", "= 0.5 +- 0", neuron(zero, 1.0, 0.0)),
        claim("response to an empty input, bias 3", "002:179", "> 0.95", neuron(zero, 1.0, 3.0)),
        claim("a neuron at its threshold fires (>= 0)", "003:152-162", "= 1 +- 0", models.sign(zero)),
        claim("a neuron at its threshold does not (> 0)", "001:279-285", "= -1 +- 0", strict),
    ])  # fmt: skip


def _line(x: jax.Array, values: jax.Array) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(x), np.asarray(values)[:, None]
