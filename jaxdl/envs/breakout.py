"""Breakout on a board of 10 x 10: a ball is kept in play with a paddle and breaks bricks.

The rules are those of MinAtar (Young and Tian, "MinAtar: an Atari-inspired testbed for thorough
and reproducible reinforcement learning experiments", 2019, arXiv 1903.03176), with the three
actions that do something in this game. MinAtar plays with sticky actions: see
`environment.sticky_actions`, which `make("Breakout")` adds.
"""

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.envs.environment import NO_LIMIT, Environment, Key, Step, check_time_limit

SIDE = 10  # cells
BRICK_ROWS = (1, 2, 3)
CHANNELS = ("paddle", "ball", "trail", "brick")
ACTIONS = ("none", "left", "right")


class Params(struct.PyTreeNode):
    """Limits."""

    time_limit: int = NO_LIMIT  # steps


class State(struct.PyTreeNode):
    """The board. The paddle is in the last row."""

    row: jax.Array  # int32 [], of the ball
    column: jax.Array  # int32 [], of the ball
    down: jax.Array  # int32 [], +1 if the ball falls, -1 if it rises
    right: jax.Array  # int32 [], +1 if it flies to the right, -1 to the left
    trail: jax.Array  # int32 [2], row and column of the ball before this step
    paddle: jax.Array  # int32 [], its column
    bricks: jax.Array  # bool [3, 10], those left
    inside: jax.Array  # bool [], the ball met a brick in the last step: it breaks none in this one
    elapsed: jax.Array  # int32 [], steps done in this episode


def environment(time_limit: int | None = None) -> Environment:
    """The ball flies diagonally, one cell a step, and bounces off walls, bricks and the paddle.

    It starts in the fourth row at the left or right edge, falling towards the middle. Actions are
    `ACTIONS`; the paddle moves one cell, before the ball does. A brick that the ball meets breaks,
    for a reward of 1, and the ball turns back vertically; a brick met in the very next step does
    nothing, and the ball flies through it. On the paddle the ball turns back vertically if it was
    above it, and both ways if it comes in from the side. When it reaches the last row and no brick
    is left, all come back. The episode terminates when it passes the paddle.

    The observation is bool [10, 10, 4], one channel for each of `CHANNELS`.

    Raises:
      InputError: `time_limit` is neither None nor an integer >= 1.

    >>> env = environment()
    >>> env.actions, env.observation.shape, env.observation.dtype
    (3, (10, 10, 4), dtype('bool'))
    """
    observation = jax.ShapeDtypeStruct((SIDE, SIDE, len(CHANNELS)), jnp.bool)
    return Environment(_reset, _step, Params(check_time_limit(time_limit)), len(ACTIONS), observation)


def _reset(key: Key, params: Params) -> tuple[jax.Array, State]:
    from_left = jax.random.bernoulli(key)
    row, column = jnp.int32(BRICK_ROWS[-1]), jnp.where(from_left, 0, SIDE - 1).astype(jnp.int32)
    state = State(
        row=row,
        column=column,
        down=jnp.int32(1),
        right=jnp.where(from_left, 1, -1).astype(jnp.int32),
        trail=jnp.stack([row, column]),
        paddle=jnp.int32(4),
        bricks=jnp.ones((len(BRICK_ROWS), SIDE), bool),
        inside=jnp.bool(False),
        elapsed=jnp.int32(0),
    )
    return _observe(state), state


def _step(key: Key, state: State, action: jax.Array, params: Params) -> Step:
    """One move of the paddle, then one of the ball; nothing in it is random."""
    move = (action == ACTIONS.index("right")).astype(jnp.int32) - (action == ACTIONS.index("left"))
    paddle = jnp.clip(state.paddle + move, 0, SIDE - 1)

    column = state.column + state.right
    at_side = (column < 0) | (column >= SIDE)
    column = jnp.clip(column, 0, SIDE - 1)
    row = state.row + state.down
    at_top = row < 0

    ahead = _cell(row, column)[BRICK_ROWS[0] : BRICK_ROWS[-1] + 1]
    on_brick = (state.bricks & ahead).any()
    breaks = on_brick & ~state.inside
    bricks = state.bricks & ~(ahead & breaks)

    at_bottom = row == SIDE - 1
    bricks = bricks | (at_bottom & ~bricks.any())  # all broken: a new wall
    from_above = at_bottom & (state.column == paddle)
    from_side = at_bottom & (column == paddle) & ~from_above
    terminated = at_bottom & ~from_above & ~from_side

    turns = breaks | from_above | from_side  # back up or down, from where it was
    state = State(
        row=jnp.where(turns, state.row, jnp.maximum(row, 0)),
        column=column,
        down=jnp.where(turns | at_top, -state.down, state.down),
        right=jnp.where(at_side ^ from_side, -state.right, state.right),
        trail=jnp.stack([state.row, state.column]),
        paddle=paddle,
        bricks=bricks,
        inside=on_brick,
        elapsed=state.elapsed + 1,
    )
    truncated = state.elapsed >= params.time_limit
    return _observe(state), state, breaks.astype(jnp.float32), terminated, truncated


def _cell(row: jax.Array | int, column: jax.Array) -> jax.Array:
    """bool [10, 10], true in one cell. Masks are faster than indices under vmap."""
    place = jnp.arange(SIDE)
    return (place == row)[:, None] & (place == column)[None, :]


def _observe(state: State) -> jax.Array:
    wall = jnp.pad(state.bricks, ((BRICK_ROWS[0], SIDE - 1 - BRICK_ROWS[-1]), (0, 0)))
    layers = {
        "paddle": _cell(SIDE - 1, state.paddle),
        "ball": _cell(state.row, state.column),
        "trail": _cell(state.trail[0], state.trail[1]),
        "brick": wall,
    }
    return jnp.stack([layers[name] for name in CHANNELS], axis=-1)
