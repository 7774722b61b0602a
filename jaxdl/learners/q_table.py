"""Q-learning with "a simple table", a number for each action in each state (003:1669).

"Q-learning", Watkins and Dayan, 1992. The policy is then to take the action with the largest
number, "without searching ahead" (003:1685).
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.core import Tracer

from jaxdl.envs import Environment, auto_reset
from jaxdl.envs.tables import Table
from jaxdl.errors import require, require_number
from jaxdl.learner import INIT, NOISE, Key, Learner, Metrics, stream


class QTableState(struct.PyTreeNode):
    """The table and the one environment it is learned in."""

    step: jax.Array  # int32 [], actions done
    key: jax.Array  # typed key [], the run's key, constant
    params: jax.Array  # float32 [states, actions], the table
    env_state: object
    observation: jax.Array  # int32 [], the number of the state that the environment is in


def learner(
    environment: Environment,
    states: int,
    *,
    learning_rate: optax.ScalarOrSchedule = 0.5,
    discount: float = 0.9,
    exploration: optax.ScalarOrSchedule = 1.0,
) -> Learner:
    """One action per step: Q(s, a) += rate * (r + discount * max Q(s', .) - Q(s, a)).

    Args:
      environment: its observation is the number of its state, an int32 [].
      states: how many there are.
      learning_rate: in [0, 1], or a schedule over the steps. Where chance decides what an action
        leads to, the table only settles if the rate falls.
      discount: of a reward one step later, gamma in [0, 1].
      exploration: the share of random actions, epsilon, or a schedule. The table becomes that
        of the best policy even if all are.

    Returns:
      A learner on `QTableState`, whose batch is None. Its "loss" is the squared difference; it is NaN
      where the number of a state is beyond the table.

    Raises:
      InputError: an observation that is no state number, fewer states than the environment (one of
        `envs.tables`) names, or shares out of range.

    >>> from jaxdl.envs import gridworld
    >>> grid = gridworld.environment(["S.G"], one_hot=False)
    >>> table = learner(grid, states=3)
    >>> state, measured = table.step(table.init(jax.random.key(0), None), None)
    >>> state.params.shape, measured["loss"].shape
    ((3, 4), ())
    """
    seen = environment.observation
    is_number = seen.shape == () and jnp.issubdtype(seen.dtype, jnp.integer)
    remedy = "use learners.dqn, or an environment that names its states (one_hot=False)"
    require(is_number, "observation", f"{seen.dtype}{seen.shape}", "the number of a state, int32 []", remedy)
    named = _named(environment)
    require_number("states", states, named, whole=True, remedy="count those that the environment names")
    rates, epsilons = _schedule(learning_rate), _schedule(exploration)
    checked = {"learning_rate": rates(0), "discount": discount, "exploration": epsilons(0)}
    for name, value in checked.items():
        require_number(name, value, 0, 1, remedy="try the default")
    advance = auto_reset(environment)

    def init(key: Key, batch: None) -> QTableState:
        observation, env_state = environment.reset(stream(key, INIT, 0), environment.params)
        table = jnp.zeros((states, environment.actions))
        return QTableState(jnp.int32(0), key, table, env_state, observation)

    def step(state: QTableState, batch: None) -> tuple[QTableState, Metrics]:
        explore, choose, move, anew = jax.random.split(stream(state.key, NOISE, state.step), 4)
        here, table = state.observation, state.params

        def q(number: jax.Array) -> jax.Array:
            return table.at[number].get(mode="fill", fill_value=jnp.nan)

        random = jax.random.randint(choose, (), 0, environment.actions)
        exploring = jax.random.uniform(explore) < epsilons(state.step)
        action = jnp.where(exploring, random, q(here).argmax()).astype(jnp.int32)
        start = environment.reset(anew, environment.params)
        after = advance(move, state.env_state, action, environment.params, start)
        observation, env_state, reward, terminated, _, last = after
        error = reward + discount * jnp.where(terminated, 0, q(last).max()) - q(here)[action]
        table = table.at[here, action].add(rates(state.step) * error)
        moved = state.replace(step=state.step + 1, params=table, env_state=env_state, observation=observation)
        return moved, {"loss": jnp.square(error), "reward": reward}

    return Learner(init, step, resident=True)


def _named(environment: Environment) -> int:
    """States that an environment can name, as far as that is known."""
    known = isinstance(environment.params, Table) and not isinstance(environment.params.observations, Tracer)
    return int(np.max(environment.params.observations)) + 1 if known else 1


def _schedule(value: optax.ScalarOrSchedule) -> optax.Schedule:
    return value if callable(value) else lambda _: value
