"""One run on many devices."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxdl.errors import require, require_number
from jaxdl.learner import Batch, Key, Learner, Metrics, Params, State, lift


def over_devices(learner: Learner, mesh: Mesh, *, batch: P | None = P("data"), state: P = P()) -> Learner:
    """Compile for a mesh: each device computes its share, and the result is that of one device.

    Args:
      learner: any. The loss stays the mean over the whole batch, batch norm included.
      mesh: `jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))`.
      batch: which axis of the batch is split: `P("data")` for one batch, `P(None, "data")` for a
        stack of batches, `P()` for a resident data set (the rows that `resident` gathers are split),
        None for a learner without a batch.
      state: `P()` keeps the state on every device; `P("data")` splits its first axis, the seeds:
        `over_devices(over_seeds(learner, n), mesh, batch=P(), state=P("data"))`. Several steps in
        one dispatch are then taken inside the seeds, or around the devices.

    Raises:
      InputError: an axis that the mesh lacks; in `step`, with split seeds, metrics whose first axis
        is not the seeds.
    """
    for name, spec in {"batch": batch, "state": state}.items():
        named = {axis for axis in jax.tree.leaves(tuple(spec or ())) if isinstance(axis, str)}
        remedy = "name the axis as in jax.make_mesh"
        require(named <= {*mesh.axis_names}, name, f"{spec}", f"axes of the mesh, {mesh.axis_names}", remedy)
    replicated = NamedSharding(mesh, P())
    states = NamedSharding(mesh, state)
    batches = None if batch is None else NamedSharding(mesh, batch)
    init = jax.jit(learner.init, in_shardings=(replicated, batches), out_shardings=states)
    if state != P():
        # Seeds share nothing. Left to itself, the compiler gathers what it cannot split, such as
        # the filters of a vmapped convolution, and every device computes all of it.
        given = state, P() if batch is None else batch
        alone = partial(jax.shard_map, mesh=mesh, in_specs=given, out_specs=state, check_vma=False)
        inspect = lift(learner, lambda look: jax.jit(alone(look)))

        def checked(states: State, batch: Batch) -> tuple[State, Metrics]:
            metrics = jax.eval_shape(learner.step, states, batch)[1]
            shapes = {name: x.shape for name, x in metrics.items()}
            by_seed = all(shape[:1] == states.step.shape[:1] for shape in shapes.values())
            remedy = "apply many_steps before over_seeds, or after over_devices"
            require(by_seed, "metrics", shapes, "the seeds as their first axis", remedy)
            return alone(learner.step)(states, batch)

        return Learner(init, jax.jit(checked), inspect, learner.resident)
    step = jax.jit(on_mesh(learner.step, mesh), in_shardings=(states, batches), out_shardings=(states, None))
    inspect = lift(learner, lambda look: jax.jit(on_mesh(look, mesh), in_shardings=(states, batches)))
    return Learner(init, step, inspect, learner.resident)


def on_mesh(function: Callable, mesh: Mesh) -> Callable:
    """The function, traced where `resident` finds the mesh that it shares its rows over."""

    def traced(*args: Any) -> Any:
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*args)

    return traced


DEVICES = "devices"  # the axis name of over_devices_pmap


def over_devices_pmap(learner: Learner, devices: Sequence[Any] | None = None, batch_axis: int = 0) -> Learner:
    """The same through `jax.pmap`, for code that still uses it; `over_devices` is the main road.

    A pmapped step sees its own rows only, so the learner must be made with
    `average=average_over(DEVICES)`, and batch norm with `axis_name=DEVICES`. Noise per example
    is drawn from the same key on every device, so dropout masks repeat across devices.

    Args:
      learner: made to average, see above.
      devices: all local ones by default.
      batch_axis: the axis that is split, 1 for stacked batches. It must divide evenly.

    The state is stacked, [devices, ...], all equal; metrics are those of the first device.

    Raises:
      InputError: in `step`, rows that do not divide evenly.
    """
    devices = list(devices or jax.local_devices())

    def split(x: jax.Array) -> jax.Array:
        shape = x.shape
        even = len(shape) > batch_axis and shape[batch_axis] % len(devices) == 0
        remedy = "pad or drop rows, or use over_devices"
        require(even, "batch", f"shape {shape}", f"rows that {len(devices)} devices share evenly", remedy)
        parts = (*shape[:batch_axis], len(devices), -1, *shape[batch_axis + 1 :])
        return jnp.moveaxis(jnp.reshape(x, parts), batch_axis, 0)

    pmapped = jax.pmap(learner.step, axis_name=DEVICES, devices=devices)

    def init(key: Key, batch: Batch) -> State:
        state = learner.init(key, batch)
        return jax.tree.map(lambda x: jnp.stack([x] * len(devices)), state)

    def step(states: State, batch: Batch) -> tuple[State, Metrics]:
        states, metrics = pmapped(states, jax.tree.map(split, batch))
        return states, jax.tree.map(lambda x: x[0], metrics)

    return Learner(init, step, None, learner.resident)


def average_over(axis_name: str) -> Callable[[Callable], Callable]:
    """The `average` hook of `update_net` under pmap: the mean over all devices of the axis."""
    return lambda gradients: lambda *args: jax.lax.pmean(gradients(*args), axis_name)


def average_shards(shards: int, devices: str | Mesh) -> Callable[[Callable], Callable]:
    """The `average` hook that gives the same bits on any number of devices.

    The batch is always cut into `shards` equal parts, computed one at a time and added up in one
    fixed order, however many devices share them out:

        average = average_shards(16, mesh)
        learner = over_devices(supervised.learner(model, optimizer, average=average), mesh)

    Each device needs at least two shards (with one, XLA inlines the loop and rounds differently).
    Batch norm sees one shard at a time, and dropout repeats its masks from shard to shard.

    Args:
      shards: parts of a batch, a multiple of twice the number of devices.
      devices: the mesh of `over_devices`, or the axis name under `pmap` or `shard_map`. With a mesh
        the noise of each row is that of one device; a learner under pmap draws its own.

    Raises:
      InputError: shards < 1, or a mesh of several axes; when it runs, devices that do not share
        the shards evenly, or shards that do not share the rows evenly.
    """
    require_number("shards", shards, 1, whole=True, remedy="twice the largest number of devices")
    mesh = None if isinstance(devices, str) else devices
    axes = (devices,) if isinstance(devices, str) else devices.axis_names
    require(len(axes) == 1, "devices", axes, "a mesh of one axis", "the rows are shared over one")
    axis_name = axes[0]

    def wrap(gradients: Callable) -> Callable:
        def averaged(params: Params, stats: Any, batch: Batch, *args: Any) -> Any:
            count = jax.lax.axis_size(axis_name)
            local, rows = shards // count, {len(x) for x in jax.tree.leaves(batch)}
            even = shards % count == 0 and all(n % local == 0 for n in rows)
            expected = f"a multiple of {count} devices that divides the rows {sorted(rows)} of each"
            require(even, "shards", shards, expected, "choose another number")
            parts = jax.tree.map(lambda x: x.reshape(local, -1, *x.shape[1:]), batch)
            each = jax.lax.map(lambda part: gradients(params, stats, part, *args), parts)
            gathered = jax.lax.all_gather(each, axis_name, tiled=True)
            start = jax.tree.map(lambda x: jnp.zeros_like(x[0]), gathered)
            total, _ = jax.lax.scan(lambda total, x: (jax.tree.map(jnp.add, total, x), None), start, gathered)
            return jax.tree.map(lambda x: x / shards, total)

        def spread(params: Params, stats: Any, batch: Batch, *args: Any) -> Any:
            given = (P(), P(), P(axis_name), *[P()] * len(args))
            # check_vma would sum the gradients of what every device holds, here once too often.
            alone = jax.shard_map(averaged, mesh=mesh, in_specs=given, out_specs=P(), check_vma=False)
            return alone(params, stats, batch, *args)

        return averaged if mesh is None else spread

    return wrap
