"""Acrobot: a double pendulum, driven at the joint between its links, swings its tip up.

Sutton, "Generalization in reinforcement learning: successful examples using sparse coarse
coding", 1996, with the equations of motion of Sutton and Barto's book; with the constants,
limits and rewards of gymnasium's Acrobot-v1.
"""

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs import motion
from jaxdl.envs.environment import Environment, Key, check_time_limit


class Params(struct.PyTreeNode):
    """Physics and limits."""

    gravity: float = 9.8  # m/s^2
    length: float = 1.0  # m, of the first link
    mass1: float = 1.0  # kg
    mass2: float = 1.0  # kg
    centre1: float = 0.5  # m, from its joint to the centre of mass of the first link
    centre2: float = 0.5  # m
    inertia: float = 1.0  # kg m^2, of either link
    torque: float = 1.0  # N m, one way or the other
    time_step: float = 0.2  # s
    max_turning1: float = 4 * jnp.pi  # radians/s
    max_turning2: float = 9 * jnp.pi  # radians/s
    height: float = 1.0  # the tip must rise this far above the upper joint, in lengths of a link
    start_range: float = 0.1  # the four numbers of the start are uniform in +- this
    time_limit: int = 500  # steps


def environment(time_limit: int | None = 500) -> Environment:
    """Acrobot-v1, equal to gymnasium's transition by transition.

    Actions: torque -1, 0 or 1 at the joint between the links. The motion is the angle of the
    first link (0 hangs down), that of the second relative to it, both in -pi..pi, and their
    angular velocities; the observation cosine and sine of the first angle, those of the second,
    and the two velocities, float32 [6]. The reward is -1 for every step but 0 for the one that
    reaches the height.

    Raises:
      InputError: `time_limit` is neither None nor an integer >= 1.

    >>> env = environment()
    >>> env.actions, env.observation.shape
    (3, (6,))
    """
    params = Params(time_limit=check_time_limit(time_limit))
    return motion.environment(
        params, 3, _start, _move, _over, lambda terminated: jnp.where(terminated, 0.0, -1.0), _observe
    )


def _start(key: Key, params: Params) -> jax.Array:
    return jax.random.uniform(key, (4,), jnp.float32, -params.start_range, params.start_range)


def _move(state: jax.Array, action: jax.Array, params: Params) -> jax.Array:
    """One step of the classical Runge-Kutta method under a constant torque."""
    torque, dt = (action - 1) * params.torque, params.time_step
    k1 = _rate(state, torque, params)
    k2 = _rate(state + dt / 2 * k1, torque, params)
    k3 = _rate(state + dt / 2 * k2, torque, params)
    k4 = _rate(state + dt * k3, torque, params)
    angle1, angle2, turning1, turning2 = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    turning1 = jnp.clip(turning1, -params.max_turning1, params.max_turning1)
    turning2 = jnp.clip(turning2, -params.max_turning2, params.max_turning2)
    return jnp.stack([_wrap(angle1), _wrap(angle2), turning1, turning2])


def _rate(state: jax.Array, torque: jax.Array, params: Params) -> jax.Array:
    """Time derivative of the motion."""
    angle1, angle2, turning1, turning2 = state
    g, m2, c2 = params.gravity, params.mass2, params.centre2
    coupling = m2 * params.length * c2
    sine, cosine = jnp.sin(angle2), jnp.cos(angle2)
    # The mass matrix [[whole, mixed], [mixed, outer]]; cos(x - pi/2) of the usual form is sin(x).
    outer = m2 * c2**2 + params.inertia
    mixed = outer + coupling * cosine
    whole = params.mass1 * params.centre1**2 + m2 * params.length**2 + params.inertia
    whole = whole + outer + 2 * coupling * cosine
    weight2 = m2 * c2 * g * jnp.sin(angle1 + angle2)
    weight1 = (params.mass1 * params.centre1 + m2 * params.length) * g * jnp.sin(angle1) + weight2
    drag1 = weight1 - coupling * sine * turning2 * (turning2 + 2 * turning1)
    drag2 = weight2 + coupling * sine * turning1**2
    acceleration2 = (torque + mixed / whole * drag1 - drag2) / (outer - mixed**2 / whole)
    acceleration1 = -(mixed * acceleration2 + drag1) / whole
    return jnp.stack([turning1, turning2, acceleration1, acceleration2])


def _wrap(angle: jax.Array) -> jax.Array:
    """The same angle in -pi..pi."""
    return angle - 2 * jnp.pi * jnp.round(angle / (2 * jnp.pi))


def _observe(state: jax.Array) -> jax.Array:
    angle1, angle2, turning1, turning2 = state
    return jnp.stack([jnp.cos(angle1), jnp.sin(angle1), jnp.cos(angle2), jnp.sin(angle2), turning1, turning2])


def _over(state: jax.Array, params: Params) -> jax.Array:
    return -jnp.cos(state[0]) - jnp.cos(state[0] + state[1]) > params.height
