"""What holds for every environment, the automatic reset, and sticky actions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import envs
from jaxdl.envs import cartpole, catch, chain, mountain_car
from jaxdl.envs.environment import NO_LIMIT
from jaxdl.errors import InputError

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", envs.ENVIRONMENTS)
def test_shapes_and_types_are_as_declared(name):
    env = envs.make(name)
    observation, state = jax.eval_shape(env.reset, KEY, env.params)
    assert (observation.shape, observation.dtype) == (env.observation.shape, env.observation.dtype)
    result = jax.eval_shape(env.step, KEY, state, jnp.int32(env.actions - 1), env.params)
    assert (result[0].shape, result[0].dtype) == (env.observation.shape, env.observation.dtype)
    assert [x.dtype for x in result[2:]] == [jnp.float32, jnp.bool, jnp.bool]
    assert [x.shape for x in result[2:]] == [(), (), ()]


@pytest.mark.parametrize("name", envs.ENVIRONMENTS)
def test_many_episodes_fit_into_a_scan(name):
    """A carry that changes its shape or type is an error while tracing."""
    env = envs.make(name)
    move = jax.vmap(envs.auto_reset(env), in_axes=(0, 0, 0, None, 0))

    def play(key, params):
        keys = jax.random.split(key, 3)
        start = jax.vmap(env.reset, in_axes=(0, None))(keys, params)

        def body(state, _):
            observation, state, *rest = move(keys, state, jnp.zeros(3, jnp.int32), params, start)
            return state, (observation, *rest)

        return jax.lax.scan(body, start[1], length=2)[1]

    observation, reward, _, _, last = jax.eval_shape(play, KEY, env.params)
    assert observation.shape == last.shape == (2, 3, *env.observation.shape)
    assert reward.shape == (2, 3)


def test_unknown_name():
    with pytest.raises(InputError, match=r"env: got 'cartpole-v1'.*did you mean 'CartPole-v1'\?"):
        envs.make("cartpole-v1")


@pytest.mark.parametrize("limit", [0, -1, 2.5, NO_LIMIT + 1, "500"])
def test_time_limit_is_checked(limit):
    for module in (cartpole, mountain_car, envs.acrobot, catch, chain, envs.gridworld, envs.breakout):
        with pytest.raises(InputError, match="time_limit"):
            module.environment(time_limit=limit)


def test_params_can_be_mapped_over():
    env = cartpole.environment()
    limits = env.params.replace(time_limit=jnp.array([1, 2, 3]))
    axes = jax.tree.map(lambda _: None, env.params).replace(time_limit=0)
    _, state = env.reset(KEY, env.params)
    state = state.replace(elapsed=jnp.int32(1))
    step = jax.vmap(env.step, in_axes=(None, None, None, axes))
    assert step(KEY, state, jnp.int32(0), limits)[-1].tolist() == [True, True, False]


def test_auto_reset_keeps_the_true_last_observation():
    env = cartpole.environment(time_limit=4)
    step, reset_step = jax.jit(env.step), jax.jit(envs.auto_reset(env))
    observation, state = env.reset(KEY, env.params)
    starts, previous = [observation], state
    for number in range(1, 13):
        keys = jax.random.split(jax.random.fold_in(KEY, number))
        true_last = step(keys[0], previous, jnp.int32(1), env.params)[0]
        observation, state, reward, terminated, truncated, last = reset_step(
            keys[0], previous, jnp.int32(1), env.params, env.reset(keys[1], env.params)
        )
        np.testing.assert_array_equal(last, true_last)
        assert reward == 1
        assert not terminated
        assert truncated == (number % 4 == 0)
        if truncated:
            assert state.elapsed == 0
            assert jnp.abs(observation).max() <= env.params.start_range
            assert jnp.abs(last).max() > env.params.start_range
            starts.append(observation)
        else:
            assert state.elapsed == number % 4
            np.testing.assert_array_equal(observation, last)
        np.testing.assert_array_equal(observation, state.motion)
        previous = state
    assert len({tuple(map(float, start)) for start in starts}) == 4  # every episode starts anew


def test_auto_reset_after_the_end():
    env = catch.environment(rows=2, columns=3)
    _, state = env.reset(KEY, env.params)
    observation, state, reward, terminated, truncated, last = envs.auto_reset(env)(
        KEY, state, jnp.int32(0), env.params, env.reset(KEY, env.params)
    )
    assert terminated
    assert not truncated
    assert reward in (-1, 1)
    assert state.row == 0
    assert last[:3].sum() == 0  # the ball is in the second row, with the paddle
    assert observation[:3].sum() == 1


def test_sticky_actions_repeat_with_their_probability():
    env = envs.sticky_actions(chain.environment(slip=0.0), 0.1)
    keys = jax.random.split(KEY, 10_000)
    _, state = env.reset(KEY, env.params)
    assert state.previous == 0
    step = jax.jit(jax.vmap(env.step, in_axes=(0, None, None, None)))
    # Where the action differs from the previous one, only a repeat goes on instead of back.
    _, after, reward, _, _ = step(keys, state, jnp.int32(1), env.params)
    repeated = np.asarray(after.inner.position == 1)
    assert abs(repeated.mean() - 0.1) < 0.012  # 4 standard deviations
    np.testing.assert_array_equal(after.previous, np.where(repeated, 0, 1))
    np.testing.assert_array_equal(reward, np.where(repeated, 0, 2))
    # Where it does not, nothing can be seen.
    _, after, *_ = step(keys, state, jnp.int32(0), env.params)
    assert (after.inner.position == 1).all()


def test_sticky_actions_of_zero_and_one():
    env = chain.environment(slip=0.0)
    for probability, position in ((0, 0), (1, 1)):
        sticky = envs.sticky_actions(env, probability)
        _, state = sticky.reset(KEY, sticky.params)
        _, state, *_ = sticky.step(KEY, state, jnp.int32(1), sticky.params)
        assert state.inner.position == position
    with pytest.raises(InputError, match="sticky"):
        envs.sticky_actions(env, 1.5)
