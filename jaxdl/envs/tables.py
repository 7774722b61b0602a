"""Environments that are a table of probabilities and rewards, and their exact solution.

A finite model T, R: (state(t), action) -> (state(t+1), reward) (003:1676-1680) can be written
down whole. Then the best long-term reward of every action in every state, Q*, is known by value
iteration (Bellman 1957), and what has learned from experience can be compared with it.
"""

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.core import Tracer

from jaxdl.envs.environment import NO_LIMIT, Environment, Key, Step
from jaxdl.errors import require, require_number

Array = jax.Array | np.ndarray


class Table(struct.PyTreeNode):
    """A finite environment; these are its params."""

    probability: Array  # float32 [states, actions, states], of the next state
    reward: Array  # float32 [states, actions, states], of the passage to the next state
    terminal: Array  # bool [states], nothing follows
    start: Array  # float32 [states], probability of the first state
    observations: Array  # [states, ...], what is seen in each state
    time_limit: int | Array = NO_LIMIT  # steps


class State(struct.PyTreeNode):
    """A position in the table."""

    position: jax.Array  # int32 [], number of the state
    elapsed: jax.Array  # int32 [], steps done in this episode


def environment(table: Table) -> Environment:
    """The environment that a table describes.

    All of them share their `reset` and `step`, so tables of the same shape need one compilation.

    Raises:
      InputError: arrays that do not fit together, or rows of no probabilities.
    """
    _check(table)
    _, actions, _ = table.probability.shape
    seen = jax.ShapeDtypeStruct(table.observations.shape[1:], table.observations.dtype)
    return Environment(_reset, _step, table, actions, seen)


def _reset(key: Key, table: Table) -> tuple[jax.Array, State]:
    position = _draw(key, jnp.asarray(table.start))
    return jnp.asarray(table.observations)[position], State(position, jnp.int32(0))


def _step(key: Key, state: State, action: jax.Array, table: Table) -> Step:
    table = jax.tree.map(jnp.asarray, table)
    position = _draw(key, table.probability[state.position, action])
    reward = table.reward[state.position, action, position]
    state = State(position, state.elapsed + 1)
    truncated = state.elapsed >= table.time_limit
    return table.observations[position], state, reward, table.terminal[position], truncated


def _draw(key: Key, probability: jax.Array) -> jax.Array:
    """A state drawn by inversion: one random number instead of one for each state."""
    cumulative = jnp.cumsum(probability)
    chance = jax.random.uniform(key, (), probability.dtype) * cumulative[-1]
    return jnp.argmax(chance < cumulative).astype(jnp.int32)


def backup(table: Table, q: jax.Array, discount: jax.Array | float) -> jax.Array:
    """Bellman's equation from right to left: E[reward + discount * max Q(next state)].

    Args:
      table: the environment.
      q: float [states, actions].
      discount: 0..1.

    Returns:
      float [states, actions], 0 in terminal states. Q* is the fixed point.
    """
    table = jax.tree.map(jnp.asarray, table)
    value = jnp.where(table.terminal, 0, q.max(axis=-1))
    worth = table.reward + discount * value[None, None, :]
    return jnp.where(table.terminal[:, None], 0, jnp.sum(table.probability * worth, axis=-1))


def optimal_q(table: Table, discount: jax.Array | float, sweeps: int = 10_000) -> jax.Array:
    """Q* of a table by value iteration, without its time limit.

    Args:
      table: the environment.
      discount: 0..1. With 1 every episode of a best policy must end by itself.
      sweeps: at most so many; it stops as soon as nothing changes any more.

    Returns:
      float32 [states, actions], 0 in terminal states.

    Raises:
      InputError: discount outside of 0..1.

    >>> from jaxdl.envs import chain
    >>> optimal_q(chain.environment(slip=0.0).params, discount=0.5).round(2)
    Array([[ 2. ,  4. ],
           [ 2.5,  4. ],
           [ 5. ,  4. ],
           [10. ,  4. ],
           [20. ,  4. ]], dtype=float32)
    """

    require_number("discount", discount, 0, 1, remedy="0.9 is usual")

    def improves(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        sweep, before, after = carry
        return (sweep < sweeps) & jnp.any(before != after)

    def sweep(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        number, _, q = carry
        return number + 1, q, backup(table, q, discount)

    nothing = jnp.zeros(table.probability.shape[:2], jnp.float32)
    return jax.lax.while_loop(improves, sweep, (jnp.int32(0), nothing + jnp.inf, nothing))[2]


def _check(table: Table) -> None:
    """Refuse shapes that do not fit, and, where they are known, rows that are no probabilities."""
    shape = np.shape(table.probability)
    remedy = "see `Table`"
    cube = len(shape) == 3 and shape[0] == shape[2] and min(shape) >= 1
    require(cube, "probability", f"shape {shape}", "[states, actions, states]", remedy)
    states = shape[0]
    require(np.shape(table.reward) == shape, "reward", f"shape {np.shape(table.reward)}", f"{shape}", remedy)
    for name in ("terminal", "start", "observations"):
        found = np.shape(getattr(table, name))
        fits = found[:1] == (states,) and (name == "observations" or len(found) == 1)
        require(fits, name, f"shape {found}", f"one for each of {states} states", remedy)
    if not any(isinstance(x, Tracer) for x in jax.tree.leaves(table)):
        leaving = np.asarray(table.probability)[~np.asarray(table.terminal, bool)]
        for name, rows in {"probability": leaving, "start": np.asarray(table.start)}.items():
            right = bool((rows >= 0).all() and np.allclose(rows.sum(-1), 1, atol=1e-4))
            remedy = "divide each row by its sum"
            require(right, name, f"sums {rows.sum(-1).tolist()}", "probabilities with the sum 1", remedy)
