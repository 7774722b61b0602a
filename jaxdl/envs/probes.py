"""Probes: environments so small that their Q is known, each of which fails a learner in one way.

They follow common practice in debugging reinforcement learning (Jones, "Debugging reinforcement
learning systems", andyljones.com, 2021): a learner that misses the first cannot even fit a
constant, one that passes it and misses the second does not use its observation, and so on. Two are
added for time limits: a value must be carried over a truncation, and from the right observation.

All have observations float32 [1], two actions and three states, the third of which is the end, and
share `reset` and `step`: a program compiled for one serves all, their params being an argument.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.envs import tables
from jaxdl.envs.environment import NO_LIMIT, Environment

END = 2  # the third state; the other two, 0 and 1, can be seen


class Probe(NamedTuple):
    """An environment and what is to be learned in it.

    environment: see the module.
    observations: float32 [k, 1], those from which an action is taken; k is 1 or 2.
    q: discount in 0..1 (below 1 where episodes never terminate) -> float32 [k, 2], the value of
        either action, whatever is done after it: no probe has a wrong action later on.
    """

    environment: Environment
    observations: np.ndarray
    q: Callable[[jax.Array | float], jax.Array]


def _probe(
    observations: Sequence[float],
    leads_to: Sequence[Sequence[int]],
    rewards: Sequence[Sequence[float]],
    q: Callable[[jax.Array | float], Sequence],
    starts: int = 1,
    time_limit: int = NO_LIMIT,
) -> Probe:
    """A probe from what is seen in its states, and where each action leads and what it gives there.

    `starts` states are equally likely to be the first.
    """
    seen, unseen = len(observations), 3 - len(observations)
    destination = np.array([*leads_to, *[[END, END]] * unseen])
    reward = np.array([*rewards, *[[0, 0]] * unseen], np.float32)
    shown = np.array([*observations, *[0] * unseen], np.float32)[:, None]
    table = tables.Table(
        probability=np.eye(3, dtype=np.float32)[destination],
        reward=np.repeat(reward[:, :, None], 3, axis=2),
        terminal=np.arange(3) == END,
        start=((np.arange(3) < starts) / starts).astype(np.float32),
        observations=shown,
        time_limit=time_limit,
    )
    return Probe(
        tables.environment(table),
        shown[:seen],
        lambda discount: jnp.asarray(q(discount), jnp.float32),
    )


def _alike(values: Sequence) -> list[list]:
    """The value of a state for both of its actions."""
    return [[value, value] for value in values]


_ENDS = [[END, END]]
PROBES: dict[str, Probe] = {
    # A reward of 1, then the end: the loss and the optimizer.
    "constant": _probe([0], _ENDS, [[1, 1]], lambda discount: [[1, 1]]),
    # The reward is the observation: the network sees it.
    "observation": _probe([-1, 1], _ENDS * 2, [[-1, -1], [1, 1]], lambda discount: _alike([-1, 1]), starts=2),
    # The reward comes one step later: the discount, and that nothing is expected after the end.
    "discounting": _probe(
        [0, 1], [[1, 1], [END, END]], [[0, 0], [1, 1]], lambda discount: _alike([discount, 1])
    ),
    # The reward is that of the action: values belong to actions.
    "action": _probe([0], _ENDS, [[-1, 1]], lambda discount: [[-1, 1]]),
    # The action must fit the observation: both at once.
    "observation_and_action": _probe(
        [-1, 1], _ENDS * 2, [[1, -1], [-1, 1]], lambda discount: [[1, -1], [-1, 1]], starts=2
    ),
    # Half a reward now, or a whole one later: the better action may be the one that gives nothing yet.
    "patience": _probe(
        [0, 1],
        [[END, 1], [END, END]],
        [[0.5, 0], [1, 1]],
        lambda discount: [[0.5, discount], [1, 1]],
    ),
    # A reward of 1 for ever, cut off after 5 steps: the cut is not the end.
    "truncation": _probe(
        [0], [[0, 0]], [[1, 1]], lambda discount: _alike([1 / (1 - discount)]), time_limit=5
    ),
    # The same after a first step for nothing: what counts at the cut is the observation before the
    # reset, not the one after it, whose value is lower.
    "last_observation": _probe(
        [-1, 1],
        [[1, 1], [1, 1]],
        [[0, 0], [1, 1]],
        lambda discount: _alike([discount / (1 - discount), 1 / (1 - discount)]),
        time_limit=5,
    ),
}
