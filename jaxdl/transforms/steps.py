"""More steps in one dispatch, and data that stay on the device."""

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxdl.errors import require, require_number
from jaxdl.learner import ORDER, Batch, Key, Learner, Metrics, State, lift

Rows = Callable[[Key, jax.Array, int, int], jax.Array]  # (key, step, n, batch_size) -> [batch_size]


def resident(learner: Learner, batch_size: int, rows: Rows) -> Learner:
    """Keep the whole data set on the device; every step gathers its own batch.

    The data are an argument of the step, never a constant inside it, and stay as they are in
    memory (images as uint8): only the rows of one batch are ever converted. Under `over_devices` every
    device has all data, and computes its share of the gathered rows.

    Args:
      learner: takes batches of `batch_size` rows.
      batch_size: rows per step.
      rows: which rows step `step` takes out of n, `jaxdl.data.order.rows`.

    Raises:
      InputError: `batch_size` is not in 1..n, the arrays of the data differ in length, or the learner
        refuses a row of them, where they are known.
    """
    require_number("batch_size", batch_size, 1, whole=True, remedy="32 and 128 are usual")

    def gather(state: State, data: Batch) -> Batch:
        index = rows(jax.random.fold_in(state.key, ORDER), state.step, _length(data), batch_size)
        batch = jax.tree.map(lambda x: jnp.asarray(x)[index], data)
        axes = _axes_to_share()
        return jax.lax.with_sharding_constraint(batch, P(axes)) if axes else batch

    def init(key: Key, data: Batch) -> State:
        n = _length(data)
        remedy = f"the data set has {n} rows"
        require(1 <= batch_size <= n, "batch_size", batch_size, f"an integer in 1..{n}", remedy)
        if not any(isinstance(x, Tracer) for x in jax.tree.leaves(data)):
            # What a family refuses in a batch it refuses in any row. Nothing is computed.
            whole = jax.tree.map(np.asarray, data)
            with contextlib.suppress(jax.errors.TracerArrayConversionError):  # it takes rows by its key
                jax.eval_shape(lambda key: learner.init(key, whole), key)
        return learner.init(key, jax.tree.map(lambda x: x[:batch_size], data))

    def step(state: State, data: Batch) -> tuple[State, Metrics]:
        return learner.step(state, gather(state, data))

    inspect = lift(learner, lambda look: lambda state, data: look(state, gather(state, data)))
    return Learner(init, step, inspect, resident=True)


def many_steps(learner: Learner, length: int) -> Learner:
    """`length` steps in one dispatch, as a `lax.scan`; metrics are stacked, [length, ...].

    A resident learner repeats its one batch. Any other takes stacked batches, [length, batch, ...].

    Raises:
      InputError: length < 1, or another number of batches.
    """
    require_number("length", length, 1, whole=True, remedy="1 is a single step")

    def first(batch: Batch) -> Batch:
        return batch if learner.resident else jax.tree.map(lambda x: x[0], batch)

    def init(key: Key, batch: Batch) -> State:
        return learner.init(key, first(batch))

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        if learner.resident:
            return jax.lax.scan(lambda state, _: learner.step(state, batch), state, length=length)
        _check_stack(batch, length)
        return jax.lax.scan(learner.step, state, batch, length=length)

    inspect = lift(learner, lambda look: lambda state, batch: look(state, first(batch)))
    return Learner(init, step, inspect, learner.resident)


def up_to_steps(learner: Learner, length: int) -> Learner:
    """Like `many_steps`, but the number of steps, at most `length`, is given with each call.

    The batch becomes `(count, batch)`. One compiled program serves every count and rounds the
    same way in each, so a run may be cut into chunks anywhere: this is what `jaxdl.run.fit` uses.
    Metrics are [length, ...], of which the first `count` are filled.

    Raises:
      InputError: length < 1, another number of stacked batches, or a count beyond it, where it is known.
    """
    require_number("length", length, 1, whole=True, remedy="1 is a single step")

    def pick(batch: Batch, i: Any) -> Batch:
        return batch if learner.resident else jax.tree.map(lambda x: jnp.asarray(x)[i], batch)

    def init(key: Key, counted: tuple[jax.Array, Batch]) -> State:
        return learner.init(key, pick(counted[1], 0))

    def step(state: State, counted: tuple[jax.Array, Batch]) -> tuple[State, Metrics]:
        count, batch = counted
        require_number("count", count, 0, length, whole=True, remedy="give up_to_steps a larger length")
        if not learner.resident:
            _check_stack(batch, length)

        def body(i: jax.Array, carry: tuple[State, Metrics]) -> tuple[State, Metrics]:
            state, metrics = learner.step(carry[0], pick(batch, i))
            return state, jax.tree.map(lambda all, one: all.at[i].set(one), carry[1], metrics)

        _, one = jax.eval_shape(learner.step, state, pick(batch, 0))
        empty = jax.tree.map(lambda x: jnp.zeros((length, *x.shape), x.dtype), one)
        return jax.lax.fori_loop(0, count, body, (state, empty))

    inspect = lift(learner, lambda look: lambda state, counted: look(state, pick(counted[1], 0)))
    return Learner(init, step, inspect, learner.resident)


def _check_stack(batch: Batch, length: int) -> None:
    found = {x.shape[:1] for x in jax.tree.leaves(batch)}
    remedy = "stack as many batches as there are steps"
    require(found <= {(length,)}, "batch", sorted(found), f"{length} stacked batches", remedy)


def _axes_to_share() -> tuple[str, ...]:
    """The axes of the mesh at hand that rows can be shared over; none without a mesh."""
    mesh = jax.sharding.get_abstract_mesh()
    # Inside of `shard_map` an axis is manual: every device has its own rows already.
    kinds = zip(mesh.axis_names, mesh.axis_types, strict=True)
    return tuple(name for name, kind in kinds if kind == AxisType.Auto)


def _length(data: Batch) -> int:
    lengths = {jnp.shape(x)[:1] for x in jax.tree.leaves(data)}
    remedy = "one row for each example, also of the targets; do the arrays belong together?"
    even = len(lengths) == 1 and lengths != {()}
    require(even, "data", sorted(lengths), "arrays [n, ...] of one and the same length n", remedy)
    return lengths.pop()[0]
