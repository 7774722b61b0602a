"""Where the steps of a run are computed: on one device, on several, on those of several processes.

The host loop sees none of it. It hands over a state that lies on one device of its own process, and
gets one back; in between the state lies on every device of a mesh, or its seeds are spread over them.
"""

import contextlib
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxdl.errors import require
from jaxdl.learner import Batch, Learner, State, plain, typed
from jaxdl.run import processes
from jaxdl.run.chunks import compiler_options
from jaxdl.transforms import Loop, over_devices, over_seeds, up_to_steps
from jaxdl.transforms.devices import on_mesh

AXIS = "data"  # of the mesh


def provide(devices: int) -> None:
    """Let the CPU show itself as several devices; call it before JAX is used. Others are as they are."""
    with contextlib.suppress(RuntimeError):  # JAX is in use already: `Spread` says so if they are too few
        jax.config.update("jax_num_cpu_devices", devices)


class Spread:
    """Up to `length` steps of all seeds in one dispatch, compiled for the devices that share them.

    Seeds that divide evenly are shared out: they have nothing to tell each other. Otherwise every
    batch is, and the devices add up their gradients.

    Args:
      learner: of one seed.
      example: the batch of one step of one seed, or None.
      length: steps at most.
      seeds: runs.
      loop: see `over_seeds`.
      devices: how many take part; with several processes, all of each, and each has as many.
      own_rows: a process is given its own part of each batch instead of the whole, see `fit`.

    Raises:
      InputError: fewer devices than asked for, or what is to be shared does not divide evenly.
    """

    def __init__(
        self,
        learner: Learner,
        example: Batch,
        length: int,
        seeds: int,
        loop: Loop,
        devices: int = 1,
        own_rows: bool = False,
    ):
        self.mesh = _mesh(devices)
        self.devices = 1 if self.mesh is None else self.mesh.size
        self.by_seed = seeds % self.devices == 0
        remedy = f"--seeds {self.devices * max(1, seeds // self.devices)}: without data its seeds are shared"
        expected = f"a multiple of {self.devices}"
        require(self.by_seed or example is not None, "seeds", seeds, expected, remedy)
        rows = {len(x) for x in jax.tree.leaves(example)}
        even = self.by_seed or learner.resident or all(n % self.devices == 0 for n in rows)
        require(even, "batch_size", sorted(rows), expected, "as many rows for every device")
        self._own_rows = own_rows and processes.is_distributed()
        remedy = f"read whole batches, or take a number of seeds that {self.devices} does not divide"
        shared = not (self._own_rows and self.by_seed)
        require(shared, "own_rows", own_rows, "batches that the processes share, not seeds", remedy)
        chunk = over_seeds(up_to_steps(learner, length), seeds, loop)
        self._resident, self._data = learner.resident, None
        compiled = partial(jax.jit, compiler_options=compiler_options(example))
        if self.mesh is None:
            self._step = compiled(chunk.step)
            return
        whole = NamedSharding(self.mesh, P())
        self._everywhere = jax.jit(lambda tree: tree, out_shardings=whole)
        if self.by_seed:
            self._step = compiled(over_devices(chunk, self.mesh, batch=P(), state=P(AXIS)).step)
        else:
            self._step = compiled(on_mesh(chunk.step, self.mesh), out_shardings=whole)

    def describe(self) -> str:
        """For people and for `config.json`.

        >>> learner = Learner(lambda key, batch: key, lambda state, batch: (state, {}))
        >>> Spread(learner, {}, length=1, seeds=1, loop="map").describe()
        'one device'
        """
        if self.mesh is None:
            return "one device"
        members = f" of {jax.process_count()} processes" if processes.is_distributed() else ""
        return f"{'seeds' if self.by_seed else 'batches'} over {self.devices} devices{members}"

    def put(self, state: State) -> State:
        """The state, on one device or in memory, where the steps want it."""
        return self._put(state, P(AXIS) if self.by_seed else P())

    def step(self, state: State, count: int, batch: Batch) -> tuple[State, dict[str, np.ndarray]]:
        """Take `count` steps from a state that was `put` here; measures are [seeds, steps], in memory."""
        if not self._resident:
            # The axes of a stack of batches: steps, rows.
            batch = self._put(batch, P() if self.by_seed else P(None, AXIS), self._own_rows)
        elif self._data is None:
            self._data = self._put(batch, P())  # once
        counted = np.int32(count), self._data if self._resident else batch
        state, measured = self._step(state, counted)
        return state, {name: np.asarray(x)[:, :count] for name, x in self.one(measured).items()}

    def whole(self, batch: Batch) -> Batch:
        """A chunk's batches, for whoever looks at them: every process has all their rows."""
        return processes.all_gather(batch, axis=1) if self._own_rows else batch

    def one(self, tree: Any) -> Any:
        """What the devices hold, on one device of this process."""
        if self.mesh is None:
            return tree
        if self.by_seed and not processes.is_distributed():
            return jax.device_put(tree, jax.local_devices()[0])
        if self.by_seed:
            tree = self._everywhere(tree)
        return jax.tree.map(lambda x: x.addressable_data(0), tree)

    def _put(self, tree: Any, spec: P, own_rows: bool = False) -> Any:
        if self.mesh is None:
            return jax.device_put(tree)
        sharding = NamedSharding(self.mesh, spec)
        if not processes.is_distributed():
            return jax.device_put(tree, sharding)

        def share(x: Any) -> jax.Array:
            x = jnp.asarray(x)
            part = np.asarray(plain(x))
            # A process that has the whole gives its own devices their part of it.
            shape = None if own_rows else part.shape
            return typed(jax.make_array_from_process_local_data(sharding, part, shape), x)

        return jax.tree.map(share, tree)


def _mesh(devices: int) -> Mesh | None:
    found = jax.devices()
    if processes.is_distributed():
        own = jax.local_device_count()
        remedy = "leave it out: all devices of all processes take part"
        require(devices in (1, own), "devices", devices, f"the {own} of each process", remedy)
        devices = len(found)
    remedy = (
        "on a CPU --devices makes them; in a program of your own set jax_num_cpu_devices before JAX is used"
    )
    require(1 <= devices <= len(found), "devices", devices, f"1 to {len(found)}", remedy)
    if devices == 1:
        return None
    return jax.make_mesh((devices,), (AXIS,), devices=found[:devices], axis_types=(AxisType.Auto,))
