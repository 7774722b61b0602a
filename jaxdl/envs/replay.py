"""The replay buffer: past transitions to learn from again, as a pytree that stays on the device.

"Self-improving reactive agents based on reinforcement learning, planning and teaching", Lin, 1992;
in deep Q-learning since Mnih et al., 2015. A buffer is a ring of rows, each one transition, and
is written in place: inside a `lax.scan` nothing of its size is copied, so that the time of a step
hardly depends on the capacity. Two things are for the caller to do: donate the state at the border
of a `jax.jit`, and within one step add first, then sample. The other way round XLA keeps a copy of
what the sample may still read.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.core import Tracer

from jaxdl.errors import require, require_number

Key = jax.Array  # a typed key, `jax.random.key(seed)`
Rows = Any  # pytree of arrays [rows, ...]


class Sample(NamedTuple):
    """Transitions out of the buffer."""

    rows: Rows  # pytree, [batch_size, ...]
    # Stands before tuple's own method of that name.
    index: jax.Array  # int32 [batch_size], for `update`  # pyright: ignore[reportIncompatibleMethodOverride]
    weights: jax.Array  # float32 [batch_size], what each counts for in the loss, in 0..1


class Replay(NamedTuple):
    """A kind of replay buffer: pure functions of its state.

    init: (row, skip=0) -> state. `row` is one transition, a pytree of arrays or
        `jax.ShapeDtypeStruct`; its values are not used. The first `skip` rows that are added, a
        multiple of n below, are never drawn: a step whose returns are not complete can add, too.
    add: (state, rows [n, ...]) -> state. The rows take the place of the oldest ones. n may be
        any number that divides the capacity, but the same in every call.
    sample: (state, key, batch_size) -> `Sample`, with replacement, out of the rows that have
        been filled, of which there must be one.
    update: (state, index int32 [batch_size], priorities float32 [batch_size] >= 0) -> state.
        How much there is still to learn from these rows, such as |TD errors|.
    capacity: rows that the buffer holds.
    """

    init: Callable[..., Any]
    add: Callable[[Any, Rows], Any]
    sample: Callable[[Any, Key, int], Sample]
    update: Callable[[Any, jax.Array, jax.Array], Any]
    capacity: int


class UniformState(struct.PyTreeNode):
    """A ring of rows."""

    rows: Rows  # pytree, [capacity, ...]
    position: jax.Array  # int32 [], where the next rows go
    size: jax.Array  # int32 [], rows filled; below 0 while rows are skipped


def uniform(capacity: int) -> Replay:
    """Every row that is there is drawn with the same probability, independently; weights are 1.

    The same to one part in 2**32 / rows: the remainder of 32 random bits is what is drawn.

    Raises:
      InputError: a capacity below 1; in `add`, a number of rows that does not divide it, or rows
        of another structure, shape or dtype; in `sample`, a batch below 1, or no rows.

    >>> replay = uniform(capacity=4)
    >>> state = replay.init(jnp.float32(0))
    >>> for rows in ([1.0, 2.0], [3.0, 4.0], [5.0, 6.0]):
    ...     state = replay.add(state, jnp.array(rows))
    >>> state.rows, int(state.position), int(state.size)
    (Array([5., 6., 3., 4.], dtype=float32), 2, 4)
    >>> replay.sample(state, jax.random.key(0), 3).weights
    Array([1., 1., 1.], dtype=float32)
    """
    require_capacity(capacity)

    def init(row: Any, skip: int = 0) -> UniformState:
        return UniformState(empty(row, capacity), *begin(capacity, skip))

    def add(state: UniformState, rows: Rows) -> UniformState:
        return UniformState(*write(state.rows, state.position, state.size, rows))

    def sample(state: UniformState, key: Key, batch_size: int) -> Sample:
        require_batch(batch_size)
        require_filled(state.size)
        bits = jax.random.bits(key, (batch_size,), jnp.uint32)
        index = (bits % state.size.astype(jnp.uint32)).astype(jnp.int32)
        return Sample(read(state.rows, index), index, jnp.ones(batch_size, jnp.float32))

    def update(state: UniformState, index: jax.Array, priorities: jax.Array) -> UniformState:
        return state

    return Replay(init, add, sample, update, capacity)


def empty(row: Any, capacity: int) -> Rows:
    """Zeros for `capacity` rows like the one given."""
    return jax.tree.map(lambda x: jnp.zeros((capacity, *jnp.shape(x)), x.dtype), row)


def begin(capacity: int, skip: int) -> tuple[jax.Array, jax.Array]:
    """Position and size of an empty ring: what is skipped goes to its end, and is overwritten there.

    >>> begin(capacity=16, skip=4)
    (Array(12, dtype=int32), Array(-4, dtype=int32))
    """
    return jnp.int32(-skip % capacity), jnp.int32(-skip)


def write(
    buffer: Rows, position: jax.Array, size: jax.Array, rows: Rows
) -> tuple[Rows, jax.Array, jax.Array]:
    """The buffer with the rows at `position`, the position after them, and the rows then filled.

    Raises:
      InputError: rows that do not fit; because their number divides the capacity and the position
        they never run over the end, and one slice is enough. A position that is traced passes.
    """
    capacity, n = len(jax.tree.leaves(buffer)[0]), _count(rows)
    divides = n >= 1 and capacity % n == 0
    remedy = "change the capacity or the environments"
    require(divides, "rows to add", n, f"a divisor of the capacity {capacity}", remedy)
    whole = isinstance(position, Tracer) or int(position) % n == 0
    require(whole, "rows to add", n, f"a divisor of the position {position}", "add as many in every call")
    expected = jax.tree.map(lambda x: jax.ShapeDtypeStruct((n, *x.shape[1:]), x.dtype), buffer)
    given = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), rows)
    require(given == expected, "rows to add", given, f"{expected}", "they must be like the row of `init`")

    def put(old: jax.Array, new: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice_in_dim(old, new, position, axis=0)

    buffer = jax.tree.map(put, buffer, rows)
    return buffer, (position + n) % capacity, jnp.minimum(size + n, capacity)


def read(buffer: Rows, index: jax.Array) -> Rows:
    """The rows at `index` int32 [batch_size], which must be in 0..capacity-1."""
    return jax.tree.map(lambda x: x.at[index].get(mode="promise_in_bounds"), buffer)


def _count(rows: Rows) -> int:
    leaves = jax.tree.leaves(rows)
    return len(leaves[0]) if leaves and leaves[0].ndim else 0


def require_capacity(capacity: int) -> None:
    """Raise `InputError` unless there is room for a row, and int32 can count them."""
    valid = isinstance(capacity, int) and 1 <= capacity < 2**31
    require(valid, "capacity", capacity, "an integer in 1..2**31-1", "10,000 to 1,000,000 are usual")


def require_filled(size: jax.Array) -> None:
    """Raise `InputError` unless a row has been filled; a size that is traced passes."""
    require_number("rows filled", size, 1, whole=True, remedy="add rows before you sample")


def require_batch(batch_size: int) -> None:
    """Raise `InputError` unless a batch has a row."""
    require_number("batch_size", batch_size, 1, whole=True, remedy="32 and 64 are usual")
