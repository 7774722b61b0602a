"""Probes: what an episode really earns is what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.envs import PROBES, tables

DISCOUNT = 0.9
NAMES = list(PROBES)


@jax.jit
def earned(table, position, action, key):
    """Discounted reward of an action and then random ones, past every time limit."""
    step = PROBES["constant"].environment.step

    def move(carry, number):
        state, action, live = carry
        draw = jax.random.fold_in(key, number)
        _, state, reward, terminated, _ = step(draw, state, action, table)
        action = jax.random.randint(draw, (), 0, 2)
        return (state, action, live & ~terminated), live * reward * DISCOUNT**number

    start = (tables.State(position, jnp.int32(0)), action, True)
    return jax.lax.scan(move, start, jnp.arange(250))[1].sum()


@pytest.mark.parametrize("name", NAMES)
def test_q_is_what_is_earned(name):
    environment, observations, q = PROBES[name]
    q = q(DISCOUNT)
    assert q.shape == (len(observations), environment.actions)
    assert q.dtype == jnp.float32
    for state in range(len(observations)):
        np.testing.assert_array_equal(environment.params.observations[state], observations[state])
        for action in range(environment.actions):
            for seed in range(2):  # what comes later does not matter
                value = earned(environment.params, jnp.int32(state), jnp.int32(action), jax.random.key(seed))
                np.testing.assert_allclose(value, q[state, action], rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_q_is_optimal(name):
    environment, observations, q = PROBES[name]
    optimal = jax.jit(tables.optimal_q)(environment.params, DISCOUNT)
    np.testing.assert_allclose(q(DISCOUNT), optimal[: len(observations)], rtol=1e-5)
    np.testing.assert_allclose(q(jnp.float32(0.5)), tables.optimal_q(environment.params, 0.5)[: len(q(0.5))])


@pytest.mark.parametrize("name", NAMES)
def test_every_observation_occurs(name):
    environment, observations, _ = PROBES[name]
    reset = jax.jit(jax.vmap(environment.reset, in_axes=(0, None)))
    step = jax.jit(jax.vmap(environment.step, in_axes=(0, 0, None, None)))
    keys = jax.random.split(jax.random.key(0), 32)
    seen, state = reset(keys, environment.params)
    after, _, _, terminated, _ = step(keys, state, jnp.int32(1), environment.params)
    live = np.concatenate([seen, after[~np.asarray(terminated)]])
    assert set(live.ravel().tolist()) == set(observations.ravel().tolist())


@pytest.mark.parametrize("name", ["truncation", "last_observation"])
def test_cut_after_five_steps(name):
    environment = PROBES[name].environment
    _, state = environment.reset(jax.random.key(0), environment.params)
    for number in range(1, 6):
        _, state, _, terminated, truncated = jax.jit(environment.step)(
            jax.random.key(0), state, jnp.int32(0), environment.params
        )
        assert not terminated
        assert truncated == (number == 5)
