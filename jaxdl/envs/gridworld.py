"""GridWorld: a walk over a map with walls to a goal, past a pit."""

from collections.abc import Sequence

import numpy as np

from jaxdl.envs import tables
from jaxdl.envs.environment import Environment, check_time_limit
from jaxdl.errors import require, require_number

# The world of Russell and Norvig, "Artificial Intelligence: A Modern Approach", chapter 17.
GRID = (
    "...G",
    ".#.P",
    "S...",
)
ACTIONS = ("up", "right", "down", "left")
_MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # row, column; neighbours in this list are at right angles


def environment(
    grid: Sequence[str] = GRID,
    step_reward: float = -0.04,
    goal_reward: float = 1.0,
    pit_reward: float = -1.0,
    slip: float = 0.0,
    one_hot: bool = True,
    time_limit: int | None = 100,
) -> Environment:
    """A walk over a map, one cell a step: the four actions are `ACTIONS`.

    A move into a wall or over the edge leaves the walker where it is. The episode terminates in a
    goal or a pit. State number row * columns + column is the cell in that row and column.

    Args:
      grid: rows of equal length, of "." free, "#" wall, "G" goal, "P" pit, "S" start. An episode
        begins in a start, or, where there is none, in any free cell, all equally likely.
      step_reward: of every step.
      goal_reward, pit_reward: added to it in the step that enters one.
      slip: probability that the walker goes off at a right angle to the action, half to either
        side (0.2 in the book).
      one_hot: whether an observation is a float32 [states] with a 1 at the state, or else the
        number of the state, an int32 [].
      time_limit: steps, None for no limit.

    Returns:
      The environment; `tables.optimal_q(environment.params, discount)` is its Q*.

    Raises:
      InputError: a map that is not rectangular, has other characters, no goal or no place to
        start; slip outside 0..1; a time limit below 1.

    >>> env = environment(["S.G"], step_reward=0.0)
    >>> tables.optimal_q(env.params, discount=0.5)[:, ACTIONS.index("right")]
    Array([0.5, 1. , 0. ], dtype=float32)
    """
    _check(grid)
    require_number("slip", slip, 0, 1, remedy="0 is a walker that never slips")
    cells = np.array([list(row) for row in grid]).ravel()
    towards = np.eye(len(cells), dtype=np.float32)[_destinations(grid)]  # [states, actions, states]
    sideways = (np.roll(towards, 1, axis=1) + np.roll(towards, -1, axis=1)) / 2
    entering = step_reward + goal_reward * (cells == "G") + pit_reward * (cells == "P")
    starts = cells == "S" if np.any(cells == "S") else cells == "."
    table = tables.Table(
        probability=np.float32(1 - slip) * towards + np.float32(slip) * sideways,
        reward=np.broadcast_to(entering.astype(np.float32), towards.shape),
        terminal=np.isin(cells, list("GP#")),  # nobody is ever inside a wall: it has no value either
        start=(starts / starts.sum()).astype(np.float32),
        observations=np.eye(len(cells), dtype=np.float32)
        if one_hot
        else np.arange(len(cells), dtype="int32"),
        time_limit=check_time_limit(time_limit),
    )
    return tables.environment(table)


def _destinations(grid: Sequence[str]) -> np.ndarray:
    """The state that each action leads to from each state: int [states, actions]."""
    rows, columns = len(grid), len(grid[0])
    destinations = np.empty((rows * columns, len(_MOVES)), int)
    for state in range(rows * columns):
        for action, (down, right) in enumerate(_MOVES):
            row, column = state // columns + down, state % columns + right
            free = 0 <= row < rows and 0 <= column < columns and grid[row][column] != "#"
            destinations[state, action] = row * columns + column if free else state
    return destinations


def _check(grid: Sequence[str]) -> None:
    """Refuse a map that cannot be walked on."""
    text = list(grid)
    widths = {len(row) for row in text}
    require(len(widths) == 1 and widths != {0}, "grid", text, "rows of equal length", "fill them up with '#'")
    used = set("".join(text))
    require(used <= set(".#GPS"), "grid", text, "only the characters . # G P S", "see gridworld.environment")
    require("G" in used, "grid", text, "at least one goal", "write G in a cell")
    require(bool(used & set(".S")), "grid", text, "a place to start", "write S in a cell")
