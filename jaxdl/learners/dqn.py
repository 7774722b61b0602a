"""Deep Q-learning with the environment on the device (003:1657-1702).

The environment, the replay buffer and the target network are part of the state, so that a whole
experiment is one `Learner` without a batch, and `many_steps`, `over_seeds` and `over_devices` work
on it as on any other. One step acts a few times in each of several environments, and then learns
from batches out of the replay buffer: `jaxdl.learners.q_agent` is both halves of it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl.envs import Environment, Transition, auto_reset, episode_returns
from jaxdl.envs.environment import check_actions
from jaxdl.learner import EVALUATE, Key, Learner, Metrics, stream
from jaxdl.learners.q_agent import Agent, DQNState, agent

__all__ = ["Agent", "DQNState", "agent", "evaluate", "learner"]


def learner(environment: Environment, agent: Agent) -> Learner:
    """A whole experiment as one learner, whose batch is None.

    Returns:
      A learner on `DQNState` with the metrics "loss" and "q" (the mean value of the actions
      taken, as the network sees it) over the updates, and "reward" and "episodes" (that ended)
      per step of one environment: the quotient of their sums is the mean return of an episode.

    Raises:
      InputError: at `init`, a network for another number of actions.

    >>> import optax
    >>> from jaxdl import envs, models
    >>> catch = envs.make("Catch")
    >>> parts = agent(models.QNetwork(catch.actions), optax.adam(1e-3), envs.uniform(1024))
    >>> dqn = learner(catch, parts)
    >>> state, measured = jax.jit(dqn.step)(dqn.init(jax.random.key(0), None), None)
    >>> int(state.step), sorted(measured)
    (1, ['episodes', 'loss', 'q', 'reward'])
    """
    n = agent.environments
    reset = jax.vmap(environment.reset, (0, None))
    advance = jax.vmap(auto_reset(environment), (0, 0, 0, None, 0))

    @jax.jit
    def draw(key: Key, step: Any) -> tuple[Key, Key, tuple, Key]:
        """What a step needs of chance: keys to act and to move, starts of episodes, keys to learn."""
        acting, learning = agent.keys(key, step, 2 * n)
        act, move, anew = jnp.split(acting, [1 + n, 1 + 2 * n], axis=1)
        return act, move, jax.vmap(reset, (0, None))(anew, environment.params), learning

    @jax.jit  # as `draw`, so that it is traced and lowered once for the warm-up and the steps
    def play(state: DQNState) -> tuple[DQNState, Transition, Key]:
        def move(carry: tuple, now: tuple) -> tuple[tuple, Transition]:
            (env_state, observation), (i, act, move, start) = carry, now
            actions = agent.act(state, observation, i, act)
            after = advance(move, env_state, actions, environment.params, start)
            following, env_state, reward, terminated, truncated, last = after
            seen = Transition(observation, actions, reward, terminated, truncated, last)
            return (env_state, following), seen

        *drawn, learning = draw(state.key, state.step)
        start, times = (state.env_state, state.observation), jnp.arange(agent.rollout)
        (env_state, observation), seen = jax.lax.scan(move, start, (times, *drawn))
        return state.replace(env_state=env_state, observation=observation), seen, learning

    def init(key: Key, batch: None) -> DQNState:
        starts = draw(key, jnp.int32(-agent.warmup - 1))[2]
        state = agent.init(key, *jax.tree.map(lambda x: x[0], starts))
        check_actions(agent.values, state.net.params, state.observation, environment.actions)

        def warm(state: DQNState, _: None) -> tuple[DQNState, None]:
            state, seen, _ = play(state)
            return agent.remember(state, seen), None

        return jax.lax.scan(warm, state, length=agent.warmup)[0]

    def step(state: DQNState, batch: None) -> tuple[DQNState, Metrics]:
        return agent.learn(*play(state))

    return Learner(init, step, agent.inspect, resident=True)


def evaluate(
    environment: Environment, agent: Agent, episodes: int = 100, limit: int = 1_000_000
) -> Callable[[DQNState], jax.Array]:
    """The greedy policy's returns, as a pure function state -> float32 [episodes].

    Args:
      environment: as for `learner`.
      agent: the one that learned.
      episodes: played side by side, each from a start of its own.
      limit: steps after which an episode is stopped, for environments without a time limit.
    """

    def run(state: DQNState) -> jax.Array:
        def policy(observations: jax.Array) -> jax.Array:
            return agent.values(state.net.params, observations, None).argmax(-1).astype(jnp.int32)

        key = stream(state.key, EVALUATE, state.step)
        return episode_returns(environment, policy, key, episodes, limit)

    return run
