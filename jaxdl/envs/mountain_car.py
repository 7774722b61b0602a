"""MountainCar: a car too weak for the hill must first swing back to reach its top.

Moore, "Efficient memory-based learning for robot control", 1990; with the constants, limits and
rewards of gymnasium's MountainCar-v0.
"""

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs import motion
from jaxdl.envs.environment import Environment, Key, check_time_limit


class Params(struct.PyTreeNode):
    """Physics and limits. Length and time have no unit."""

    force: float = 0.001
    gravity: float = 0.0025
    leftmost: float = -1.2  # position of a wall that stops the car
    rightmost: float = 0.6
    max_speed: float = 0.07
    goal: float = 0.5  # position of the flag
    goal_velocity: float = 0.0  # the car must be at least that fast there
    start_low: float = -0.6  # the first position is uniform between these two, around the valley
    start_high: float = -0.4
    time_limit: int = 200  # steps


def environment(time_limit: int | None = 200) -> Environment:
    """MountainCar-v0, equal to gymnasium's transition by transition.

    Actions: 0 accelerates to the left, 1 does nothing, 2 accelerates to the right. The
    observation is position and velocity, float32 [2]. The reward is -1 for every step.

    Raises:
      InputError: `time_limit` is neither None nor an integer >= 1.

    >>> env = environment()
    >>> env.actions, env.observation.shape
    (3, (2,))
    """
    params = Params(time_limit=check_time_limit(time_limit))
    return motion.environment(params, 3, _start, _move, _over, lambda terminated: -1.0)


def _start(key: Key, params: Params) -> jax.Array:
    position = jax.random.uniform(key, (), jnp.float32, params.start_low, params.start_high)
    return jnp.stack([position, jnp.zeros_like(position)])


def _move(state: jax.Array, action: jax.Array, params: Params) -> jax.Array:
    """Accelerate, move, and stop at the wall on the left."""
    position, velocity = state
    velocity += (action - 1) * params.force - jnp.cos(3 * position) * params.gravity
    velocity = jnp.clip(velocity, -params.max_speed, params.max_speed)
    position = jnp.clip(position + velocity, params.leftmost, params.rightmost)
    velocity = jnp.where((position == params.leftmost) & (velocity < 0), 0, velocity)
    return jnp.stack([position, velocity])


def _over(state: jax.Array, params: Params) -> jax.Array:
    return (state[0] >= params.goal) & (state[1] >= params.goal_velocity)
