"""What experience is made of."""

from typing import NamedTuple

import jax
import numpy as np

Array = jax.Array | np.ndarray


class Transition(NamedTuple):
    """What was seen, done and earned. In a rollout all arrays are [time, environments, ...]."""

    observation: Array
    action: Array  # int32
    reward: Array  # float32
    terminated: Array  # bool, the episode is over and nothing more can be earned
    truncated: Array  # bool, it was stopped; what could still be earned counts
    next_observation: Array  # the true one, also where a new episode has begun since
