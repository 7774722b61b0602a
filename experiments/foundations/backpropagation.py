"""Back-propagation on a computational graph, read from any scalar JAX function (001:822-1078).

Reproduces: z = x y (001:890-956) and loss = (x w - y)^2 (001:959-1061), numbers and drawings (F8); F9.
Paper: Rumelhart, Hinton, Williams 1986, Learning representations by back-propagating errors.
Command: python -m experiments backpropagation
Expected: dL/dx = 15 and dL/dy = 10 for dL/dz = 5; dloss/ds = dloss/dyhat = dloss/dw = -2.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from jaxdl import graph, plots
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """The point of the logistic regression, for which the slide has no numbers."""

    weights: tuple[float, float] = (0.5, -1.0)  # of the two inputs
    inputs: tuple[float, float] = (2.0, 1.5)  # of the neuron


def product(x: Any, y: Any) -> Any:
    """The gate of 001:890-956."""
    return checkpoint_name(x * y, "z")


def squared_error(x: Any, w: Any, y: Any) -> Any:
    """The graph of 001:959-1061."""
    s = checkpoint_name(checkpoint_name(x * w, "ŷ") - y, "s")
    return checkpoint_name(s**2, "loss")


def shallow(w1: Any, w2: Any, x1: Any, x2: Any) -> Any:
    """Logistic regression with the sigmoid as one operation (001:1064-1078)."""
    return jax.nn.sigmoid(w1 * x1 + w2 * x2)


def deep(w1: Any, w2: Any, x1: Any, x2: Any) -> Any:
    """The same in elementary operations."""
    return 1 / (1 + jnp.exp(-(w1 * x1 + w2 * x2)))


def run(config: Config, out: Output) -> Report:
    """Trace every graph, print its table, draw it, and read the gradients off."""
    point = (*config.weights, *config.inputs)
    with jax.enable_x64(True):
        slides = {
            "z = x y, dL/dz = 5 is given": graph.trace(product, 2.0, 3.0, upstream=5.0),
            "loss = (x w − y)²": graph.trace(squared_error, 1.0, 1.0, 2.0),
        }
        models = {
            "logistic regression": graph.trace(shallow, *point),
            "the same in elementary operations": graph.trace(deep, *point),
        }
    for name, nodes in {**slides, **models}.items():
        out.report(f"{name}\n{graph.table(nodes)}\n")
    out.figure("graphs", plots.computational_graphs(slides))
    out.figure("two_depths", plots.computational_graphs(models))
    gate, error = ({node.name: node for node in nodes} for nodes in slides.values())
    one, other = models.values()
    apart = max(abs(a.gradient - b.gradient) for a, b in zip(one[:4], other[:4], strict=True))
    backward, depths = "001:1012-1061", "001:1064-1078"
    return Report([
        claim("z for x = 2 and y = 3", "001:890-956", "= 6 +- 0", gate["z"].value),
        claim("dL/dx = dL/dz * dz/dx", "001:890-956", "= 15 +- 0", gate["x"].gradient),
        claim("dL/dy = dL/dz * dz/dy", "001:890-956", "= 10 +- 0", gate["y"].gradient),
        claim("yhat for x = 1, y = 2 and w = 1", "001:1001", "= 1 +- 0", error["ŷ"].value),
        claim("s for x = 1, y = 2 and w = 1", "001:1001", "= -1 +- 0", error["s"].value),
        claim("dloss/ds = 2 s", backward, "= -2 +- 0", error["s"].gradient),
        claim("dloss/dyhat = dloss/ds * ds/dyhat", backward, "= -2 +- 0", error["ŷ"].gradient),
        claim("dloss/dw = dloss/dyhat * dyhat/dw", backward, "= -2 +- 0", error["w"].gradient),
        claim("operations more in the deep graph", depths, "> 0", graph.depth(other) - graph.depth(one)),
        claim("gradients of the two graphs apart", depths, "< 1e-15", apart),
    ])  # fmt: skip
