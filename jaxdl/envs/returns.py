"""Returns over several steps."""

import jax
import jax.numpy as jnp

from jaxdl.errors import require


def n_step(
    rewards: jax.Array, terminated: jax.Array, truncated: jax.Array, n: int, discount: float | jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What n steps earned, and where to go on from: a target is return + discount * value(after).

    From each start, the rewards of up to n steps, r_0 + discount r_1 + ..., within one episode:
    the sum ends with the step that terminated or was truncated. "Learning to predict by the
    methods of temporal differences", Sutton, 1988; in deep Q-learning, Hessel et al., 2018.

    Args:
      rewards: float32 [time, environments].
      terminated: bool, the same shape. Nothing can be earned after the step.
      truncated: bool, the same shape. The episode was stopped after the step: what could still
        be earned counts, unless it also terminated.
      n: steps, 1..time.
      discount: of a reward one step later, in 0..1; may be traced.

    Returns:
      For the time - n + 1 starts from which n steps are there, [time - n + 1, environments] each:
      the returns; the discounts of the value of what came after the last step, discount**steps,
      or 0 where it terminated; and the time of this last step, int32, in 0..time-1: its true
      next observation is the one to be valued.

    Raises:
      InputError: n outside 1..time, or arrays of different shapes.

    >>> rewards, no = jnp.ones((3, 1)), jnp.zeros((3, 1), bool)
    >>> returns, discounts, last = n_step(rewards, no.at[1].set(True), no, 2, 0.5)
    >>> returns[:, 0], discounts[:, 0], last[:, 0]
    (Array([1.5, 1. ], ...), Array([0., 0.], ...), Array([1, 1], dtype=int32))
    """
    time = len(rewards)
    require(
        isinstance(n, int) and 1 <= n <= time, "n_step", n, f"an integer in 1..{time}", "collect more steps"
    )
    shapes = rewards.shape, terminated.shape, truncated.shape
    shape = "three arrays [time, environments]"
    require(len({*shapes}) == 1 and rewards.ndim == 2, "shapes", shapes, shape, "add the missing axis")
    starts, discount = time - n + 1, jnp.asarray(discount, rewards.dtype)
    returns, discounts = jnp.zeros_like(rewards[:starts]), jnp.ones_like(rewards[:starts])
    steps = jnp.full_like(returns, n - 1, jnp.int32)
    for k in reversed(range(n)):  # from the last step of each start to the first
        reward, over, cut = (x[k : k + starts] for x in (rewards, terminated, truncated))
        returns = reward + discount * jnp.where(over | cut, 0, returns)
        discounts = jnp.where(over, 0, discount * jnp.where(cut, 1, discounts))
        steps = jnp.where(over | cut, k, steps)
    return returns, discounts, jnp.arange(starts, dtype=jnp.int32)[:, None] + steps
