"""Chain: a large reward far away, or a small one at once.

Strens, "A Bayesian framework for reinforcement learning", 2000, figure 1.
"""

import numpy as np

from jaxdl.envs import tables
from jaxdl.envs.environment import Environment, check_time_limit
from jaxdl.errors import require_number


def environment(
    states: int = 5,
    slip: float = 0.2,
    small_reward: float = 2.0,
    large_reward: float = 10.0,
    time_limit: int | None = 1000,
) -> Environment:
    """A row of states. Action 0 goes one on, for nothing but, at the end, where it stays, the large
    reward; action 1 goes back to the beginning for the small one. With probability `slip` the other
    action happens. No state is terminal. The observation is the state, one-hot, float32 [states].

    Args:
      states: >= 2.
      slip: 0..1.
      small_reward: of every return to the beginning.
      large_reward: of every step at the end.
      time_limit: steps, None for no limit.

    Raises:
      InputError: fewer than two states, slip outside 0..1, a time limit below 1.

    >>> env = environment()
    >>> env.actions, env.observation.shape
    (2, (5,))
    """
    require_number("states", states, 2, whole=True, remedy="Strens uses 5")
    require_number("slip", slip, 0, 1, remedy="Strens uses 0.2")
    identity = np.eye(states, dtype=np.float32)
    ahead = identity[np.minimum(np.arange(states) + 1, states - 1)]
    back = identity[np.zeros(states, int)]
    sure = np.stack([ahead, back], axis=1)  # [states, actions, states]
    reward = np.zeros_like(sure)
    reward[:, :, 0] = small_reward  # only a return leads there: the first state leads on to the second
    reward[-1, :, -1] = large_reward
    table = tables.Table(
        probability=np.float32(1 - slip) * sure + np.float32(slip) * sure[:, ::-1],
        reward=reward,
        terminal=np.zeros(states, bool),
        start=identity[0],
        observations=identity,
        time_limit=check_time_limit(time_limit),
    )
    return tables.environment(table)
