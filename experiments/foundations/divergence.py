"""Descent diverges above a learning rate that can be computed beforehand (001:698-721).

Reproduces: the step w - alpha dloss/dw on the data of 001:731, one by one and on the mean; 002:247.
Paper: Robbins, Monro 1951, A stochastic approximation method.
Command: python -m experiments divergence
Expected: it converges up to the rate 0.2040 one by one, and up to 3/14 = 0.2142857 on the mean gradient.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.foundations.regression import X, Y, cost
from jaxdl import plots
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """The rates that are tried."""

    start: float = 1.0  # the initial weight
    epochs: int = 20  # passes over the three examples
    points: int = 201  # learning rates, evenly from 0 to 0.25


def run(config: Config, out: Output) -> Report:
    """Descend with many rates at once, and compare with where the theory says that it turns."""
    rates = np.linspace(0, 0.25, config.points)
    ways = {"one by one": (one_by_one, X**2), "mean gradient": (together, np.mean(X**2, keepdims=True))}
    curves, claims = {}, []
    expected = {"one by one": "= 0.2040 +- 5e-5", "mean gradient": "= 0.2142857 +- 5e-8"}
    with jax.enable_x64(True):
        for name, (one_pass, squares) in ways.items():
            left = jax.vmap(lambda rate, go=one_pass: distance(go, config.start, rate, config.epochs))
            limit = largest_rate(squares)
            near, far = np.asarray(left(jnp.array([limit - 1e-5, limit + 1e-5]))) / abs(config.start - 2)
            curves[name] = rates, np.asarray(left(jnp.asarray(rates)))[:, None]
            claims += [
                claim(f"largest rate that converges, {name}", "001:698-721", expected[name], limit),
                claim(f"error over that at the start, 1e-5 below it, {name}", "001:698-721", "< 1", near),
                claim(f"error over that at the start, 1e-5 above it, {name}", "001:698-721", "> 1", far),
            ]
        theta = np.array([0.5, 1.2])
        printed = np.mean((theta[0] + theta[1] * X - Y) * X)
        true = jax.grad(lambda theta: ((theta[0] + theta[1] * X - Y) ** 2).mean())(theta)[1]
    claims.append(claim("gradient of the cost over the formula printed, which lacks the 2", "002:247",
                        "= 2 +- 1e-12", float(true) / printed))  # fmt: skip
    title = f"error of w after {config.epochs} passes"
    out.figure("divergence", plots.series({title: curves}, "learning rate", [title]))
    return Report(claims)


def one_by_one(w: jax.Array, rate: jax.Array) -> jax.Array:
    """A pass with one step per example (001:733-738)."""
    for x, y in zip(X, Y, strict=True):
        w = w - rate * jax.grad(cost)(w, x, y)
    return w


def together(w: jax.Array, rate: jax.Array) -> jax.Array:
    """A pass with one step on the mean of the examples (001:636)."""
    return w - rate * jax.grad(lambda w: cost(w, X, Y).mean())(w)


def distance(one_pass: Callable, start: float, rate: jax.Array, epochs: int) -> jax.Array:
    """|w - 2| after some passes."""
    return jnp.abs(jax.lax.fori_loop(0, epochs, lambda _, w: one_pass(w, rate), jnp.asarray(start)) - 2)


def largest_rate(squares: np.ndarray) -> float:
    """The smallest rate at which steps of factors 1 - 2 rate x^2 do not bring w nearer to 2."""
    left = functools.reduce(np.polymul, [np.array([-2 * square, 1]) for square in squares])
    roots = np.concatenate([np.roots(np.polysub(left, [end])) for end in (1, -1)])
    return min(root.real for root in roots if abs(root.imag) < 1e-9 and root.real > 1e-9)
