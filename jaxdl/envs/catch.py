"""Catch: a ball falls down a board, and a paddle at the bottom must be under it.

Mnih et al., "Recurrent models of visual attention", 2014, in the form of bsuite (Osband et al.
2020, arXiv 1908.03568).
"""

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs.environment import NO_LIMIT, Environment, Key, Step, check_time_limit
from jaxdl.errors import require_number


class Params(struct.PyTreeNode):
    """Limits."""

    time_limit: int = NO_LIMIT  # steps; an episode ends by itself when the ball is down


class State(struct.PyTreeNode):
    """Where the ball and the paddle are."""

    row: jax.Array  # int32 [], of the ball; it falls one a step, so it counts the steps as well
    column: jax.Array  # int32 [], of the ball
    paddle: jax.Array  # int32 [], its column in the last row


def environment(
    rows: int = 10, columns: int = 5, image: bool = False, time_limit: int | None = None
) -> Environment:
    """The ball starts at the top of any column, the paddle in the middle.

    Actions: 0 moves the paddle to the left, 1 leaves it, 2 moves it to the right. When the ball is
    in the last row the episode terminates, with reward 1 if the paddle is there and else -1; the
    other rewards are 0. An observation is the board, 1 at the ball and at the paddle and else 0:
    float32 [rows * columns], or with `image` [rows, columns, 1].

    Args:
      rows, columns: of the board.
      image: see above.
      time_limit: steps after which an episode is truncated; None: it ends with the ball's fall.

    Raises:
      InputError: a board of less than two rows or of no column, or a time limit below 1.

    >>> env = environment(image=True)
    >>> env.actions, env.observation.shape
    (3, (10, 5, 1))
    """
    require_number("rows", rows, 2, whole=True, remedy="bsuite uses 10")
    require_number("columns", columns, 1, whole=True, remedy="bsuite uses 5")

    def observe(state: State) -> jax.Array:
        place = jnp.arange(rows * columns)
        paddle = (rows - 1) * columns + state.paddle
        board = (place == state.row * columns + state.column) | (place == paddle)
        return board.astype(jnp.float32).reshape((rows, columns, 1) if image else -1)

    def reset(key: Key, params: Params) -> tuple[jax.Array, State]:
        column = jax.random.randint(key, (), 0, columns, jnp.int32)
        state = State(jnp.int32(0), column, jnp.int32(columns // 2))
        return observe(state), state

    def step(key: Key, state: State, action: jax.Array, params: Params) -> Step:
        paddle = jnp.clip(state.paddle + action - 1, 0, columns - 1).astype(jnp.int32)
        state = State(state.row + 1, state.column, paddle)
        terminated = state.row >= rows - 1
        reward = jnp.where(state.column == paddle, 1.0, -1.0) * terminated
        return observe(state), state, reward.astype(jnp.float32), terminated, state.row >= params.time_limit

    observation = jax.ShapeDtypeStruct((rows, columns, 1) if image else (rows * columns,), jnp.float32)
    return Environment(reset, step, Params(check_time_limit(time_limit)), 3, observation)
