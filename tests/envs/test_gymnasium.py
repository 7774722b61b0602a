"""The environments that gymnasium has too, compared with it transition by transition."""

from functools import cache

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnasium import spaces
from scipy import stats

from jaxdl import envs
from jaxdl.envs.motion import State
from jaxdl.errors import InputError

# Every motion is drawn from a box that reaches past the limits, so that many transitions terminate.
BOX = {
    "CartPole-v1": ([2.5, 3.0, 0.22, 3.0], [0.0] * 4),
    "MountainCar-v0": ([0.9, 0.07], [-0.3, 0.0]),
    "Acrobot-v1": ([np.pi, np.pi, 4.0, 9.0], [0.0] * 4),
}
NAMES = list(BOX)
TRANSITIONS = 2000


def good_action(name, motion):
    """A policy by hand that reaches the other end of an episode than chance does."""
    if name == "CartPole-v1":
        return int(np.dot([0.3, 0.6, 10, 2], motion) > 0)
    return 2 if motion[-1] > 0 else 0  # swing with the movement


@cache
def random_transitions(name, dtype):
    """(motion, action, observation, next motion, reward, terminated) of gymnasium, stacked."""
    generator = np.random.default_rng(0)
    half, middle = BOX[name]
    motions = generator.uniform(-1, 1, (TRANSITIONS, len(half))) * half + middle
    motions = motions.astype(dtype).astype(np.float64)
    env = gymnasium.make(name).unwrapped
    actions = generator.integers(env.action_space.n, size=TRANSITIONS)
    env.reset()
    rows = []
    for motion, action in zip(motions, actions, strict=True):
        env.state, env.steps_beyond_terminated = motion, None
        observation, reward, terminated, _, _ = env.step(action)
        rows.append((motion, action, observation, np.array(env.state), reward, terminated))
    return [np.stack(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("name", NAMES)
def test_transitions_equal_gymnasium(name, dtype, tolerance):
    motion, action, observation, after, reward, terminated = random_transitions(name, dtype)
    with jax.enable_x64(dtype == "float64"):
        env = envs.make(name)
        state = State(jnp.asarray(motion, dtype), jnp.zeros(TRANSITIONS, jnp.int32))
        keys = jax.random.split(jax.random.key(0), TRANSITIONS)
        step = jax.jit(jax.vmap(env.step, in_axes=(0, 0, 0, None)))
        seen, state, gain, ended, cut = step(keys, state, jnp.asarray(action, jnp.int32), env.params)
        assert state.motion.dtype == dtype
        assert seen.dtype == gain.dtype == jnp.float32
        np.testing.assert_allclose(seen, observation, rtol=1e-5, atol=1e-5)
        difference = np.asarray(state.motion) - after
        if name == "Acrobot-v1":  # an angle of pi is one of -pi
            difference[:, :2] = (difference[:, :2] + np.pi) % (2 * np.pi) - np.pi
        np.testing.assert_array_less(np.abs(difference), tolerance * (1 + np.abs(after)))
        np.testing.assert_array_equal(gain, reward)
        np.testing.assert_array_equal(ended, terminated)
        assert not cut.any()
        assert 0.01 < terminated.mean() < 0.99  # else nothing was compared


@cache
def episode(name, policy, seed, limit=None):
    """A full episode of gymnasium with its time limit: rows as above with truncated at the end."""
    env = gymnasium.make(name, max_episode_steps=limit)
    generator = np.random.default_rng(seed)
    env.reset(seed=seed)
    rows, over = [], False
    while not over:
        motion = np.array(env.unwrapped.state, np.float64)
        random = int(generator.integers(env.action_space.n))
        action = good_action(name, motion) if policy == "good" else random
        _, reward, terminated, truncated, _ = env.step(action)
        rows.append((motion, action, np.array(env.unwrapped.state), reward, terminated, truncated))
        over = terminated or truncated
    return rows


def replay(name, rows, step, limit=None):
    """The same actions in ours; the motion, not the time, follows gymnasium at every step.

    These are unstable systems: a difference in the last bit grows by e^40 in an episode.
    """
    env = envs.make(name)
    params = env.params if limit is None else env.params.replace(time_limit=limit)
    _, state = env.reset(jax.random.key(0), params)
    for motion, action, after, reward, terminated, truncated in rows:
        state = state.replace(motion=jnp.asarray(motion))
        _, state, gain, ended, cut = step(jax.random.key(0), state, jnp.int32(action), params)
        np.testing.assert_allclose(state.motion, after, rtol=1e-12, atol=1e-12)
        assert (float(gain), bool(ended), bool(cut)) == (reward, terminated, truncated)


@pytest.mark.parametrize("name", NAMES)
def test_full_episodes_equal_gymnasium(name):
    with jax.enable_x64(True):
        step = jax.jit(envs.make(name).step)
        ends = set()
        for policy in ("random", "good"):
            rows = episode(name, policy, seed=1)
            replay(name, rows, step)
            ends.add("terminated" if rows[-1][4] else "truncated")
        assert ends == {"terminated", "truncated"}
        # An episode that terminates in the very step of its time limit is both.
        terminating = "random" if name == "CartPole-v1" else "good"
        length = len(episode(name, terminating, seed=1))
        rows = episode(name, terminating, seed=1, limit=length)
        assert rows[-1][4:] == (True, True)
        replay(name, rows, step, limit=length)


@pytest.mark.parametrize("name", NAMES)
def test_starts_are_distributed_as_in_gymnasium(name):
    theirs = gymnasium.make(name).unwrapped
    theirs.reset(seed=0)
    theirs = np.stack([theirs.reset()[0] for _ in range(2000)])
    env = envs.make(name)
    keys = jax.random.split(jax.random.key(0), 2000)
    ours, state = jax.vmap(env.reset, in_axes=(0, None))(keys, env.params)
    assert state.motion.dtype == ours.dtype == jnp.float32
    for column in range(ours.shape[1]):
        assert stats.ks_2samp(np.asarray(ours)[:, column], theirs[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_spec_is_that_of_ours(name):
    env = envs.make(name)
    with gymnasium.make(name) as theirs:
        assert envs.gymnasium.spec(theirs) == (env.observation, env.actions)
        assert theirs.spec.max_episode_steps == env.params.time_limit


def test_spec_of_a_vector_and_of_bytes():
    vector = gymnasium.make_vec("CartPole-v1", num_envs=2, vectorization_mode="sync")
    assert envs.gymnasium.spec(vector) == (jax.ShapeDtypeStruct((4,), jnp.float32), 2)
    vector.close()
    env = gymnasium.Env()
    env.action_space = spaces.Discrete(6)
    env.observation_space = spaces.Box(0, 255, (84, 84, 4), np.uint8)
    assert envs.gymnasium.spec(env) == (jax.ShapeDtypeStruct((84, 84, 4), jnp.uint8), 6)
    env.observation_space = spaces.Box(0, 1, (3,), np.float64)
    assert envs.gymnasium.spec(env)[0].dtype == jnp.float32


BOX_SPACE = spaces.Box(-1, 1, (2,), np.float32)


@pytest.mark.parametrize(
    ("actions", "observations", "message"),
    [
        (BOX_SPACE, BOX_SPACE, r"action space: got Box\(.*expected Discrete; .*TransformAction"),
        (spaces.Discrete(2, start=1), BOX_SPACE, "action space: .*begin at 0.*TransformAction"),
        (spaces.Discrete(2), spaces.Discrete(16), r"observation space: got Discrete\(16\).*FlattenObs"),
    ],
)
def test_spec_refuses_other_spaces(actions, observations, message):
    env = gymnasium.Env()
    env.action_space, env.observation_space = actions, observations
    with pytest.raises(InputError, match=message):
        envs.gymnasium.spec(env)
