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

from jaxdl import plots
from jaxdl.run import Output, Report, claim

START = -1.0, 3.0
TRUE = 1.0, 1.5  # the weights that made the data


@dataclasses.dataclass(frozen=True)
class Config:
    """A line yhat = w0 + w1 x fitted to noisy points."""

    rows: int = 100  # examples
    learning_rate: float = 0.05  # eta, of all but Adam, whose steps have a length of their own
    adam_rate: float = 0.2  # of Adam
    momentum: float = 0.9  # share of the last step that the inertia keeps
    batch_size: int = 5  # examples of a mini-batch
    noise: float = 0.3  # standard deviation of the targets about the line
    steps: int = 300  # of every descent
    seed: int = 0  # of the points and the mini-batches


def run(config: Config, out: Output) -> Report:
    """Descend in four ways from one start."""
    generator = np.random.default_rng(config.seed)
    x = generator.uniform(0, 2, config.rows)  # not centred, so that the valley is narrow and oblique
    y = TRUE[0] + TRUE[1] * x + config.noise * generator.normal(size=config.rows)
    data = jnp.stack([x, y]).astype(jnp.float32)
    best = np.polyfit(x, y, 1)[::-1].astype(np.float32)
    everything = jnp.tile(jnp.arange(config.rows), (config.steps, 1))
    some = jax.random.randint(jax.random.key(config.seed), (config.steps, config.batch_size), 0, config.rows)
    rate, inert = optax.sgd(config.learning_rate), optax.sgd(config.learning_rate, config.momentum)
    paths = {
        "gradient descent": descend(rate, data, everything),
        f"SGD, batches of {config.batch_size}": descend(rate, data, some),
        f"momentum {config.momentum:g}": descend(inert, data, everything),
        "Adam": descend(optax.adam(config.adam_rate), data, everything),
    }
    w0, w1 = np.linspace(-1.6, 2.6, 121), np.linspace(-0.4, 3.6, 121)
    grid = jnp.asarray(np.stack(np.meshgrid(w0, w1), -1), jnp.float32)
    surface = jax.vmap(jax.vmap(lambda w: error(w, data)))(grid)
    slope = jax.grad(error)(jnp.array(START), data)
    arrow = np.array(START), -np.asarray(slope) / float(jnp.linalg.norm(slope))
    out.figure("surface", plots.error_surface(w0, w1, np.asarray(surface), paths, arrow))
    angles = jnp.linspace(0, 2 * math.pi, 721)
    around = jnp.array(START) + 1e-2 * jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1)
    steepest = around[jnp.argmin(jax.vmap(lambda w: error(w, data))(around))] - jnp.array(START)
    off = jnp.degrees(
        jnp.arccos(jnp.dot(steepest, -slope) / jnp.linalg.norm(steepest) / jnp.linalg.norm(slope))
    )
    needed = {name: steps_to(path, best) for name, path in paths.items()}
    claims = [
        claim("degrees between -gradient and the direction that falls most", "001:767-788", "< 1", off),
        *(claim(f"distance to the best weights, {name}", "001:767-788", "< 0.3" if "SGD" in name else "< 0.05",
                np.linalg.norm(path[-1] - best)) for name, path in paths.items()),
        claim("steps of inertia to a distance of 0.1, over those without", "003:236", "< 1",
              needed[f"momentum {config.momentum:g}"] / needed["gradient descent"]),
    ]  # fmt: skip
    return Report(claims, {"best": best.tolist(), "steps to a distance of 0.1": needed})


def error(w: jax.Array, data: jax.Array) -> jax.Array:
    """E(w): mean squared error of the line over data [2, examples]."""
    return jnp.mean((w[0] + w[1] * data[0] - data[1]) ** 2)


def descend(optimizer: optax.GradientTransformation, data: jax.Array, rows: jax.Array) -> np.ndarray:
    """The weights [steps + 1, 2] of a descent whose step i sees the examples rows[i]."""

    def step(carry, chosen):
        w, state = carry
        updates, state = optimizer.update(jax.grad(error)(w, data[:, chosen]), state)
        return (w + updates, state), w + updates

    start = jnp.array(START)
    return np.concatenate([start[None], jax.lax.scan(step, (start, optimizer.init(start)), rows)[1]])


def steps_to(path: np.ndarray, best: np.ndarray) -> int:
    """Steps after which a descent stays within 0.1 of the best weights."""
    far = np.linalg.norm(path - best, axis=1) > 0.1
    return int(len(far) - np.argmax(far[::-1]))
