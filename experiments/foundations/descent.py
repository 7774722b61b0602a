"""Ways down an error surface: plain descent, mini-batches, inertia, Adam (001:767-788, 003:230-238).

Reproduces: the error over two weights and descents on it (F6, F16, F43), and dw = -eta grad E of 001:780.
Paper: Polyak 1964 (inertia); Kingma, Ba 2015, Adam: a method for stochastic optimization.
Command: python -m experiments descent
Expected: no direction falls faster than -gradient; all end near the minimum; inertia needs fewer steps.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.foundations._descend import descend
from jaxdl import plots
from jaxdl.run import Output, Report, claim

START = -1.2, 0.4
TRUE = 1.0, 1.5  # weights of the line that the points lie about


@dataclasses.dataclass(frozen=True)
class Config:
    """A line yhat = w0 + w1 x fitted to noisy points."""

    rows: int = 100  # examples
    learning_rate: float = 0.05  # eta; Adam, whose steps have a length of their own, takes four times it
    momentum: float = 0.9  # share of the last step that the inertia keeps
    batch_size: int = 5  # examples of a mini-batch
    noise: float = 0.3  # standard deviation of the targets about the line
    steps: int = 300  # of every descent
    seed: int = 0  # of the points and the mini-batches


def run(config: Config, out: Output) -> Report:
    """Descend in four ways from one start."""
    generator = np.random.default_rng(config.seed)
    x = generator.uniform(-0.4, 1.6, config.rows)  # not centred, so that the valley is oblique
    y = TRUE[0] + TRUE[1] * x + config.noise * generator.normal(size=config.rows)
    data, best = jnp.array([x, y], jnp.float32), np.polyfit(x, y, 1)[::-1]
    everything = np.tile(np.arange(config.rows), (config.steps, 1))
    some, rate = generator.integers(config.rows, size=(config.steps, config.batch_size)), config.learning_rate
    ways = {
        "gradient descent": (optax.sgd(rate), everything),
        "mini-batches": (optax.sgd(rate), some),
        "momentum": (optax.sgd(rate, config.momentum), everything),
        "mini-batches, momentum": (optax.sgd(rate * (1 - config.momentum), config.momentum), some),
        "Adam": (optax.adam(4 * rate), everything),
    }
    paths = {name: descend(lambda w, seen: jax.grad(error)(w, data[:, seen]), optimizer, START, rows)
             for name, (optimizer, rows) in ways.items()}  # fmt: skip
    errors = jax.vmap(error, (0, None))
    w0, w1 = np.linspace(-1.6, 2.6, 121), np.linspace(-0.4, 3.6, 121)
    surface = errors(jnp.array(np.stack(np.meshgrid(w0, w1), -1).reshape(-1, 2), jnp.float32), data)
    down = -np.asarray(jax.grad(error)(jnp.array(START), data))
    arrow, surface = (np.array(START), down / np.linalg.norm(down)), np.reshape(surface, (121, 121))
    out.figure("surface", plots.error_surface(w0, w1, surface, paths, arrow))
    angles = np.linspace(-math.pi, math.pi, 721)
    around = jnp.array(arrow[0] + 1e-2 * np.stack([np.cos(angles), np.sin(angles)], 1), jnp.float32)
    steepest = angles[np.argmin(errors(around, data))]
    needed = {name: steps_to(path, best) for name, path in paths.items()}
    return Report([
        claim("degrees between -gradient and the direction that falls most", "001:767-788", "< 1",
              abs(math.degrees(steepest - math.atan2(down[1], down[0])))),
        *(claim(f"distance to the best weights, {name}", "001:767-788",
                "< 0.3" if name.startswith("mini") else "< 0.05", np.linalg.norm(path[-1] - best))
          for name, path in paths.items()),
        claim("steps of momentum to a distance of 0.1, over those without", "003:236", "< 1",
              needed["momentum"] / needed["gradient descent"]),
    ], {"best": best.tolist(), "steps to a distance of 0.1": needed})  # fmt: skip


def error(w: jax.Array, data: jax.Array) -> jax.Array:
    """E(w): mean squared error of the line over data [2, examples]."""
    return jnp.mean((w[0] + w[1] * data[0] - data[1]) ** 2)


def steps_to(path: np.ndarray, best: np.ndarray) -> int:
    """Steps after which a descent stays within 0.1 of the best weights."""
    far = np.linalg.norm(path - best, axis=1) > 0.1
    return int(len(far) - np.argmax(far[::-1]))
