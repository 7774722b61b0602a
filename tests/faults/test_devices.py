"""Eight devices give what one gives; the long form is `python tests/faults --only devices`."""

import devices
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from devices import mesh_of
from jax.sharding import PartitionSpec as P

from jaxdl import InputError
from jaxdl.data import order
from jaxdl.learner import ORDER
from jaxdl.learners import supervised
from jaxdl.transforms import (
    DEVICES,
    average_over,
    average_shards,
    over_devices,
    over_devices_pmap,
    over_seeds,
    resident,
)


class Line(nn.Module):
    """w x + b from w = b = 0, so that the first parameters are the gradients."""

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(1, kernel_init=nn.initializers.zeros)(x)


ROWS = {"input": jnp.arange(32.0)[:, None], "target": jnp.zeros(32)}


def line(**hooks):
    """The loss of a row is w x + b: the gradients over all rows are their mean and 1, exactly."""
    return supervised.learner(Line(), optax.sgd(1.0), loss=lambda prediction, target: prediction[0], **hooks)


ENTRIES = {
    "plain": lambda: line(),
    "over_devices": lambda: over_devices(line(), mesh_of(8)),
    "over_devices, seeds": lambda: over_devices(
        over_seeds(line(), 8), mesh_of(8), batch=P(), state=P("data")
    ),
    "over_devices, resident": lambda: over_devices(resident(line(), 32, order.rows), mesh_of(8), batch=P()),
    "pmap": lambda: over_devices_pmap(line(average=average_over(DEVICES))),
    "shards": lambda: over_devices(line(average=average_shards(16, mesh_of(8))), mesh_of(8)),
    "shards under pmap": lambda: over_devices_pmap(line(average=average_shards(16, DEVICES))),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_scale_of_a_gradient_is_exactly_one(entry):
    learner = ENTRIES[entry]()
    state, _ = learner.step(learner.init(jax.random.key(0), ROWS), ROWS)
    np.testing.assert_array_equal(np.ravel(state.net.params["Dense_0"]["bias"]), -1.0)
    np.testing.assert_array_equal(np.ravel(state.net.params["Dense_0"]["kernel"]), -15.5)


def test_uneven_batches_are_exact_or_refused():
    rows = jax.tree.map(lambda x: x[:30], ROWS)
    for size in (30, 5):  # also fewer rows than devices
        learner = resident(line(), size, order.rows)
        spread = over_devices(learner, mesh_of(8), batch=P())
        state, _ = spread.step(spread.init(jax.random.key(0), rows), rows)
        key = jax.random.fold_in(state.key, ORDER)
        taken = jax.jit(order.rows, static_argnums=(2, 3))(key, jnp.int32(0), 30, size)
        np.testing.assert_array_equal(state.net.params["Dense_0"]["bias"], -1.0)
        np.testing.assert_allclose(state.net.params["Dense_0"]["kernel"], -taken.mean(), rtol=1e-6)
    for entry, message in {"over_devices": "should evenly divide", "pmap": "batch: got"}.items():
        learner = ENTRIES[entry]()
        state = learner.init(jax.random.key(0), ROWS)
        with pytest.raises(ValueError, match=message):  # JAX's own, and ours
            learner.step(state, rows)
    for count in (1, 8):
        spread = over_devices(line(average=average_shards(12, mesh_of(count))), mesh_of(count))
        state = spread.init(jax.random.key(0), ROWS)
        with pytest.raises(InputError, match="shards: got 12"):
            spread.step(state, ROWS)


def test_shards_are_refused_on_a_mesh_of_two_axes():
    mesh = jax.make_mesh((2, 4), ("data", "model"))
    with pytest.raises(InputError, match="a mesh of one axis"):
        average_shards(16, mesh)


# What is missing here is in the long form, and for three steps in the laws of the contract.
@pytest.mark.parametrize(
    ("name", "way", "counts"),
    [
        ("MLP with dropout", "over_devices", (8,)),
        ("CNN with batch norm", "over_devices", (8,)),
        ("CNN with batch norm", "pmap", (8,)),
        ("CNN with batch norm", "shards", (2, 8)),
        ("LSTM", "over_devices", (8,)),
        ("VAE", "over_devices", (8,)),
        ("VAE", "shards", (8,)),
    ],
)
def test_eight_devices_give_what_one_gives(name, way, counts):
    found = devices.trial(name, way, "float32", counts)
    assert found.wrong == []
    assert found.worst is not None or way == "shards"
    assert found.bits == 0 or way != "shards"


def test_a_difference_is_found():
    one = {"w": np.float32([1.0, 2.0]), "step": np.int32([3])}
    other = {"w": np.float32([1.0, np.nextafter(np.float32(2), np.float32(3))]), "step": np.int32([3])}
    assert devices.differing_bits(one, one) == 0
    assert devices.differing_bits(one, other) == 1
    assert devices.difference(one, other) == pytest.approx(2**-22 / 2)
    assert devices.difference(one, {**one, "step": np.int32([4])}) == float("inf")
    assert devices.difference(one, {**one, "w": np.float32([1.0, np.nan])}) == float("inf")
