"""Activation functions with their derivatives, and what follows from these (001:537-548, 002:184-217).

Reproduces: 001:537-548, 002:184-204, 003:183-206 (F12); outputs for two and for several classes (F15).
Paper: Hochreiter 1991 (vanishing gradients); Glorot, Bordes, Bengio 2011, Deep sparse rectifier networks.
Command: python -m experiments activations
Expected: gradients vanish through sigmoids, not through ReLUs; the softmax of (0, x) is the sigmoid of x.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import models, plots
from jaxdl.run import Output, Report, claim

LAYERS = 10  # activations behind each other, for the gradient that vanishes


@dataclasses.dataclass(frozen=True)
class Config:
    """What is drawn."""

    points: int = 601  # net inputs, evenly from -6 to 6


def run(config: Config, out: Output) -> Report:
    """Draw the functions and measure what the slides say about them."""
    x = jnp.linspace(-6, 6, config.points)
    draw(x, out)
    printed = 1 / (1 + jnp.exp(-x))
    general = abs(models.sigmoid(x, slope=1.0, threshold=0.0) - printed).max()
    steep = abs(models.sigmoid(x, slope=4.0, threshold=2.0) - 1 / (1 + jnp.exp(-4 * (x - 2)))).max()
    pair = jax.nn.softmax(jnp.stack([jnp.zeros_like(x), x], 1))[:, 1]
    slope = jax.vmap(jax.grad(models.sigmoid))(x).max()
    deep = jax.vmap(jax.grad(lambda x: behind_each_other(models.sigmoid, x)))(x).max()
    deep_relu = jax.grad(lambda x: behind_each_other(models.relu, x))(1.0)
    deep_linear = jax.grad(lambda x: behind_each_other(models.linear, x))(1.0)
    silent = jnp.mean(models.relu(x) == 0)
    far = models.linear(jnp.float32(1e6))
    return Report([
        claim("sigmoid with slope 1, threshold 0, from 1 / (1 + exp(-x))", "003:192-195", "< 1e-6", general),
        claim("sigmoid with slope 4, threshold 2, from 1/(1 + exp(8 - 4x))", "003:192-195", "< 1e-6", steep),
        claim("largest slope of the sigmoid", "002:210-217", "= 0.25 +- 1e-4", slope),
        claim("largest gradient through 10 sigmoids, at most 4^-10", "002:196", "<= 9.54e-7", deep),
        claim("gradient through 10 linear units (the slide says that it vanishes)", "002:194-196", "= 1 +- 0",
              deep_linear),
        claim("gradient through 10 ReLUs", "002:199", "= 1 +- 0", deep_relu),
        claim("share of the net inputs for which a ReLU is silent", "002:200", "= 0.5 +- 0.01", silent),
        claim("the linear activation at 1e6 (the slide calls it bounded)", "002:194-195", "= 1e6 +- 0", far),
        claim("softmax of (0, x) from sigmoid(x)", "002:210-217", "< 1e-6", abs(pair - printed).max()),
    ])  # fmt: skip


def behind_each_other(activation: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """A chain of `LAYERS` neurons, all with a weight of 1."""
    return jax.lax.fori_loop(0, LAYERS, lambda _, h: activation(h), x)


def draw(x: jax.Array, out: Output) -> None:
    """Every activation with its derivative; outputs for two and for three classes."""

    def line(values: jax.Array) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(x), np.asarray(values)[:, None]

    functions = {name: {"f": line(f(x)), "derivative": line(jax.vmap(jax.grad(f))(x))}
                 for name, f in models.ACTIVATIONS.items()}  # fmt: skip
    steep = {f"slope {slope}, threshold {at}": line(models.sigmoid(x, slope, at))
             for slope, at in ((1, 0), (4, 0), (1, 2))}  # fmt: skip
    out.figure("activations", plots.series({**functions, "sigmoid, 003:192-195": steep}, "net input"))
    two, three = models.sigmoid(x), jax.nn.softmax(jnp.stack([x, 0 * x, -x - 2], 1))
    binary = {"yes": line(two), "no": line(1 - two)}
    many = {f"class {i + 1}": line(three[:, i]) for i in range(3)}
    panels = {"two classes: sigmoid(x)": binary, "three: softmax of (x, 0, -x - 2)": many}
    out.figure("outputs", plots.series(panels, "x"))
