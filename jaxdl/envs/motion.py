"""Environments that follow equations of motion: what CartPole, MountainCar and Acrobot share."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs.environment import Environment, Key, Params, Step


class State(struct.PyTreeNode):
    """Where things are and how fast they move."""

    motion: jax.Array  # float [n], positions and velocities
    elapsed: jax.Array  # int32 [], steps done in this episode


def environment(
    params: Params,
    actions: int,
    start: Callable[[Key, Params], jax.Array],
    move: Callable[[jax.Array, jax.Array, Params], jax.Array],
    over: Callable[[jax.Array, Params], jax.Array],
    reward: Callable[[jax.Array], jax.Array | float],
    observe: Callable[[jax.Array], jax.Array] = lambda motion: motion,
) -> Environment:
    """An environment from its equations.

    The state starts in float32. A state in float64 (under `jax.enable_x64`) is moved in float64.

    Args:
      params: the constants of the equations, with `time_limit`.
      actions: number of actions.
      start: (key, params) -> the first motion, float32 [n].
      move: (motion, action, params) -> the motion one step later, in the dtype of `motion`.
      over: (motion, params) -> bool [], whether the episode terminates there.
      reward: terminated bool [] -> the reward of the step.
      observe: motion -> the observation, which is handed out as float32.
    """

    def reset(key: Key, params: Params) -> tuple[jax.Array, State]:
        motion = start(key, params)
        return observe(motion).astype(jnp.float32), State(motion, jnp.int32(0))

    def step(key: Key, state: State, action: jax.Array, params: Params) -> Step:
        motion = move(state.motion, action, params)
        state = State(motion, state.elapsed + 1)
        terminated, truncated = over(motion, params), state.elapsed >= params.time_limit
        gain = jnp.asarray(reward(terminated), jnp.float32)
        return observe(motion).astype(jnp.float32), state, gain, terminated, truncated

    observation, _ = jax.eval_shape(reset, jax.random.key(0), params)
    return Environment(reset, step, params, actions, observation)
