"""The delta rule of back-propagation: its worked example, and its pseudo-code put right (002:273-298).

Reproduces: 002:294-298, delta = 0.378 (1 - 0.378) (1 * 0.041 + -1 * -0.082) = 0.029, in a whole network.
Paper: Rumelhart, Hinton, Williams 1986, Learning representations by back-propagating errors.
Command: python -m experiments delta
Expected: 0.029; the pseudo-code learns only if its sum starts at 0 in every pass and its sign is turned.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxdl import graph, plots
from jaxdl.run import Output, Report, claim

# The simplest sigmoid network, 2-2-2-1, that gives the slide's 0.378, 0.041 and -0.082; its own is lost.
WEIGHTS = ([[0.5, 1.5], [0.5, -0.5]], [[1.0, 1.0], [-1.0, -1.0]], [[0.5, -1.0]])  # [to, from]


@dataclasses.dataclass(frozen=True)
class Config:
    """The pseudo-code of 002:273-292 for one linear neuron and the data of 001:731."""

    learning_rate: float = 0.01  # eta
    epochs: int = 100  # passes over three examples


def loss(x1: Any, x2: Any) -> Any:
    """Cross-entropy for y = 1; its derivative by a net input "a" is -delta (y - f at the output)."""
    layer = [x1, x2]
    for i, rows in enumerate(WEIGHTS, start=1):
        net = [row[0] * layer[0] + row[1] * layer[1] for row in rows]
        net = [checkpoint_name(a, f"a{i}{j}") for j, a in enumerate(net, start=1)]
        layer = [checkpoint_name(jax.nn.sigmoid(a), f"h{i}{j}") for j, a in enumerate(net, start=1)]
    return -jnp.log(layer[0])


def train(config: Config, sign: int, reset: bool) -> np.ndarray:
    """Errors of the weight, before every pass and after the last; a pass adds sign eta delta x."""
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    weights, total = [1.0], 0.0
    for _ in range(config.epochs):
        total = (0 if reset else total) + sign * config.learning_rate * np.sum((y - weights[-1] * x) * x)
        weights.append(weights[-1] + total)
    return abs(np.array(weights) - 2)


def run(config: Config, out: Output) -> Report:
    """The example to its digits, the rule against the gradient of the graph, and three trainings."""
    with jax.enable_x64(True):
        nodes = graph.trace(loss, 2.0, -1.0)
    out.figure("network", plots.computational_graphs({"2-2-2-1 network, x = (2, −1), y = 1": nodes}))
    node = {each.name: each for each in nodes}
    h, (first, second) = node["h11"].value, (-node[a].gradient for a in ("a21", "a22"))
    rule = h * (1 - h) * (1 * first + -1 * second)
    apart = abs(rule + node["a11"].gradient)
    errors = {"put right": train(config, 1, True), "sum never reset": train(config, 1, False),
              "sign as printed": train(config, -1, True)}  # fmt: skip
    curves = {name: (np.arange(len(error)), error[:, None]) for name, error in errors.items()}
    title = "error of the weight"
    out.figure("pseudo_code", plots.series({title: curves}, "pass", [title]))
    right, printed, upwards = (error[-len(error) // 2 :].max() for error in errors.values())
    digits, example, code = round(0.378 * (1 - 0.378) * (0.041 + 0.082), 3), "002:294-298", "002:273-292"
    return Report([
        claim("the product on the slide, to three digits", example, "= 0.029 +- 0", digits),
        claim("h in a network that gives it", example, "= 0.378 +- 0.0005", h),
        claim("first delta above it", example, "= 0.041 +- 0.0005", first),
        claim("second delta above it", example, "= -0.082 +- 0.0005", second),
        claim("delta of h by the rule", example, "= 0.029 +- 0.0005", rule),
        claim("delta of h by the rule and -gradient apart", example, "< 1e-15", apart),
        claim("error left by the pseudo-code put right", code, "< 1e-3", right),
        claim("error left if the sum is never reset, as printed (wrong)", code, "> 0.5", printed),
        claim("error left with its sign and the delta of 002:294 (wrong)", code, "> 1", upwards),
    ])  # fmt: skip
