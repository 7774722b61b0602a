"""Where descent ends depends on where it starts: local and global minima (001:645-667).

Reproduces: the curve of 001:645-667 (F3), cos(3 pi x) / x, with its four extrema; inertia of 003:236.
Paper: Polyak 1964, Some methods of speeding up the convergence of iteration methods.
Command: python -m experiments minima
Expected: plain descent ends in its own valley; inertia rolls over a hill that is lower than its start.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.foundations._descend import descend
from jaxdl import plots
from jaxdl.run import Output, Report, claim

ENDS = 0.1, 1.1  # of the curve on the slide


@dataclasses.dataclass(frozen=True)
class Config:
    """Descents from starts all along the curve."""

    learning_rate: float = 5e-4  # small: no step jumps over a hill
    momentum: float = 0.98  # share of the last step that the inertia keeps
    steps: int = 2000  # of every descent
    points: int = 201  # starts of descents, evenly along the curve


def curve(x: jax.Array) -> jax.Array:
    """The function on the slide, elementwise."""
    return jnp.cos(3 * jnp.pi * x) / x


def run(config: Config, out: Output) -> Report:
    """Find the extrema, descend from everywhere, with and without inertia."""
    low, high, lower = extrema()
    x = jnp.linspace(*ENDS, config.points)
    inside = partial(jnp.clip, min=ENDS[0], max=ENDS[1])
    slope = jax.vmap(lambda x: jax.grad(curve)(inside(x)) + 1e3 * (x - inside(x)))  # walls at the ends
    ways = optax.sgd(config.learning_rate), optax.sgd(config.learning_rate, config.momentum)
    plain, inert = (descend(lambda x, _: slope(x), way, x, np.zeros(config.steps)) for way in ways)
    shown = {f"from {start:.2f}": path(plain, x, start) for start in (0.12, high - 0.02, high + 0.02)}
    shown |= {"from 0.12 with inertia": path(inert, x, 0.12)}
    names = ("global maximum", "global minimum", "local maximum", "local minimum")
    places = zip(names, (ENDS[0], low, high, lower), strict=True)
    marks = {name: (at, float(curve(jnp.float32(at)))) for name, at in places}
    line = np.asarray(x), np.asarray(curve(x))
    out.figure("minima", plots.descent_on_a_curve(line, shown, marks, None, "x", "cos(3πx) / x"))
    own = abs(plain[-1] - jnp.where(x < high, low, lower)) < 1e-3
    over = abs(inert[-1] - plain[-1]) > 0.1
    climbed = over & (curve(x) <= marks["local maximum"][1])
    gap = marks["local minimum"][1] - marks["global minimum"][1]
    claims = [
        claim("global minimum below the local one by", "001:645-667", "> 0", gap),
        claim("starts that end in the minimum of their own valley", "001:645-667", "> 0.99", own.mean()),
        claim("starts that inertia takes to another minimum", "002:228", "> 0", over.mean()),
        claim("those of them that had to climb higher than they began", "002:228", "= 0 +- 0", climbed.sum()),
    ]
    return Report(claims, {"extrema": marks})


def extrema() -> list[float]:
    """Where the slope changes its sign: global minimum, local maximum, local minimum."""
    with jax.enable_x64(True):
        x = np.linspace(*ENDS, 100_001)
        slopes = np.asarray(jax.vmap(jax.grad(curve))(jnp.asarray(x)))
    return x[np.flatnonzero(np.diff(np.sign(slopes)))].tolist()


def path(points: np.ndarray, starts: jax.Array, start: float) -> tuple[np.ndarray, np.ndarray]:
    """A few points of the descent that begins nearest to a start."""
    way = points[:, int(np.argmin(abs(np.asarray(starts) - start)))]
    way = way[np.unique(np.geomspace(1, len(way), 40).astype(int)) - 1]
    return way, np.asarray(curve(jnp.asarray(way)))
