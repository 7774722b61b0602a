"""What becomes of the weights of each layer: compared with those that a run began with, on the device."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxdl.learner import State, path_name


class Kernel(NamedTuple):
    """What became of the weights of one layer since the run began."""

    name: str  # path, such as "dense1/kernel"
    began: float  # Euclidean norm at the start
    norm: float  # now
    change: float  # norm of the difference
    same: bool  # every bit is as it was
    distinct_began: float  # share of its units (last axis) whose weights differ, at the start
    distinct: float  # now


def parameters(states: State) -> dict[str, jax.Array]:
    """The kernels (arrays of two axes or more for each seed) of stacked states, by path."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(states):
        names = [getattr(key, "name", None) for key in path]
        if "params" in names and leaf.ndim >= 3 and leaf.shape[-1] >= 1:
            parts = [x for x in path_name(path).split("/") if x not in ("state", "net", "params")]
            found["/".join(parts)] = leaf
    return found


@jax.jit
def compare(begun: dict[str, jax.Array], now: dict[str, jax.Array]) -> jax.Array:
    """Norm now, norm of the change, and 1 where every bit is the same, [kernels, seeds, 3]."""

    def one(a: jax.Array, b: jax.Array) -> jax.Array:
        a, b = a.ravel().astype(jnp.float32), b.ravel().astype(jnp.float32)
        return jnp.stack([jnp.linalg.norm(b), jnp.linalg.norm(b - a), (a == b).all().astype(jnp.float32)])

    return _each(lambda name: jax.vmap(one)(begun[name], now[name]), now, 3)


@jax.jit
def distinct(kernels: dict[str, jax.Array]) -> jax.Array:
    """Norm, and the share of the units that differ by more than rounding, [kernels, seeds, 2].

    Units, the columns of [in, units], are told apart by their product with one random vector,
    sorted. A single unit has no other to be like.
    """

    def one(kernel: jax.Array) -> jax.Array:
        kernel = kernel.reshape(-1, kernel.shape[-1]).astype(jnp.float32)
        units = kernel.shape[1]
        places = jnp.sort(jax.random.normal(jax.random.key(0), (kernel.shape[0],)) @ kernel)
        apart = (jnp.diff(places) > 1e-5 * jnp.abs(places).max()).sum()
        return jnp.stack([jnp.linalg.norm(kernel), (1 + apart) / units if units > 1 else jnp.float32(1)])

    return _each(lambda name: jax.vmap(one)(kernels[name]), kernels, 2)


def _each(measure: Callable[[str], jax.Array], kernels: dict[str, jax.Array], numbers: int) -> jax.Array:
    return jnp.stack([measure(name) for name in kernels]) if kernels else jnp.zeros((0, 1, numbers))
