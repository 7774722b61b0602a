"""One training on 1, 2, 4 and 8 devices, by every way there is: how far the results are apart.

Plain SGD, as in the laws: Adam divides by gradients, and would turn rounding noise into whole steps.
"""

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jaxdl import envs, models
from jaxdl.learner import Learner, Net, path_name, plain
from jaxdl.learners import dqn, gan, sequence, supervised, vae
from jaxdl.transforms import (
    DEVICES,
    average_over,
    average_shards,
    many_steps,
    over_devices,
    over_devices_pmap,
    over_seeds,
)

STEPS, ROWS, SHARDS = 50, 32, 16
COUNTS = (1, 2, 4, 8)
BOUNDS = {"float32": 1e-6, "float64": 1e-12}  # of a difference, relative to max(1, |x|)
Batch = dict[str, np.ndarray]
State = dict[str, np.ndarray]  # by path
Make = Callable[..., Learner]  # (axis_name, **hooks) -> learner


def numbers(*shape: int) -> np.ndarray:
    """In 0..1, in double precision: JAX makes single of it where that is all it has."""
    return np.random.default_rng(0).uniform(size=shape)


def labels(*shape: int) -> np.ndarray:
    """Of five classes."""
    return np.random.default_rng(1).integers(0, 5, shape).astype(np.int32)


def images() -> Batch:
    """Another batch for each step."""
    return {"input": numbers(STEPS, ROWS, 8, 8, 1), "target": labels(STEPS, ROWS)}


def characters() -> Batch:
    """Each is followed by what it determines."""
    codes = labels(STEPS, ROWS, 6)
    return {"input": codes, "target": (2 * codes + 1) % 5}


def classifier(model: Any) -> Make:
    """Batch norm, where there is any, needs the name of the devices under pmap."""
    return lambda axis_name=None, **hooks: supervised.learner(
        model.clone(axis_name=axis_name), optax.sgd(0.1), **hooks
    )


def reader(axis_name: str | None = None, **hooks: Any) -> Learner:
    """An LSTM."""
    model = models.RecurrentNet(8, 5, vocabulary=5, embedding=4)
    return sequence.learner(model, optax.sgd(0.5), **hooks)


def variational(axis_name: str | None = None, **hooks: Any) -> Learner:
    """Under pmap with q(z|x) so narrow that its noise, which repeats on each device, changes no bit."""
    learner = vae.learner(models.VAE((8, 8, 1), 3, (16,)), optax.sgd(1e-3), **hooks)

    def narrow(key: Any, batch: Any) -> Any:
        state = learner.init(key, batch)
        outputs = state.net.params["encoder"]["outputs"]
        outputs["bias"] = outputs["bias"].at[3:].set(-100)
        return state

    return learner if axis_name is None else learner._replace(init=narrow)


def game(axis_name: str | None = None, **hooks: Any) -> Learner:
    """A DCGAN: two networks with batch norm."""
    return gan.learner(
        models.Generator((8, 4), start=2, channels=1, axis_name=axis_name),
        models.Discriminator((4, 8), start=2, axis_name=axis_name),
        optax.sgd(0.05),
        optax.sgd(0.05),
        latents=5,
        axis_name=axis_name,
        **hooks,
    )


def player(axis_name: str | None = None) -> Learner:
    """Deep Q-learning from images with prioritized replay."""
    breakout = envs.make("Breakout")
    network = models.QNetwork(breakout.actions, (8,), (4,))
    sizes: Any = {"environments": 2, "rollout": 2, "updates": 1, "batch_size": 8, "warmup": 8, "n_step": 3}
    return dqn.learner(breakout, dqn.agent(network, optax.sgd(0.01), envs.prioritized(64), **sizes))


class Family(NamedTuple):
    """A way of learning, and by which ways it is shared out."""

    make: Make
    batch: Callable[[], Batch | None]
    ways: tuple[str, ...] = ("over_devices", "pmap", "shards")
    equal: bool = True  # whether shards give the numbers of a whole batch: not with batch norm


MLP = models.MLP((16,), outputs=5)
CNN = models.CNN((4,), hidden=8, outputs=5, batch_norm=True)
FAMILIES = {
    "MLP": Family(classifier(MLP), images),
    "MLP with dropout": Family(classifier(MLP.clone(dropout=0.3)), images, ("over_devices",)),
    "CNN with batch norm": Family(classifier(CNN), images, equal=False),
    "LSTM": Family(reader, characters),
    "VAE": Family(variational, images),
    "DCGAN": Family(game, images, equal=False),
    "DQN": Family(player, lambda: None, ("seeds",)),
}


def mesh_of(count: int) -> Mesh:
    """The first `count` devices."""
    return jax.make_mesh((count,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])


