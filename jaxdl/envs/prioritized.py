"""Prioritized replay: transitions that there is more to learn from are drawn more often.

"Prioritized experience replay", Schaul et al., 2016, the proportional variant. The probabilities
stand in a sum tree with wide nodes: each is the sum of `WIDTH` children, each level one array. A
million rows need four levels, and a level costs one gather for the whole batch.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs.replay import (
    Key,
    Replay,
    Rows,
    Sample,
    begin,
    empty,
    read,
    require_batch,
    require_capacity,
    require_filled,
    write,
)
from jaxdl.errors import require_number

WIDTH = 32  # children of a node: 8 and 16 are about as fast, 64 and 128 slower

Levels = tuple[jax.Array, ...]  # float32 [nodes * WIDTH] each: the root's children first, the leaves last


class PrioritizedState(struct.PyTreeNode):
    """A ring of rows and the sum tree of their probabilities."""

    rows: Rows  # pytree, [capacity, ...]
    position: jax.Array  # int32 [], where the next rows go
    size: jax.Array  # int32 [], rows filled
    levels: Levels  # probabilities times a constant; a leaf without a row is 0
    largest: jax.Array  # float32 [], the largest leaf so far, which new rows get


def prioritized(
    capacity: int,
    exponent: float | jax.Array = 0.6,
    importance: float | jax.Array = 0.4,
    epsilon: float | jax.Array = 1e-6,
) -> Replay:
    """Row i is drawn with the probability (p_i + epsilon)^exponent over their sum, p its priority.

    A batch of k has one draw out of each k-th part of the sum, so that it is spread better than by
    independent draws. The weights (capacity P(i))^-importance correct the bias, over the largest
    of the batch. New rows get the largest priority so far, so that every row is likely to be seen.

    Args:
      capacity: rows.
      exponent: how much priorities matter, alpha in 0..1; 0 is uniform.
      importance: how much of the bias is corrected, beta in 0..1. The paper lets it grow to 1.
      epsilon: > 0, so that a row without an error is still drawn at times.

    Numbers other than the capacity may be traced, for a study of them. Priorities must be finite
    and >= 0; of several for one row, any one is kept.

    Raises:
      InputError: numbers out of range; else as `uniform`.

    >>> replay = prioritized(capacity=4, exponent=1.0, importance=1.0)
    >>> state = replay.add(replay.init(jnp.float32(0)), jnp.array([10.0, 11.0]))
    >>> state = replay.update(state, jnp.array([0, 1]), jnp.array([1.0, 3.0]))
    >>> batch = replay.sample(state, jax.random.key(0), 4)  # a quarter of the sum belongs to row 0
    >>> batch.rows, batch.weights.round(3)
    (Array([10., 11., 11., 11.], dtype=float32), Array([1.   , 0.333, 0.333, 0.333], dtype=float32))
    """
    require_capacity(capacity)
    for name, share in {"exponent": exponent, "importance": importance}.items():
        require_number(name, share, 0, 1, remedy="try the default")
    require_number("epsilon", epsilon, 0, open_low=True, remedy="try the default")

    def init(row: Any, skip: int = 0) -> PrioritizedState:
        position, size = begin(capacity, skip)
        return PrioritizedState(empty(row, capacity), position, size, build(capacity), jnp.float32(1))

    def add(state: PrioritizedState, rows: Rows) -> PrioritizedState:
        n = len(jax.tree.leaves(rows)[0])
        buffer, position, size = write(state.rows, state.position, state.size, rows)
        leaf = jnp.where(size > 0, state.largest, 0)  # nothing that is skipped can be drawn
        levels = fill(state.levels, state.position, jnp.broadcast_to(leaf, n))
        return PrioritizedState(buffer, position, size, levels, state.largest)

    def sample(state: PrioritizedState, key: Key, batch_size: int) -> Sample:
        require_batch(batch_size)
        require_filled(state.size)
        index, leaves = draw(state.levels, key, batch_size)
        # The constant of the tree and the capacity cancel.
        weights = (leaves.min() / leaves) ** importance
        return Sample(read(state.rows, index), index, weights)

    def update(state: PrioritizedState, index: jax.Array, priorities: jax.Array) -> PrioritizedState:
        leaves = (priorities.astype(jnp.float32) + epsilon) ** exponent
        largest = jnp.maximum(state.largest, leaves.max())
        return state.replace(levels=assign(state.levels, index, leaves), largest=largest)

    return Replay(init, add, sample, update, capacity)


def build(capacity: int) -> Levels:
    """The empty tree, its last level with room for `capacity` leaves.

    >>> [len(level) // WIDTH for level in build(100_000)]  # nodes
    [1, 4, 98, 3125]
    """
    nodes = [-(-capacity // WIDTH)]
    while nodes[-1] > 1:
        nodes.append(-(-nodes[-1] // WIDTH))
    return tuple(jnp.zeros(n * WIDTH, jnp.float32) for n in reversed(nodes))


def fill(levels: Levels, start: jax.Array, values: jax.Array) -> Levels:
    """The tree with `values` [n] in the leaves start..start+n-1, and the sums above them."""
    new: list[jax.Array] = []
    for level in reversed(levels):
        level = jax.lax.dynamic_update_slice_in_dim(level, values, start, axis=0)
        new.append(level)
        children = level.reshape(-1, WIDTH)
        # As many nodes as n neighbours touch at most. Too many do no harm: they are summed again.
        count = min((len(values) - 2) // WIDTH + 2, len(children))
        start = jnp.minimum(start // WIDTH, len(children) - count)
        values = jax.lax.dynamic_slice_in_dim(children, start, count).sum(1)
    return tuple(reversed(new))


def assign(levels: Levels, index: jax.Array, values: jax.Array) -> Levels:
    """The tree with `values` [n] in the leaves `index` [n], and the sums above them.

    Every sum that is touched is taken anew from its children: nothing drifts, and it is right
    whichever value a leaf gets that is named twice.
    """
    new: list[jax.Array] = []
    for level in reversed(levels):
        level = level.at[index].set(values, mode="promise_in_bounds")
        new.append(level)
        index = index // WIDTH
        values = _children(level, index).sum(1)
    return tuple(reversed(new))


def draw(levels: Levels, key: Key, n: int) -> tuple[jax.Array, jax.Array]:
    """n leaves, the i-th out of the i-th part of the sum of all, in proportion to their values.

    Returns:
      Their indices, int32 [n], and their values, [n]: never a leaf that is 0, unless all are.
    """
    # One draw serves two levels: a float32 has not enough digits to tell a million leaves apart.
    draws = jax.random.uniform(key, (-(-len(levels) // 2), n), jnp.float32)
    draws = draws.at[0].set((jnp.arange(n) + draws[0]) / n)
    up_to = jnp.triu(jnp.ones((WIDTH, WIDTH), jnp.float32))
    index, spot, values = jnp.zeros(n, jnp.int32), draws[0], draws[0]
    for depth, level in enumerate(levels):
        children = _children(level, index)
        # A small matrix product: faster than a cumulative sum on the CPU.
        ends = jnp.matmul(children, up_to, precision="highest")
        if depth % 2 == 0:
            spot = draws[depth // 2] * ends[:, -1]
        child = choose(children, ends, spot)
        values, end = (jnp.take_along_axis(x, child[:, None], 1)[:, 0] for x in (children, ends))
        spot = spot - (end - values)
        index = index * WIDTH + child
    return index, values


def choose(children: jax.Array, ends: jax.Array, spot: jax.Array) -> jax.Array:
    """The first child > 0 that ends after the spot; the last child > 0 if rounding left none.

    Args:
      children, ends: [n, WIDTH], values >= 0 and their cumulative sums.
      spot: [n].
    """
    number = jnp.arange(WIDTH, dtype=jnp.int32)[None]
    rank = jnp.where(ends > spot[:, None], 2 * WIDTH - number, number)
    best = jnp.where(children > 0, rank, 0).max(1)
    return jnp.where(best > WIDTH, 2 * WIDTH - best, best)


def _children(level: jax.Array, index: jax.Array) -> jax.Array:
    """The children [n, WIDTH] of the nodes `index` [n] of the level above."""
    return read(level.reshape(-1, WIDTH), index)
