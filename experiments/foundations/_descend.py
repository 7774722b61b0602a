"""One loop for every way down."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


def descend(
    gradient: Callable[[jax.Array, Any], jax.Array],
    optimizer: optax.GradientTransformation,
    start: Any,
    inputs: Any,
) -> np.ndarray:
    """The points [steps + 1, *start.shape] that a descent goes through.

    Args:
      gradient: of the point and of what the step sees.
      optimizer: any optax transformation.
      start: the first point.
      inputs: [steps, ...], what each step sees.
    """

    def step(carry: Any, seen: Any) -> Any:
        point, state = carry
        updates, state = optimizer.update(gradient(point, seen), state)
        return (point + updates, state), point + updates

    start = jnp.asarray(start, float)
    _, points = jax.lax.scan(step, (start, optimizer.init(start)), jnp.asarray(inputs))
    return np.concatenate([start[None], points])
