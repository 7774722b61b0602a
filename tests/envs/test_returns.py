"""n-step returns equal a plain loop over random episodes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.envs.returns import n_step


def loop(rewards, terminated, truncated, n, discount):
    time, environments = rewards.shape
    returns, discounts = np.zeros((2, time - n + 1, environments))
    last = np.zeros((time - n + 1, environments), int)
    for e in range(environments):
        for start in range(time - n + 1):
            total, factor, t = 0.0, 1.0, start
            while True:
                total += factor * rewards[t, e]
                factor *= discount
                if terminated[t, e]:
                    factor = 0.0
                if terminated[t, e] or truncated[t, e] or t == start + n - 1:
                    break
                t += 1
            returns[start, e], discounts[start, e], last[start, e] = total, factor, t
    return returns, discounts, last


@pytest.mark.parametrize("n", [1, 3, 12])
def test_equals_a_loop(n):
    generator = np.random.default_rng(n)
    rewards = generator.normal(size=(12, 200)).astype(np.float32)
    terminated, truncated = generator.random((2, 12, 200)) < 0.2  # both at once now and then
    assert (terminated & truncated).any()
    run = jax.jit(n_step, static_argnums=3)  # the discount is traced
    for discount in (0.9, 0.0, 1.0):
        got = run(rewards, terminated, truncated, n, jnp.float32(discount))
        for a, b in zip(got, loop(rewards, terminated, truncated, n, discount), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert [x.dtype for x in got] == [jnp.float32, jnp.float32, jnp.int32]


def test_a_truncation_keeps_the_bootstrap_and_a_termination_does_not():
    rewards, no = jnp.ones((4, 1)), jnp.zeros((4, 1), bool)
    at = no.at[1].set(True)
    for terminated, truncated, factor in [(no, at, 0.25), (at, no, 0), (at, at, 0)]:
        returns, discounts, last = n_step(rewards, terminated, truncated, 3, 0.5)
        np.testing.assert_allclose(returns[0], 1.5)
        np.testing.assert_allclose(discounts[0], factor)
        assert int(last[0, 0]) == 1


def test_what_follows_an_end_does_not_count_even_if_it_is_not_finite():
    rewards = jnp.array([[1.0], [jnp.nan]])
    ended = jnp.array([[True], [False]])
    returns, _, _ = n_step(rewards, ended, jnp.zeros_like(ended), 2, 0.9)
    assert float(returns[0, 0]) == 1


@pytest.mark.parametrize("n", [0, 5, 2.0])
def test_bad_steps_are_refused(n):
    rewards, no = jnp.ones((4, 1)), jnp.zeros((4, 1), bool)
    with pytest.raises(InputError, match=f"n_step: got {n}"):
        n_step(rewards, no, no, n, 0.9)


def test_shapes_that_would_broadcast_are_refused():
    rewards, no = jnp.ones((4, 3)), jnp.zeros((4, 1), bool)
    with pytest.raises(InputError, match="shapes: got"):
        n_step(rewards, no, no, 2, 0.9)
