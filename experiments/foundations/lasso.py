"""Lasso against ridge on inputs that are nearly the same: one selects, the other shares (003:278-296).

Reproduces: 003:288-296, both regressions, and what distinguishes them on correlated inputs (F18).
Paper: Tibshirani 1996, Regression shrinkage and selection via the lasso; Hoerl, Kennard 1970 (ridge).
Command: python -m experiments lasso
Expected: lasso sets the weights of idle inputs to exactly 0; ridge never, and gives twins equal weights.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import plots
from jaxdl.run import Output, Report, claim

# Weights that made the targets: of an input, of its twin, of a third, and of three that do nothing.
TRUE = {"a": 2.0, "twin of a": 0.0, "b": -1.0, "c": 0.0, "d": 0.0, "e": 0.0}


@dataclasses.dataclass(frozen=True)
class Config:
    """A linear regression with two inputs that are nearly the same."""

    rows: int = 60  # examples
    correlation: float = 0.95  # of the twins
    noise: float = 0.5  # standard deviation of the targets
    weight: float = 30.0  # p of the slide, where the two are compared
    seeds: int = 20  # data sets; the first is drawn
    seed: int = 0  # of the first


def data(config: Config) -> tuple[jax.Array, jax.Array]:
    """Inputs [seeds, rows, 6] and targets [seeds, rows]."""
    generator = np.random.default_rng(config.seed)
    x = generator.normal(size=(config.seeds, config.rows, len(TRUE)))
    x[..., 1] = config.correlation * x[..., 0] + np.sqrt(1 - config.correlation**2) * x[..., 1]
    y = x @ np.array(list(TRUE.values())) + config.noise * generator.normal(size=x.shape[:2])
    return jnp.array(x, jnp.float32), jnp.array(y, jnp.float32)


def lasso(x: jax.Array, y: jax.Array, p: Any) -> jax.Array:
    """The minimum of |y - x w|^2 + p |w|_1 by proximal steps (Daubechies, Defrise, De Mol 2004)."""
    rate = 0.5 / jnp.linalg.eigvalsh(x.T @ x)[-1]

    def step(_: int, w: jax.Array) -> jax.Array:
        w = w - rate * 2 * x.T @ (x @ w - y)
        return jnp.sign(w) * jnp.maximum(jnp.abs(w) - rate * p, 0)

    return jax.lax.fori_loop(0, 3000, step, jnp.zeros(x.shape[1]))


def ridge(x: jax.Array, y: jax.Array, p: Any) -> jax.Array:
    """The minimum of |y - x w|^2 + p |w|_2^2, in closed form."""
    return jnp.linalg.solve(x.T @ x + p * jnp.eye(x.shape[1]), x.T @ y)


def run(config: Config, out: Output) -> Report:
    """Solve for many p on the first data set, and for one p on all."""
    x, y = data(config)
    weights = np.geomspace(0.1, 1000, 60)
    panels, found = {}, []
    for name, solve in {"lasso (L1)": lasso, "ridge (L2)": ridge}.items():
        paths = np.asarray(jax.vmap(partial(solve, x[0], y[0]))(jnp.array(weights, jnp.float32)))
        panels[name] = {each: (weights, paths[:, i : i + 1]) for i, each in enumerate(TRUE)}
        found.append(np.asarray(jax.vmap(partial(solve, p=config.weight))(x, y)))
    figure = plots.series(panels, "p")
    for axis in figure.axes:
        axis.set(xscale="log", ylabel="weight")
    out.figure("paths", figure)
    idle = [(each[:, 3:] == 0).mean(1) for each in found]
    apart = [abs(each[:, 0] - each[:, 1]) for each in found]
    source = "003:288-296"
    return Report([
        claim("share of the idle inputs with a weight of exactly 0, lasso", source, "> 0.5", idle[0]),
        claim("share of the idle inputs with a weight of exactly 0, ridge", source, "= 0 +- 0", idle[1]),
        claim("distance of the twins' weights, ridge over lasso", source, "< 0.5", apart[1] / apart[0]),
    ])  # fmt: skip
