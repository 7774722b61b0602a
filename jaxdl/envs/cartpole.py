"""CartPole: a pole on a cart is kept upright by pushing the cart.

Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning
control problems", 1983; with the constants, limits and rewards of gymnasium's CartPole-v1.
"""

import math

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs import motion
from jaxdl.envs.environment import Environment, Key, check_time_limit


class Params(struct.PyTreeNode):
    """Physics and limits."""

    gravity: float = 9.8  # m/s^2
    cart_mass: float = 1.0  # kg
    pole_mass: float = 0.1  # kg
    half_length: float = 0.5  # m, from the joint to the middle of the pole
    force: float = 10.0  # N, to the left or to the right
    time_step: float = 0.02  # s
    position_limit: float = 2.4  # m, the cart has left the track
    angle_limit: float = math.radians(12)  # radians, the pole has fallen
    start_range: float = 0.05  # the four numbers of the start are uniform in +- this
    time_limit: int = 500  # steps


def environment(time_limit: int | None = 500) -> Environment:
    """CartPole-v1, equal to gymnasium's transition by transition.

    Actions: 0 pushes to the left, 1 to the right. The observation is the motion: position [m],
    velocity [m/s], angle of the pole [radians, 0 upright], angular velocity [radians/s], float32
    [4]. The reward is 1 for every step, also the last one.

    Raises:
      InputError: `time_limit` is neither None nor an integer >= 1.

    >>> env = environment()
    >>> env.actions, env.observation.shape
    (2, (4,))
    """
    params = Params(time_limit=check_time_limit(time_limit))
    return motion.environment(params, 2, _start, _move, _over, lambda terminated: 1.0)


def _start(key: Key, params: Params) -> jax.Array:
    return jax.random.uniform(key, (4,), jnp.float32, -params.start_range, params.start_range)


def _move(state: jax.Array, action: jax.Array, params: Params) -> jax.Array:
    """One Euler step of the equations of motion."""
    _, velocity, angle, turning = state
    sine, cosine = jnp.sin(angle), jnp.cos(angle)
    mass = params.cart_mass + params.pole_mass
    moment = params.pole_mass * params.half_length
    force = jnp.where(action == 1, params.force, -params.force)
    push = (force + moment * turning**2 * sine) / mass
    inertia = params.half_length * (4 / 3 - params.pole_mass * cosine**2 / mass)
    angular_acceleration = (params.gravity * sine - cosine * push) / inertia
    acceleration = push - moment * angular_acceleration * cosine / mass
    rate = jnp.stack([velocity, acceleration, turning, angular_acceleration])
    return state + params.time_step * rate


def _over(state: jax.Array, params: Params) -> jax.Array:
    return (jnp.abs(state[0]) > params.position_limit) | (jnp.abs(state[2]) > params.angle_limit)
