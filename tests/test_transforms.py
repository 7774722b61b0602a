"""The transformations beyond the laws of the contract: sweeps, averages, shards, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxdl import models
from jaxdl.data import order
from jaxdl.errors import InputError
from jaxdl.learners import supervised
from jaxdl.transforms import (
    DEVICES,
    average_shards,
    ema,
    many_steps,
    over_devices,
    over_devices_pmap,
    over_seeds,
    over_settings,
    resident,
    skip_nonfinite,
    up_to_steps,
)

KEY = jax.random.key(3)
BATCH = {"input": jax.random.normal(KEY, (32, 6)), "target": jnp.arange(32) % 3}
MODEL = models.MLP((8,), outputs=3)


def learner(learning_rate=0.1, **options):
    return supervised.learner(MODEL, optax.sgd(learning_rate), **options)


def leaves_equal(a, b, tolerance=0.0):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if not jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def test_over_settings_is_one_run_per_setting():
    sweep = over_settings(learner, {"learning_rate": [0.1, 0.01]})
    states = jax.jit(sweep.init)(KEY, BATCH)
    states, metrics = jax.jit(sweep.step)(states, BATCH)
    assert metrics["loss"].shape == (2,)
    for i, rate in enumerate((0.1, 0.01)):
        one = learner(rate)
        expected, _ = jax.jit(one.step)(jax.jit(one.init)(KEY, BATCH), BATCH)
        leaves_equal(expected, jax.tree.map(lambda x, i=i: x[i], states), 1e-6)


def test_over_settings_checks_on_the_host():
    with pytest.raises(InputError, match=r"l2: got -1"):
        over_settings(lambda l2: learner(l2=l2), {"l2": [0.1, -1.0]})
    with pytest.raises(InputError, match="settings: got"):
        over_settings(learner, {"learning_rate": [0.1, 0.2], "l2": [0.0]})


def test_up_to_steps_serves_every_count_with_the_same_bits():
    chunked = up_to_steps(learner(), 5)
    step = jax.jit(chunked.step)
    batches = jax.tree.map(lambda x: jnp.stack([jnp.roll(x, i, 0) for i in range(5)]), BATCH)
    state = jax.jit(chunked.init)(KEY, (0, batches))
    whole, metrics = step(state, (jnp.int32(5), batches))
    part, first = step(state, (jnp.int32(2), batches))
    rest, _ = step(part, (jnp.int32(3), jax.tree.map(lambda x: jnp.roll(x, -2, 0), batches)))
    leaves_equal(whole, rest)
    assert step._cache_size() == 1
    assert whole.step == 5
    assert (first["loss"][:2] == metrics["loss"][:2]).all()
    assert (first["loss"][2:] == 0).all()


@pytest.mark.parametrize("devices", [1, 4])
def test_accumulated_gradients_are_those_of_one_large_batch(devices):
    """`optax.MultiSteps`: four micro-batches move the weights once, as all their rows together do."""
    one = supervised.learner(MODEL, optax.MultiSteps(optax.adam(0.1), 4).gradient_transformation())
    pieces = [jax.tree.map(lambda x, i=i: x[8 * i : 8 * i + 8], BATCH) for i in range(4)]
    begun = jax.jit(one.init)(KEY, pieces[0])
    mesh = jax.make_mesh((devices,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:devices])
    step, state = jax.jit(over_devices(one, mesh).step), begun
    for piece in pieces:
        leaves_equal(state.net.params, begun.net.params)
        state, _ = step(state, piece)
    large = supervised.learner(MODEL, optax.adam(0.1))
    expected, _ = jax.jit(large.step)(jax.jit(large.init)(KEY, BATCH), BATCH)
    leaves_equal(state.net.params, expected.net.params, 1e-6)


def test_ema_follows_the_parameters():
    averaged = ema(learner(), decay=0.5)
    state = averaged.init(KEY, BATCH)
    old = state.average
    state, _ = averaged.step(state, BATCH)
    # The first rate is (1 + 1) / (10 + 1), below the decay of 0.5.
    expected = jax.tree.map(lambda a, b: 2 / 11 * a + 9 / 11 * b, old, state.state.net.params)
    leaves_equal(expected, state.average, 1e-6)
    leaves_equal(state.averaged().net.params, state.average)
    assert state.step == 1
    with pytest.raises(InputError, match=r"decay: got 1\.0"):
        ema(learner(), 1.0)


def test_skip_nonfinite_keeps_all_but_the_step():
    safe = skip_nonfinite(learner())
    before = safe.init(KEY, BATCH)
    poisoned = {**BATCH, "input": BATCH["input"].at[0, 0].set(jnp.nan)}
    after, metrics = jax.jit(safe.step)(before, poisoned)
    assert metrics["skipped"] == 1
    assert after.step == 1
    leaves_equal(before.net, after.net)
    after, metrics = jax.jit(safe.step)(after, BATCH)
    assert metrics["skipped"] == 0
    assert after.step == 2
    assert np.isfinite(metrics["loss"])


def test_resident_refuses_a_batch_larger_than_the_data():
    with pytest.raises(InputError, match=r"batch_size: got 33, expected an integer in 1..32"):
        resident(learner(), 33, order.rows).init(KEY, BATCH)


def test_resident_visits_every_row_once_per_epoch():
    seen = []
    data = {"input": np.arange(20, dtype=np.float32)[:, None], "target": np.zeros(20, np.int32)}
    spy = learner()._replace(step=lambda state, batch: (state, {"loss": batch["input"][:, 0]}))
    spied = resident(spy, 5, order.rows)
    state = spied.init(KEY, data)
    for step in range(4):
        _, metrics = jax.jit(spied.step)(state.replace(step=jnp.int32(step)), data)
        seen += metrics["loss"].tolist()
    assert sorted(seen) == list(range(20))
    assert seen != list(range(20))


def test_resident_data_are_no_constant_of_the_program():
    spied = many_steps(resident(learner(), 8, order.rows), 3)
    data = jax.tree.map(lambda x: jnp.concatenate([x] * 100), BATCH)
    state = spied.init(KEY, data)
    small = jax.jit(spied.step).lower(state, BATCH).compile().memory_analysis()
    large = jax.jit(spied.step).lower(state, data).compile().memory_analysis()
    assert large.generated_code_size_in_bytes <= 1.1 * small.generated_code_size_in_bytes + 1024
    assert large.temp_size_in_bytes <= 1.1 * small.temp_size_in_bytes + 1024


def test_resident_rows_are_split_over_devices():
    mesh = jax.make_mesh((8,), (DEVICES,), axis_types=(AxisType.Auto,))
    data = jax.tree.map(lambda x: jnp.concatenate([x] * 16), BATCH)
    one = resident(learner(), 512, order.rows)
    state = one.init(KEY, data)
    whole, shared = (
        step.lower(state, data).compile().cost_analysis()["flops"]
        for step in (jax.jit(one.step), over_devices(one, mesh, batch=P()).step)
    )
    assert shared < 0.3 * whole  # the order of the rows and the optimizer are done by every device


def test_seeds_split_over_devices():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    seeds = over_seeds(learner(), 8, "vmap")
    spread = over_devices(seeds, mesh, batch=P(), state=P("data"))
    one, _ = jax.jit(seeds.step)(seeds.init(KEY, BATCH), BATCH)
    many, _ = spread.step(spread.init(KEY, BATCH), BATCH)
    leaves_equal(one, many, 1e-6)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_fixed_shards_give_the_same_bits_on_any_number_of_devices(batch_norm):
    model = MODEL.clone(batch_norm=batch_norm)
    fixed = supervised.learner(model, optax.sgd(0.1), average=average_shards(16, DEVICES))
    results = []
    for count in (1, 2, 4, 8):
        spread = over_devices_pmap(fixed, jax.devices()[:count])
        state = spread.init(KEY, BATCH)
        for _ in range(3):
            state, _ = spread.step(state, BATCH)
        results.append(jax.tree.map(lambda x: x[0], state.net))
    for other in results[1:]:
        leaves_equal(results[0], other)
    if not batch_norm:
        plain = learner()
        state = plain.init(KEY, BATCH)
        for _ in range(3):
            state, _ = jax.jit(plain.step)(state, BATCH)
        leaves_equal(state.net, results[0], 1e-5)


def test_over_seeds_takes_keys_or_derives_them():
    runs = over_seeds(learner(), 3)
    derived = runs.init(KEY, BATCH)
    given = runs.init(jnp.stack([jax.random.fold_in(KEY, i) for i in range(3)]), BATCH)
    leaves_equal(derived, given)
    with pytest.raises(InputError, match="key: got"):
        runs.init(jax.random.split(KEY, 2), BATCH)
    with pytest.raises(InputError, match=r"loop: got 'vmpa'.*did you mean 'vmap'"):
        over_seeds(learner(), 3, "vmpa")


def test_the_average_takes_the_running_statistics_along():
    model = models.MLP((4,), outputs=3, batch_norm=True)
    batch = {"input": jax.random.normal(KEY, (8, 5)), "target": jnp.arange(8) % 3}
    averaged = ema(supervised.learner(model, optax.sgd(0.1)), decay=0.5)
    before = averaged.init(KEY, batch)
    after, _ = averaged.step(before, batch)
    rate = min(0.5, 2 / 11)  # it follows faster at first
    olds, news = jax.tree.leaves(before.state.net.stats), jax.tree.leaves(after.state.net.stats)
    for old, new, average in zip(olds, news, jax.tree.leaves(after.averaged().net.stats), strict=True):
        assert not np.allclose(old, new)
        np.testing.assert_allclose(average, rate * old + (1 - rate) * new, rtol=1e-5)


def test_steps_outside_of_the_seeds_are_refused_on_devices():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:2])
    batch = {"input": jnp.ones((3, 8, 5)), "target": jnp.zeros((3, 8), jnp.int32)}
    seeds = over_seeds(supervised.learner(models.MLP((4,), outputs=3), optax.sgd(0.1)), 4, "vmap")
    spread = over_devices(many_steps(seeds, 3), mesh, batch=P(), state=P("data"))
    states = spread.init(KEY, batch)
    with pytest.raises(ValueError, match="apply many_steps before over_seeds"):
        spread.step(states, batch)


@pytest.mark.parametrize("several", ["steps", "seeds"])
@pytest.mark.parametrize("name", ["ema", "skip_nonfinite"])
def test_what_looks_at_one_step_goes_inside(name, several):
    """One loss that is not finite would refuse the steps of all runs; one average would be of several."""
    if several == "steps":
        inner, batch = many_steps(learner(), 2), jax.tree.map(lambda x: jnp.stack([x, x]), BATCH)
    else:
        inner, batch = over_seeds(learner(), 2), BATCH
    outside = ema(inner, 0.9) if name == "ema" else skip_nonfinite(inner)
    with pytest.raises(InputError, match=f"apply {name} before many_steps and over_seeds"):
        outside.step(outside.init(KEY, batch), batch)


def test_numpy_data_need_no_jit():
    data = jax.tree.map(np.asarray, BATCH)
    steps = many_steps(resident(learner(), 8, order.rows), 2)
    state = steps.init(KEY, data)
    leaves_equal(steps.step(state, data)[0], jax.jit(steps.step)(state, data)[0], 1e-6)
    chunk = up_to_steps(learner(), 2)
    stack = jax.tree.map(lambda x: np.stack([x, x]), data)
    leaves_equal(chunk.step(state, (2, stack))[0], jax.jit(chunk.step)(state, (2, stack))[0], 1e-6)
