"""Triplets: how many there are, their loss, and which of them teach something (003:1205-1233).

Reproduces: the loss of 003:1217 (E37), 10^18 triplets of 10^6 faces (N18), semi-hard ones (P22), F34.
Paper: Schroff, Kalenichenko, Philbin 2015, FaceNet: a unified embedding for face recognition and clustering.
Command: python -m experiments triplets
Expected: 10^18 triplets, 1.9 10^13 of them valid; no gradient where the positive is nearer by the margin.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.foundations._descend import descend
from experiments.foundations._triplets import draw, loss, valid
from jaxdl.run import Output, Report, claim

FACES = 10**6  # 003:1228


@dataclasses.dataclass(frozen=True)
class Config:
    """Triplets of points in the plane."""

    per_person: int = 20  # faces of one person, for the triplets that are valid
    margin: float = 0.5  # alpha
    triplets: int = 8  # that are moved by the gradient of their loss
    steps: int = 200  # of gradient descent
    learning_rate: float = 0.02  # of it
    seed: int = 0  # of the points


def losses(points: jax.Array, margin: float) -> jax.Array:
    """The loss of each triplet, [triplets], of points [3, triplets, 2]."""
    return jax.vmap(loss, (0, 0, 0, None))(points[0], points[1], points[2], margin)


def run(config: Config, out: Output) -> Report:
    """Count, look at the loss around an anchor, move triplets along its gradient, draw."""
    people = np.repeat(np.arange(3), 4)
    listed = sum(people[a] == people[p] and a != p and people[a] != people[n]
                 for a, p, n in itertools.product(range(12), repeat=3))  # fmt: skip
    values, anchor, positive = np.linspace(-1.6, 1.6, 161), jnp.zeros(2), jnp.array([0.7, 0.0])
    plane = jnp.array(np.stack(np.meshgrid(values, values), -1).reshape(-1, 2), jnp.float32)
    around = jax.vmap(jax.value_and_grad(loss, argnums=2), (None, None, 0, None))
    height, slope = around(anchor, positive, plane, config.margin)
    far = jnp.sum(plane**2, axis=1)
    easy, hard = far > 0.49 + config.margin + 1e-5, far < 0.49
    semi_hard = ~easy & ~hard & (far < 0.49 + config.margin - 1e-5)
    points = np.random.default_rng(config.seed).normal(size=(3, config.triplets, 2)) * 0.6
    slopes = jax.grad(lambda x, _: losses(x, config.margin).sum())
    path = descend(slopes, optax.sgd(config.learning_rate), points, np.zeros(config.steps))
    before, after = (np.asarray(losses(jnp.asarray(path[at]), config.margin)) for at in (0, -1))
    named = {name: path[:, i] for i, name in enumerate(("anchor", "positive", "negative"))}
    shown = np.asarray(height).reshape(len(values), len(values))
    out.figure("triplets", draw(values, shown, 0.7, config.margin, named))
    found = valid(FACES, config.per_person)
    teach = [int((x > 0).sum()) for x in (before, after)]
    return Report([
        claim("triplets of 10^6 faces, over 10^18", "003:1228", "= 1 +- 0", FACES**3 / 10**18),
        claim("share of them that are valid, 20 faces a person", "003:1228", "< 1e-4", found / FACES**3),
        claim("valid triplets of 12 faces by formula less those listed", "003:1228", "= 0 +- 0",
              valid(12, 4) - listed),
        claim("largest gradient where the positive is nearer by the margin", "003:1232", "= 0 +- 0",
              jnp.abs(slope[easy]).max()),
        claim("largest loss of semi-hard triplets over the margin", "003:1220-1232", "<= 1",
              height[semi_hard].max() / config.margin),
        claim("least loss of hard triplets over the margin", "003:1220-1232", ">= 1",
              height[hard].min() / config.margin),
        claim("mean loss after descent over that before", "003:1205-1217", "< 0.01",
              after.mean() / before.mean()),
    ], {"valid triplets": found, "triplets that teach something, before and after": teach})  # fmt: skip
