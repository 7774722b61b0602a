"""Absolute or squared error, with outliers and without (003:223-228).

Reproduces: L1 = sum |y - yhat| and L2 = sum (y - yhat)^2 of 003:223-228, and which one to prefer (E15, E16).
Paper: Huber 1964, Robust estimation of a location parameter.
Command: python -m experiments outliers
Expected: with Gaussian noise the line of L2 is nearer to the true one, with outliers that of L1.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.foundations import _draw
from jaxdl import losses
from jaxdl.run import Output, Report, claim

TRUE = 0.5, 1.0  # intercept and slope
LOSSES = {"L1": losses.absolute_error, "L2": losses.squared_error}
AT = jnp.linspace(-1.0, 1.0, 101)


@dataclasses.dataclass(frozen=True)
class Config:
    """Points about a line, some of them far off."""

    rows: int = 40  # points
    noise: float = 0.2  # standard deviation about the line
    outliers: float = 0.15  # share of the points that lie `height` too high
    height: float = 4.0  # of an outlier above the line
    steps: int = 3000  # of Adam, whose rate falls from 0.05 to 0
    seeds: int = 100  # sets of points; the first is drawn
    seed: int = 0  # of the first set


def points(config: Config, outliers: bool) -> tuple[jax.Array, jax.Array]:
    """Inputs and targets, [seeds, rows] each; outliers are among the larger inputs, so that lines tilt."""
    drawn = [np.random.default_rng(seed) for seed in range(config.seed, config.seed + config.seeds)]
    x = np.stack([np.sort(generator.uniform(-1, 1, config.rows)) for generator in drawn])
    noise = np.stack([config.noise * generator.normal(size=config.rows) for generator in drawn])
    y = TRUE[0] + TRUE[1] * x + noise
    if outliers:
        y[:, config.rows - max(1, round(config.outliers * config.rows)) :] += config.height
    return jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)


def fit(loss: losses.ExampleLoss, x: jax.Array, y: jax.Array, steps: int) -> jax.Array:
    """Intercept and slope [2] of the line with the least sum of losses over points [rows]."""
    adam = optax.adam(optax.linear_schedule(0.05, 0.0, steps))

    def total(line: jax.Array) -> jax.Array:
        return jax.vmap(loss)(line[0] + line[1] * x, y).mean()

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        line, state = carry
        updates, state = adam.update(jax.grad(total)(line), state)
        return (line + updates, state), None

    start = jnp.zeros(2)
    return jax.lax.scan(step, (start, adam.init(start)), length=steps)[0][0]


def run(config: Config, out: Output) -> Report:
    """Fit both lines to both kinds of points, measure how far they are from the true one."""
    claims, shown, found = [], {}, {}
    truth = TRUE[0] + TRUE[1] * AT
    pair = jnp.array([1.0, -2.0]), jnp.array([0.0, 1.0])
    for (name, loss), source, value in zip(LOSSES.items(), ("003:223", "003:226"), (4, 10), strict=True):
        claims.append(claim(f"{name} of (1, -2) against (0, 1)", source, f"= {value} +- 0", loss(*pair)))
    for kind, outliers in (("without outliers", False), ("with outliers", True)):
        x, y = points(config, outliers)
        lines = {name: jax.jit(jax.vmap(lambda x, y, loss=loss: fit(loss, x, y, config.steps)))(x, y)
                 for name, loss in LOSSES.items()}  # fmt: skip
        far = {name: np.sqrt(np.mean((line[:, :1] + line[:, 1:] * AT[None] - truth[None]) ** 2, axis=1))
               for name, line in lines.items()}  # fmt: skip
        less, more = ("L1", "L2") if outliers else ("L2", "L1")
        text = f"{kind}: distance to the true line, {more} less {less}"
        claims.append(claim(text, "003:226-228", "> 0", far[more] - far[less]))
        shown[kind] = np.asarray(x[0]), np.asarray(y[0])
        found[kind] = {name: np.asarray(line[0]) for name, line in lines.items()}
    out.figure("lines", _draw.lines(shown, found, TRUE))
    return Report(claims)