def double(learner: Learner) -> Learner:
    """The same with networks in double precision."""

    def cast(tree: Any) -> Any:
        return jax.tree.map(lambda x: x.astype(float) if jnp.issubdtype(x.dtype, jnp.floating) else x, tree)

    def init(key: Any, batch: Any) -> Any:
        state = learner.init(key, batch)
        names = [name for name, value in vars(state).items() if isinstance(value, Net)]
        names += ["target_params"] * hasattr(state, "target_params")
        return state.replace(**{name: cast(getattr(state, name)) for name in names})

    return learner._replace(init=init)


def shared_out(family: Family, way: str, count: int, precision: str) -> Learner:
    """`STEPS` steps in one dispatch on `count` devices; on 0 the plain learner."""

    def steps(**options: Any) -> Learner:
        learner = family.make(**options)
        return many_steps(double(learner) if precision == "float64" else learner, STEPS)

    if way == "seeds":
        seeds = over_seeds(steps(), 8, "vmap")
        return over_devices(seeds, mesh_of(count), batch=None, state=P("data")) if count else seeds
    if not count:
        learner = steps()
        # Under pmap a learner may begin with other parameters, see `variational`.
        return learner._replace(init=steps(axis_name=DEVICES).init) if way == "pmap" else learner
    if way == "pmap":
        learner = steps(axis_name=DEVICES, average=average_over(DEVICES))
        return over_devices_pmap(learner, jax.devices()[:count], batch_axis=1)
    mesh = mesh_of(count)
    learner = steps(average=average_shards(SHARDS, mesh)) if way == "shards" else steps()
    return over_devices(learner, mesh, batch=P(None, "data"))


@functools.cache
def trained(name: str, way: str, count: int, precision: str) -> State:
    """The state after `STEPS` steps, by path; under pmap that of the first device."""
    family, batch = FAMILIES[name], FAMILIES[name].batch()
    with jax.enable_x64(precision == "float64"):
        learner = shared_out(family, way, count, precision)
        if not count:
            learner = learner._replace(init=jax.jit(learner.init), step=jax.jit(learner.step))
        state, _ = learner.step(learner.init(jax.random.key(0), batch), batch)
        if way == "pmap" and count:
            state = jax.tree.map(lambda x: x[0], state)
        leaves = jax.tree_util.tree_leaves_with_path(state)
        return {path_name(path): np.asarray(plain(leaf)) for path, leaf in leaves}


def difference(one: State, other: State) -> float:
    """The largest, relative to max(1, |x|); infinite where integers, keys or types differ, or with a NaN."""
    worst = [0.0]
    for name, x in one.items():
        y = other[name]
        if x.dtype != y.dtype or (x.dtype.kind != "f" and (x != y).any()):
            return float("inf")
        if x.dtype.kind == "f":
            worst.append((np.abs(x - y) / np.maximum(1, np.abs(x))).max(initial=0))
    return float(np.max(worst)) if np.isfinite(worst).all() else float("inf")


def differing_bits(one: State, other: State) -> int:
    """How many bits of two states are not the same."""
    pairs = [(np.frombuffer(x.tobytes(), np.uint8), other[name].tobytes()) for name, x in one.items()]
    return sum(int(np.unpackbits(x ^ np.frombuffer(y, np.uint8)).sum()) for x, y in pairs)


class Found(NamedTuple):
    """One family, one way and one precision on several numbers of devices."""

    cases: int  # numbers of devices that were tried
    worst: float | None  # difference to the plain learner, None where shards mean other numbers
    bits: int  # that differ between the numbers of devices; shards promise 0
    wrong: list[str]


def trial(name: str, way: str, precision: str, counts: tuple[int, ...] = COUNTS) -> Found:
    """Train one family one way on each number of devices, and compare."""
    wrong = []
    states = {count: trained(name, way, count, precision) for count in counts}
    # One for all ways but those that begin with another state.
    own = way == "seeds" or (name, way) == ("VAE", "pmap")
    whole = trained(name, way if own else "over_devices", 0, precision)
    compared = way != "shards" or FAMILIES[name].equal
    differences = {count: difference(whole, state) for count, state in states.items()}
    if compared:
        wrong += [
            f"{name}, {way}, {precision}: {far:.3g} apart on {count} devices"
            for count, far in differences.items()
            if not far <= BOUNDS[precision]
        ]
    if not all(np.isfinite(difference(state, state)) for state in states.values()):
        wrong.append(f"{name}, {way}, {precision}: the training diverged")
    bits = max(differing_bits(states[counts[0]], state) for state in states.values())
    if way == "shards" and bits:
        wrong.append(f"{name}, {precision}: {bits} bits differ between {counts} devices")
    return Found(len(counts), max(differences.values()) if compared else None, bits, wrong)


def cases(precisions: tuple[str, ...] = tuple(BOUNDS)) -> list[tuple[str, str, str]]:
    """Every family, way and precision."""
    return [(name, way, p) for name, family in FAMILIES.items() for way in family.ways for p in precisions]


if __name__ == "__main__":  # a case: python tests/faults/devices.py FAMILY WAY PRECISION
    jax.config.update("jax_numpy_rank_promotion", "raise")
    print(json.dumps(trial(sys.argv[1], sys.argv[2], sys.argv[3])._asdict()))
