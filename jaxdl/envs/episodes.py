"""Whole episodes under a policy."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdl.envs.environment import Environment, Key
from jaxdl.errors import require_number

Policy = Callable[[jax.Array], jax.Array]  # observations [batch, ...] -> actions int32 [batch]


def episode_returns(
    environment: Environment, policy: Policy, key: Key, episodes: int, limit: int = 1_000_000
) -> jax.Array:
    """The sums of rewards of episodes that are played side by side, each from a start of its own.

    Args:
      environment: with its default params.
      policy: what is done, without memory.
      key: of the starts, and of the chance in the environment.
      episodes: how many.
      limit: steps after which an episode is stopped, for environments without a time limit.

    Returns:
      float32 [episodes].

    Raises:
      InputError: no episodes, or no steps.

    >>> from jaxdl.envs import catch
    >>> stay = lambda observations: jnp.ones(len(observations), jnp.int32)
    >>> bool(jnp.abs(episode_returns(catch.environment(), stay, jax.random.key(0), 3)).min())
    True
    """
    for name, count in {"episodes": episodes, "limit": limit}.items():
        require_number(name, count, 1, whole=True, remedy="100 episodes are usual")
    reset, step = jax.vmap(environment.reset, (0, None)), jax.vmap(environment.step, (0, 0, 0, None))
    start, going = jax.random.split(key)
    observation, env_state = reset(jax.random.split(start, episodes), environment.params)

    def playing(carry: tuple) -> jax.Array:
        i, over, *_ = carry
        return (i < limit) & ~over.all()

    def move(carry: tuple) -> tuple:
        i, over, total, observation, env_state = carry
        keys = jax.random.split(jax.random.fold_in(going, i), episodes)
        after = step(keys, env_state, policy(observation), environment.params)
        observation, env_state, reward, terminated, truncated = after
        return i + 1, over | terminated | truncated, total + ~over * reward, observation, env_state

    first = jnp.int32(0), jnp.zeros(episodes, bool), jnp.zeros(episodes), observation, env_state
    return jax.lax.while_loop(playing, move, first)[2]
