"""Deep Q-learning with the environment on the device (003:1657-1702).

The environment, the replay buffer and the target network are part of the state, so that a whole
experiment is one `Learner` without a batch, and `many_steps`, `over_seeds` and `over_devices` work
on it as on any other. One step acts a few times in each of several environments, and then learns
from batches out of the replay buffer: `jaxdl.learners.q_agent` is both halves of it.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxdl.envs import Environment, Transition, auto_reset, episode_returns
from jaxdl.envs.environment import check_actions
from jaxdl.learner import EVALUATE, INIT, Key, Learner, Metrics, stream
from jaxdl.learners.q_agent import Agent, DQNState, agent, random_actions

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
    n, step_and_reset = agent.environments, auto_reset(environment)
    reset = jax.vmap(environment.reset, (0, None))
    advance = jax.vmap(step_and_reset, (0, 0, 0, None))

    def go(carry: tuple, move: tuple) -> tuple[tuple, Transition]:
        (env_state, observation), (actions, keys) = carry, move
        after = advance(keys, env_state, actions, environment.params)
        following, env_state, reward, terminated, truncated, last = after
        seen = Transition(observation, actions, reward, terminated, truncated, last)
        return (env_state, following), seen

    def init(key: Key, batch: None) -> DQNState:
        # Number 0 of the stream is the network's.
        keys = jax.vmap(stream, (None, None, 0))(key, INIT, jnp.arange(1, 1 + n + agent.warmup * n * 3))
        observation, env_state = reset(keys[:n], environment.params)
        choose, move = jnp.split(keys[n:].reshape(agent.warmup, n, 3), [1], axis=-1)
        wander = random_actions(choose[..., 0], environment.actions), move
        (env_state, observation), seen = jax.lax.scan(go, (env_state, observation), wander)
        state = agent.init(key, seen, observation, env_state)
        check_actions(agent.values, state.net.params, observation, environment.actions)
        return state

    def step(state: DQNState, batch: None) -> tuple[DQNState, Metrics]:
        def move(carry: tuple, now: tuple) -> tuple[tuple, Transition]:
            i, keys = now
            return go(carry, (agent.act(state, carry[1], i, keys[: n + 1]), keys[n + 1 :].reshape(n, 2)))

        acting, learning = agent.keys(state, 2 * n)
        start, times = (state.env_state, state.observation), jnp.arange(agent.rollout)
        (env_state, observation), seen = jax.lax.scan(move, start, (times, acting))
        return agent.learn(state.replace(env_state=env_state, observation=observation), seen, learning)

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
