"""What an environment is: two pure functions that play one episode, and what holds for all of them.

An environment is the model of the slides, T, R: (state(t), action) -> (state(t+1), reward)
(003:1676-1680), written so that thousands of episodes run at once under `jax.vmap` and a whole
training under `jax.lax.scan`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jax.core import Tracer

from jaxdl.errors import require, require_number

Key = jax.Array  # a typed key, `jax.random.key(seed)`
Params = Any  # pytree of numbers, with at least `time_limit`
State = Any  # a flax struct of arrays
Step = tuple[jax.Array, State, jax.Array, jax.Array, jax.Array]
NO_LIMIT = 2**31 - 1  # steps: the time limit of an episode that ends by itself


class Environment(NamedTuple):
    """The rules of one episode; callers batch them with `jax.vmap`.

    reset: (key, params) -> (observation, state). The start of an episode.
    step: (key, state, action, params) -> (observation, state, reward float32 [], terminated
        bool [], truncated bool []). `terminated`: the episode is over and nothing follows.
        `truncated`: the time limit is reached (as in gymnasium, also if the episode terminates
        in that very step); the state after it still has a value, and a learner must go on
        bootstrapping from it unless the episode terminated.
    params: the default physics and limits, as numbers and arrays only, so that they can be
        traced, and mapped over for a study of them. `params.time_limit` is in steps. Change one
        with `params.replace(...)`.
    actions: number of actions. An action is an int32 [] in 0..actions-1; inside `step` nothing
        checks it.
    observation: shape and dtype of one observation.
    """

    reset: Callable[[Key, Params], tuple[jax.Array, State]]
    step: Callable[[Key, State, jax.Array, Params], Step]
    params: Params
    actions: int
    observation: jax.ShapeDtypeStruct


def auto_reset(environment: Environment) -> Callable[..., tuple[*Step, jax.Array]]:
    """A step that goes on with a new episode when one is over.

    Returns:
      A function (key, state, action, params, start) -> (observation, state, reward, terminated,
      truncated, last_observation). `start` is what `environment.reset` gave: once an episode is
      over, `observation` and `state` are the start, else it goes unused. Drawing the starts of many
      steps at once costs less than one in each. `last_observation` is always what the action led
      to: the observation to bootstrap from, which after a truncation is still worth something.
    """

    def step(
        key: Key, state: State, action: jax.Array, params: Params, start: tuple[jax.Array, State]
    ) -> tuple[*Step, jax.Array]:
        last_observation, state, reward, terminated, truncated = environment.step(key, state, action, params)
        # Under vmap a lax.cond would do the same.
        observation, state = jax.tree.map(
            lambda new, old: jnp.where(terminated | truncated, new, old), start, (last_observation, state)
        )
        return observation, state, reward, terminated, truncated, last_observation

    return step


class StickyState(struct.PyTreeNode):
    """State of an environment with sticky actions."""

    inner: State  # the environment's own
    previous: jax.Array  # int32 [], the action that was last carried out, 0 at the start


def sticky_actions(environment: Environment, probability: float = 0.1) -> Environment:
    """With some probability the environment repeats its previous action instead of the given one.

    It keeps an agent from learning one sequence of moves by heart in a game without chance
    (Machado et al. 2018, arXiv 1709.06009, with 0.25; 0.1 in MinAtar, Young and Tian 2019,
    arXiv 1903.03176). What is repeated is the action that was carried out, itself perhaps a repeat.

    Raises:
      InputError: `probability` outside 0..1.
    """
    require_number("sticky", probability, 0, 1, remedy="it is a probability; MinAtar uses 0.1")

    def reset(key: Key, params: Params) -> tuple[jax.Array, StickyState]:
        observation, state = environment.reset(key, params)
        return observation, StickyState(state, jnp.int32(0))

    def step(key: Key, state: StickyState, action: jax.Array, params: Params) -> Step:
        stick_key, step_key = jax.random.split(key)
        chance = probability if isinstance(probability, Tracer) else float(probability)
        repeat = jax.random.bernoulli(stick_key, chance)
        action = jnp.where(repeat, state.previous, action).astype(jnp.int32)
        observation, inner, reward, terminated, truncated = environment.step(
            step_key, state.inner, action, params
        )
        return observation, StickyState(inner, action), reward, terminated, truncated

    return environment._replace(reset=reset, step=step)


def check_actions(values: Callable[..., jax.Array], params: Any, observation: Any, actions: int) -> None:
    """Raise `InputError` unless a network's `values(params, observation, None)` are one per action."""
    found = jax.eval_shape(values, params, observation, None).shape[1]
    remedy = f"give the network actions={actions}"
    require(found == actions, "actions", found, f"{actions}, those of the environment", remedy)


def check_time_limit(time_limit: int | None) -> int:
    """The time limit in steps, `NO_LIMIT` for None.

    Raises:
      InputError: not an integer in 1..`NO_LIMIT`.

    >>> check_time_limit(0)
    Traceback (most recent call last):
    jaxdl.errors.InputError: time_limit: got 0, expected an integer >= 1; None is no limit
    """
    limit = NO_LIMIT if time_limit is None else time_limit
    valid = isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= NO_LIMIT
    require(valid, "time_limit", time_limit, "an integer >= 1", "None is no limit")
    return limit
