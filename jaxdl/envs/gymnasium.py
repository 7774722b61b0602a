"""What a gymnasium environment must be for a deep Q-learner: discrete actions, array observations."""

from typing import Any

import jax
import numpy as np

from jaxdl.errors import require


def spec(env: Any) -> tuple[jax.ShapeDtypeStruct, int]:
    """Check the spaces of a gymnasium environment, of one episode or of a vector of them.

    Args:
      env: a `gymnasium.Env`, or a `gymnasium.vector.VectorEnv`, whose spaces for one episode count.

    Returns:
      Shape and dtype of one observation as JAX holds it (64 bits become 32 without
      `jax.enable_x64`), and the number of actions, which are 0..n-1.

    Raises:
      InputError: actions that are not `Discrete` or do not begin at 0, or observations that are
        not one `Box`; the message says what was found and which wrapper helps.
    """
    from gymnasium import spaces

    actions = getattr(env, "single_action_space", env.action_space)
    seen = getattr(env, "single_observation_space", env.observation_space)
    require(
        isinstance(actions, spaces.Discrete),
        "action space",
        actions,
        "Discrete",
        "map some actions to the environment's own with gymnasium.wrappers.TransformAction",
    )
    require(
        int(actions.start) == 0,
        "action space",
        actions,
        "actions that begin at 0",
        "shift them with gymnasium.wrappers.TransformAction",
    )
    require(
        isinstance(seen, spaces.Box),
        "observation space",
        seen,
        "one Box",
        "gymnasium.wrappers.FlattenObservation makes one of most spaces",
    )
    dtype = jax.dtypes.canonicalize_dtype(np.dtype(seen.dtype))
    return jax.ShapeDtypeStruct(seen.shape, dtype), int(actions.n)
