"""The two halves of deep Q-learning, acting and learning, for any environment (003:1657-1702).

"Human-level control through deep reinforcement learning", Mnih et al., 2015. Whether the
environment is on the device (`jaxdl.learners.dqn`) or outside (`jaxdl.run.play`), what is learned
from it is learned here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct
from jax.core import Tracer

from jaxdl import losses
from jaxdl.envs.replay import Replay
from jaxdl.envs.returns import n_step as n_step_returns
from jaxdl.envs.transition import Transition
from jaxdl.errors import require, require_choice, require_number
from jaxdl.learner import INIT, NOISE, Key, Metrics, Net, Params, init_net, inspect_net, stream, update_net
from jaxdl.learners.q_checks import check_buffer, check_counts, check_shares, check_support, warmup_steps

LOSSES = {"huber": optax.losses.huber_loss, "squared": optax.losses.squared_error}


class DQNState(struct.PyTreeNode):
    """A whole experiment."""

    step: jax.Array  # int32 [], rounds of acting and learning done; below 0 while warming up
    key: jax.Array  # typed key [], the run's key, constant
    net: Net
    target_params: Params
    replay: Any  # the replay buffer
    recent: Transition  # [n_step - 1, environments, ...], their returns are not complete yet
    env_state: Any  # [environments, ...], None if the environment is outside
    observation: jax.Array  # [environments, ...], the current one


class Agent(NamedTuple):
    """The halves of deep Q-learning as pure functions, and the sizes they were made for.

    init: (key, observation [environments, ...], env_state) -> state, its replay buffer empty, at
        step -warmup.
    values: (params, observations [batch, ...], key or None) -> Q values [batch, actions]. The
        key is for a noisy network, which is its mean without.
    keys: (the run's key, step, more) -> the keys of a step, drawn at once: for acting [rollout,
        1 + environments + more], where `more` are for the environments, and for learning [updates].
    act: (state, observations [environments, ...], i, keys [1 + environments]) -> actions int32
        [environments], the i-th time in this step: a random one with the probability epsilon,
        which is 1 before step 0, else the best.
    remember: (state, transitions [rollout, environments, ...]) -> the state of the next step, with
        the transitions whose returns are complete in its replay buffer.
    learn: (state, transitions [rollout, environments, ...], keys [updates]) -> (state, metrics):
        `remember`, and the updates.
    inspect: (state, anything) -> metrics, see `Learner`.
    warmup: steps of random actions without learning, before step 0.
    rollout: times that each environment is acted in per step.
    environments: that are acted in side by side.
    """

    init: Callable[[Key, jax.Array, Any], DQNState]
    values: Callable[[Params, jax.Array, Key | None], jax.Array]
    keys: Callable[[Key, Any, int], tuple[Key, Key]]
    act: Callable[[DQNState, jax.Array, Any, Key], jax.Array]
    remember: Callable[[DQNState, Transition], DQNState]
    learn: Callable[[DQNState, Transition, Key], tuple[DQNState, Metrics]]
    inspect: Callable[[DQNState, Any], Metrics]
    warmup: int
    rollout: int
    environments: int


def agent(
    network: Any,
    optimizer: optax.GradientTransformation,
    replay: Replay,
    *,
    environments: int = 16,
    rollout: int = 8,
    updates: int = 8,
    batch_size: int = 64,
    warmup: int = 64,
    discount: float = 0.99,
    n_step: int = 1,
    double: bool = False,
    loss: str = "huber",
    support: tuple[float, float] | None = None,
    tau: float = 1.0,
    target_every: int = 500,
    exploration: optax.ScalarOrSchedule = 0.05,
) -> Agent:
    """Acting and learning, for any environment with discrete actions.

    The options are independent of each other. With `double`, `n_step`, a `support`, a prioritized
    replay and a dueling noisy network this is Rainbow (Hessel et al., 2018).

    Args:
      network: flax module, observations -> Q values [batch, actions], or, with a `support`,
        logits [batch, actions, atoms]; `models.QNetwork`.
      optimizer: any optax transformation.
      replay: `envs.uniform(capacity)` or `envs.prioritized(capacity)`.
      environments: that are acted in side by side.
      rollout, updates: times that each environment is acted in, and gradient steps, per step.
      batch_size: transitions per gradient step.
      warmup: random actions in each environment before the first step, at least; as many more
        as make whole rollouts and fill a batch.
      discount: of a reward one step later, gamma in [0, 1].
      n_step: rewards that are summed before the target network is asked (Sutton, 1988).
      double: the network chooses the next action, the target network values it (van Hasselt
        et al., 2016).
      loss: "huber" or "squared", of the difference to the target; C51 has its own.
      support: lowest and highest return of C51 (Bellemare et al., 2017), which learns the
        distribution of the return on as many atoms as the network has.
      tau, target_every: once in so many updates the target network moves by the share tau
        towards the network: (1, 500) copies it at times, (0.05, 1) follows slowly.
      exploration: epsilon, or a schedule of it over the steps of all environments together, of
        which the first value is checked; a later one above 1 or below 0 acts as 1 or 0.

    Raises:
      InputError: numbers out of range, or a replay buffer that does not fit them.
    """
    require_choice("loss", loss, LOSSES)
    epsilons = exploration if callable(exploration) else lambda _: exploration
    rows = rollout * environments
    check_counts(environments=environments, rollout=rollout, updates=updates)
    check_counts(batch_size=batch_size, n_step=n_step, target_every=target_every)
    check_shares(discount=discount, tau=tau)
    # Operation by operation a schedule would be compiled in eight parts.
    check_shares(exploration=jax.jit(exploration)(0) if callable(exploration) else exploration)
    require_number("warmup", warmup, 0, whole=True, remedy="try the default")
    skipped, steps = warmup_steps(warmup, environments, rollout, batch_size, n_step)
    check_buffer(replay.capacity, rows, environments, batch_size, n_step, (steps - skipped) * rows)
    if support is not None:
        check_support(support)

    @jax.jit  # traced and lowered once for each number of rows, not once for each use
    def outputs(params: Params, observation: jax.Array, key: Key | None) -> jax.Array:
        return network.apply({"params": params}, observation, rngs=None if key is None else {"noise": key})

    def values(params: Params, observation: jax.Array, key: Key | None = None) -> jax.Array:
        return _expected(outputs(params, observation, key), support)

    def keys(key: Key, step: Any, more: int) -> tuple[Key, Key]:
        # One draw for both halves: every further one takes a twentieth of a second to compile.
        each = 1 + environments + more
        drawn = jax.random.split(stream(key, NOISE, step), updates + rollout * each)
        return drawn[updates:].reshape(rollout, each), drawn[:updates]

    def act(state: DQNState, observation: jax.Array, i: Any, keys: Key) -> jax.Array:
        q = values(state.net.params, observation, _noise(keys[0]))
        chance = (jax.random.key_data(keys[1:])[:, 1] >> 8) * 2.0**-24  # in [0, 1), see `random_actions`
        greedy = q.argmax(-1).astype(jnp.int32)
        random = random_actions(keys[1:], q.shape[1])
        counted = jnp.minimum(state.step, 2**31 // rows - 1) * rows + i * len(q)  # does not wrap in int32
        explore = (state.step < 0) | (chance < epsilons(counted))
        return jnp.where(explore, random, greedy)

    def loss_fn(params: Params, stats: Any, batch: tuple, target_params: Params, key: Key):
        row, weights = batch
        online, choose, judge = jax.random.split(key, 3)
        output = outputs(params, row["observation"], online)
        following = outputs(target_params, row["next_observation"], judge)
        chooser = outputs(params, row["next_observation"], choose) if double else following
        best = _expected(chooser, support).argmax(-1)
        chosen, following = _pick(output, row["action"]), jax.lax.stop_gradient(_pick(following, best))
        if support is None:
            error = chosen - (row["return"] + row["discount"] * following)
            each, priorities = LOSSES[loss](error), jnp.abs(error)
        else:
            moved = row["return"][:, None] + row["discount"][:, None] * _atoms(output, support)[None]
            project = jax.vmap(losses.categorical_projection, (None, 0, 0))
            wanted = project(_atoms(output, support), jax.nn.softmax(following), moved)
            each = optax.losses.softmax_cross_entropy(chosen, wanted)
            # As in Rainbow, without the entropy of what is wanted: nothing can be learned from that.
            divergence = optax.losses.kl_divergence(jax.nn.log_softmax(chosen), wanted)
            priorities = jnp.maximum(divergence, 0)
        q = _pick(_expected(output, support), row["action"]).mean()
        return (weights * each).mean(), (stats, {"priorities": priorities, "q": q})

    @jax.jit
    def remember(state: DQNState, transitions: Transition) -> DQNState:
        joined = jax.tree.map(lambda old, new: jnp.concatenate([old, new]), state.recent, transitions)
        reward, terminated, truncated, after = map(jnp.asarray, joined[2:])
        returns, discounts, last = n_step_returns(reward, terminated, truncated, n_step, discount)
        after = jnp.take_along_axis(after, last.reshape(*last.shape, *[1] * (after.ndim - 2)), axis=0)
        row = _row(joined.observation[:rollout], joined.action[:rollout], returns, discounts, after)
        row = jax.tree.map(lambda x: x.reshape(rows, *x.shape[2:]), row)
        recent = jax.tree.map(lambda x: x[rollout:], joined)
        return state.replace(step=state.step + 1, replay=replay.add(state.replay, row), recent=recent)

    def init(key: Key, observation: jax.Array, env_state: Any) -> DQNState:
        net = init_net(network, optimizer, stream(key, INIT, 0), observation)
        shape = jax.eval_shape(outputs, net.params, observation, key).shape
        wanted = "[batch, actions]" if support is None else "[batch, actions, atoms]"
        remedy = "a support needs atoms, and atoms a support"
        require(len(shape) == (2 if support is None else 3), "network's outputs", shape, wanted, remedy)
        number, no = jnp.zeros(environments), jnp.zeros(environments, bool)
        none = Transition(observation, number.astype(jnp.int32), number, no, no, observation)
        recent = jax.tree.map(lambda x: jnp.zeros((n_step - 1, *x.shape), x.dtype), none)
        row = jax.tree.map(lambda x: x[0], _row(observation, none.action, number, number, observation))
        # The first steps complete returns of transitions that have not been: zeros, to be skipped.
        buffer, target_params = replay.init(row, skipped * rows), jax.tree.map(jnp.copy, net.params)
        return DQNState(jnp.int32(-steps), key, net, target_params, buffer, recent, env_state, observation)

    def learn(state: DQNState, transitions: Transition, keys: Key) -> tuple[DQNState, Metrics]:
        state, done = remember(state, transitions), state.step * updates

        def update(carry: tuple, now: tuple) -> tuple[tuple, Metrics]:
            (net, target_params, buffer), (i, draw) = carry, now
            sample = replay.sample(buffer, draw, batch_size)
            batch = sample.rows, sample.weights
            net, measured = update_net(loss_fn, optimizer, net, batch, target_params, _noise(draw))
            buffer = replay.update(buffer, sample.index, measured.pop("priorities"))
            copied = not isinstance(tau, Tracer) and tau == 1
            moved = net.params if copied else optax.incremental_update(net.params, target_params, tau)
            if target_every > 1:
                due = (done + i + 1) % target_every == 0
                moved = jax.tree.map(lambda new, old: jnp.where(due, new, old), moved, target_params)
            return (net, moved, buffer), measured

        carry = state.net, state.target_params, state.replay
        (net, target_params, buffer), measured = jax.lax.scan(update, carry, (jnp.arange(updates), keys))
        ended = transitions.terminated | transitions.truncated
        metrics = {name: x.mean() for name, x in measured.items()}
        metrics |= {"reward": transitions.reward.mean(), "episodes": ended.mean(dtype=jnp.float32)}
        return state.replace(net=net, target_params=target_params, replay=buffer), metrics

    def inspect(state: DQNState, _: Any) -> Metrics:
        draw = keys(state.key, state.step, 0)[1][0]
        sample = replay.sample(state.replay, draw, batch_size)
        batch = sample.rows, sample.weights
        return inspect_net(loss_fn, optimizer, state.net, batch, state.target_params, _noise(draw))

    return Agent(init, values, keys, act, remember, learn, inspect, steps, rollout, environments)


def random_actions(keys: Key, actions: int) -> jax.Array:
    """One of 0..actions-1 for each key, int32 of the same shape, alike to one part in 2**32 / actions.

    A fresh key is 64 random bits itself; drawing from it would only take longer to compile. The
    second half is left for another choice. Such a key must not be used for anything else.

    >>> counts = jnp.bincount(random_actions(jax.random.split(jax.random.key(0), 30_000), 3))
    >>> bool((abs(counts - 10_000) < 300).all())
    True
    """
    return (jax.random.key_data(keys)[..., 0] % actions).astype(jnp.int32)


def _noise(key: Key) -> Key:
    """The key of a noisy network's noise, beside what else is drawn with a key."""
    return jax.random.fold_in(key, NOISE)


def _row(observation: Any, action: Any, returns: Any, discount: Any, next_observation: Any) -> dict:
    """What the replay buffer holds of a transition."""
    return {
        "observation": observation,
        "action": action,
        "return": returns,
        "discount": discount,
        "next_observation": next_observation,
    }


def _atoms(outputs: jax.Array, support: tuple[float, float]) -> jax.Array:
    return jnp.linspace(*support, outputs.shape[-1])


def _expected(outputs: jax.Array, support: tuple[float, float] | None) -> jax.Array:
    """The Q values [batch, actions] of a network's outputs."""
    return outputs if support is None else jax.nn.softmax(outputs) @ _atoms(outputs, support)


def _pick(outputs: jax.Array, actions: jax.Array) -> jax.Array:
    """The outputs [batch, ...] of one action each, out of [batch, actions, ...]."""
    chosen = jax.nn.one_hot(actions, outputs.shape[1], dtype=bool)
    # A sum over a mask: its gradient is a mask too, where that of an index is a scatter.
    return jnp.where(chosen.reshape(*chosen.shape, *[1] * (outputs.ndim - 2)), outputs, 0).sum(1)
