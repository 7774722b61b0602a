"""Deep Q-learning: right values on environments whose values are known, in every combination of options."""

import itertools
import os
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import envs, models
from jaxdl.errors import InputError
from jaxdl.learners import dqn, q_table
from jaxdl.run.chunks import compiler_options
from jaxdl.transforms import many_steps, over_settings

DISCOUNT = 0.8
PROBES = envs.PROBES
OPTIONS = ("double", "dueling", "steps", "prioritized", "atoms", "noisy")


def agent(double=False, dueling=False, steps=False, prioritized=False, atoms=False, noisy=False, **given):
    """A small agent for the probes; each option on or off."""
    soft = steps ^ prioritized ^ atoms ^ noisy
    network = models.QNetwork(2, (16,), dueling=dueling, atoms=16 if atoms else 1, noisy=noisy)
    replay = (envs.prioritized if prioritized else envs.uniform)(512)
    options = {
        "environments": 4,
        "rollout": 4,
        "updates": 4,
        "batch_size": 32,
        "warmup": 32,
        "discount": DISCOUNT,
        "n_step": 3 if steps else 1,
        "double": double,
        "support": (-1.5, 6.0) if atoms else None,
        # A fractional factorial design: any four of the eight options meet in every way.
        "loss": "huber" if double ^ dueling ^ steps ^ prioritized else "squared",
        "tau": 0.1 if soft else 1.0,
        "target_every": 1 if soft else 4,
        "exploration": 1.0,
    }
    optimizer = optax.adam(optax.linear_schedule(1e-2, 1e-4, 2000))
    return dqn.agent(network, optimizer, replay, **(options | given))


SHARED, APART = OPTIONS[:3], OPTIONS[3:]
# As users have it: each kernel is a module of its own, and one that two combinations share is compiled once.
EMITTERS = {"xla_cpu_use_fusion_emitters": True} if "fusion_emitters" in os.environ["XLA_FLAGS"] else {}


@pytest.mark.parametrize(
    "apart",
    list(itertools.product((False, True), repeat=len(APART))),
    ids=lambda on: "+".join(itertools.compress(APART, on)) or "plain",
)
def test_every_combination_finds_the_values_of_every_probe(apart):
    combinations = [on + apart for on in itertools.product((False, True), repeat=len(SHARED))]
    agents = [agent(**dict(zip(OPTIONS, on, strict=True))) for on in combinations]
    probes = list(PROBES.values())
    # The probes differ by their params only: one program learns them all.
    tables = jax.tree.map(lambda *x: jnp.stack(x), *(probe.environment.params for probe in probes))
    seen = np.stack([np.resize(probe.observations, (2, 1)) for probe in probes])

    def values(parts, params, observations):
        environment = PROBES["constant"].environment._replace(params=params)
        learner = many_steps(dqn.learner(environment, parts), 500)
        state, _ = learner.step(learner.init(jax.random.key(0), None), None)
        return parts.values(state.net.params, observations, None)

    def learn(tables, seen):
        return [jax.vmap(partial(values, parts))(tables, seen) for parts in agents]

    learned = jax.jit(learn, compiler_options=compiler_options(None) | EMITTERS)(tables, seen)
    for on, found in zip(combinations, learned, strict=True):
        for (name, probe), q in zip(PROBES.items(), found, strict=True):
            options = ", ".join(itertools.compress(OPTIONS, on))
            expected = probe.q(DISCOUNT)
            np.testing.assert_allclose(q[: len(expected)], expected, atol=0.15, err_msg=f"{name}: {options}")


@cache
def catcher(capacity=1024, replay=envs.uniform, **options):
    catch = envs.make("Catch")
    network = models.QNetwork(catch.actions, (8,))
    given = {"environments": 4, "rollout": 2, "updates": 2, "batch_size": 8, "warmup": 8, **options}
    return dqn.learner(catch, dqn.agent(network, optax.sgd(0.1), replay(capacity), **given))


# A sum tree of one more level takes a few words more, where the buffer has 25 MB more.
@pytest.mark.parametrize(("replay", "words"), [(envs.uniform, 0), (envs.prioritized, 32)])
def test_the_buffer_is_written_in_place(replay, words):
    temporary = []
    for capacity in (2**12, 2**16):
        learner = many_steps(catcher(capacity, replay), 10)
        state = jax.eval_shape(learner.init, jax.random.key(0), None)
        compiled = jax.jit(learner.step, donate_argnums=0).lower(state, None).compile(EMITTERS)
        temporary.append(compiled.memory_analysis().temp_size_in_bytes)
        shapes = {f"[{','.join(map(str, x.shape))}]" for x in jax.tree.leaves(state.replay) if x.ndim}
        copies = [line for line in compiled.as_text().splitlines() if " copy(" in line]
        assert not [line for line in copies if any(shape in line for shape in shapes)]
    assert 0 <= temporary[1] - temporary[0] <= 4 * words


def test_episodes_and_rewards_are_counted():
    learner = many_steps(catcher(exploration=1.0), 400)
    _, measured = jax.jit(learner.step)(learner.init(jax.random.key(0), None), None)
    # An episode of Catch takes 9 steps, and chance catches one ball in five or so.
    assert float(measured["episodes"].mean()) == pytest.approx(1 / 9, rel=0.02)
    assert -0.8 < float(measured["reward"].sum() / measured["episodes"].sum()) < -0.3


@pytest.mark.parametrize("prioritized", [False, True])
@pytest.mark.parametrize("n_step", [1, 2, 4, 7])
def test_the_warm_up_is_random_and_leaves_whole_transitions(n_step, prioritized):
    """What can be drawn has been seen: an observation of Catch has a ball and a paddle, never zeros."""
    catch, rollout, warmup = envs.make("Catch"), 3, 24
    replay = (envs.prioritized if prioritized else envs.uniform)(192)
    network = models.QNetwork(catch.actions, (8,))
    sizes = {"environments": 8, "rollout": rollout, "batch_size": 16, "warmup": warmup, "n_step": n_step}
    parts = dqn.agent(network, optax.sgd(0.1), replay, exploration=0.0, **sizes)
    learner = dqn.learner(catch, parts)
    state = jax.jit(learner.init)(jax.random.key(0), None)
    skipped = -(-(n_step - 1) // rollout)  # steps in which no return is complete yet
    assert (int(state.step), parts.warmup) == (0, warmup // rollout)
    assert int(state.replay.size) == (warmup // rollout - skipped) * rollout * 8
    sampled = [replay.sample(state.replay, jax.random.key(i), 64) for i in range(20)]
    rows = jax.tree.map(lambda *x: np.concatenate(x), *(sample.rows for sample in sampled))
    assert {*rows["observation"].reshape(len(rows["action"]), -1).sum(1)} == {2.0}
    share = np.bincount(rows["action"], minlength=3) / len(rows["action"])
    np.testing.assert_allclose(share, 1 / 3, atol=0.15)  # although epsilon is 0 from step 0 on
    # Once the ring has come round, everything in it has been seen.
    state, _ = jax.jit(many_steps(learner, 2 + 192 // (rollout * 8)).step)(state, None)
    assert int(state.replay.size) == 192
    assert {*state.replay.rows["observation"].reshape(192, -1).sum(1).tolist()} == {2.0}


def test_exploration_follows_its_schedule():
    """Without exploration the best action is taken; with it, any."""
    falls = optax.linear_schedule(1.0, 0.0, 1)  # random in the first action only
    late = 2**30  # steps: more actions than an int32 counts
    cases = (
        (0.0, 0, 0, 1.0),
        (1.0, 0, 0, 1 / 3),
        (falls, 0, 0, 1 / 3),
        (falls, 0, 1, 1.0),
        (falls, late, 0, 1.0),
    )
    for epsilon, step, i, expected in cases:
        catch = envs.make("Catch")
        network = models.QNetwork(catch.actions, (8,))
        parts = dqn.agent(network, optax.sgd(0.1), envs.uniform(1024), exploration=epsilon)
        state = dqn.learner(catch, parts).init(jax.random.key(0), None).replace(step=jnp.int32(step))
        many = jnp.repeat(state.observation, 100, axis=0)
        actions = parts.act(state, many, jnp.int32(i), jax.random.split(jax.random.key(1), 1 + len(many)))
        best = parts.values(state.net.params, many, None).argmax(-1)
        assert float((actions == best).mean()) == pytest.approx(expected, abs=0.05)


def test_acting_and_learning_share_no_key():
    """Those of the moves of three steps, and those that the replay buffer is sampled with."""
    plain, drawn = envs.uniform(512), []

    def sample(state, key, batch_size):
        drawn.append(jax.random.key_data(key))
        return plain.sample(state, key, batch_size)

    spied = plain._replace(sample=sample)
    parts = dqn.agent(models.QNetwork(2, (16,)), optax.adam(1e-2), spied, environments=4, rollout=4)
    state = dqn.learner(PROBES["constant"].environment, parts).init(jax.random.key(0), None)
    for step in range(3):
        state = state.replace(step=jnp.int32(step))
        acting, learning = parts.keys(state.key, state.step, 8)
        assert acting.shape == (4, 1 + 4 + 8)
        drawn += list(jax.random.key_data(acting.ravel())) + list(jax.random.key_data(learning))
        parts.inspect(state, None)
        # What `inspect` shows is the next update: it samples with that one's key.
        np.testing.assert_array_equal(drawn.pop(), jax.random.key_data(learning[0]))
    assert len(np.unique(drawn, axis=0)) == len(drawn) == 3 * (4 * 13 + 8)


def test_the_target_network_follows_or_is_copied():
    """After two updates: copied at the second, or a share of the way."""
    for tau, every, share in ((1.0, 2, 1.0), (0.5, 1, None), (1.0, 3, 0.0)):
        learner = catcher(tau=tau, target_every=every)
        before = learner.init(jax.random.key(0), None)
        after, _ = jax.jit(learner.step)(before, None)
        for old, new, target in zip(
            *map(jax.tree.leaves, (before.net.params, after.net.params, after.target_params)), strict=True
        ):
            if share is None:
                assert np.linalg.norm(target - new) < np.linalg.norm(old - new)
                assert not np.array_equal(target, new)
            else:
                np.testing.assert_array_equal(target, new if share else old)


def test_updates_are_counted_from_one_step_to_the_next():
    """The target network is copied at the third update, the first one of the second step."""
    learner = catcher(tau=1.0, target_every=3, updates=2)
    begun = learner.init(jax.random.key(0), None)
    once, _ = jax.jit(learner.step)(begun, None)
    twice, _ = jax.jit(learner.step)(once, None)
    for first, after, last, target in zip(
        *map(jax.tree.leaves, (begun.net.params, once.target_params, twice.net.params, twice.target_params)),
        strict=True,
    ):
        np.testing.assert_array_equal(after, first)
        assert not np.array_equal(target, first)
        assert not np.array_equal(target, last)


def test_a_noisy_agent_explores_by_its_noise():
    network = models.QNetwork(3, (8,), noisy=True)
    parts = dqn.agent(network, optax.sgd(0.1), envs.uniform(1024), environments=4, exploration=0.0)
    state = dqn.learner(envs.make("Catch"), parts).init(jax.random.key(0), None)
    observation = jax.random.normal(jax.random.key(1), (4, 50))
    keys = jax.random.split(jax.random.key(2), (20, 5))
    actions = jax.vmap(lambda keys: parts.act(state, observation, 0, keys))(keys)
    assert len(np.unique(actions, axis=0)) > 1


def test_hyper_parameters_are_traced():
    """A sweep over learning rates, discounts, target rates and epsilons is one program."""
    catch = envs.make("Catch")

    def make(learning_rate, discount, tau, epsilon):
        optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate)
        network = models.QNetwork(catch.actions, (8,))
        sizes = {"environments": 2, "rollout": 2, "updates": 1, "batch_size": 4, "warmup": 4}
        sizes |= {"discount": discount, "tau": tau, "exploration": epsilon}
        return dqn.learner(catch, dqn.agent(network, optimizer, envs.uniform(64), **sizes))

    settings = {"learning_rate": [0.1] * 2, "discount": [0.0, 0.9], "tau": [0.5] * 2, "epsilon": [0.0, 1.0]}
    sweep = over_settings(make, settings, "vmap")
    states = jax.jit(sweep.init)(jax.random.key(0), None)
    states, measured = jax.jit(sweep.step)(states, None)
    assert measured["loss"].shape == (2,)
    assert states.replay.rows["discount"][0].max() == 0
    assert states.replay.rows["discount"][1].max() == pytest.approx(0.9)


def test_greedy_evaluation_counts_one_episode_each():
    catch = envs.make("Catch")
    parts = dqn.agent(models.QNetwork(catch.actions, (8,)), optax.sgd(0.1), envs.uniform(1024))
    state = dqn.learner(catch, parts).init(jax.random.key(0), None)
    returns = jax.jit(dqn.evaluate(catch, parts, episodes=20))(state)
    assert returns.shape == (20,)
    assert set(np.asarray(returns)) <= {-1.0, 1.0}
    assert not jax.jit(dqn.evaluate(catch, parts, episodes=20, limit=3))(state).any()  # the ball still falls


BAD = {
    "discount": (1.5, "a number in [0, 1]"),
    "exploration": (-0.1, "a number in [0, 1]"),
    "tau": (2.0, "a number in [0, 1]"),
    "n_step": (100_000, "what the buffer holds"),
    "batch_size": (2048, "at most the capacity 1024"),
    "environments": (0, "an integer >= 1"),
    "rollout": (7, "a multiple of 112"),
    "updates": (0, "an integer >= 1"),
    "loss": ("mse", "one of huber, squared"),
    "warmup": (5000, "at most 64"),
}


def test_a_support_must_rise_and_fit_the_network():
    with pytest.raises(InputError, match="lowest return first"):
        dqn.agent(models.QNetwork(3, atoms=5), optax.sgd(0.1), envs.uniform(1024), support=(1.0, -1.0))
    for support in (1.0, ("0", "1"), (0.0, 1.0, 2.0), (0.0, float("nan")), (0.0, float("inf"))):
        with pytest.raises(
            InputError, match=r"support: got .* expected two numbers, the lowest return first"
        ):
            dqn.agent(models.QNetwork(3, atoms=5), optax.sgd(0.1), envs.uniform(1024), support=support)
    for atoms, support in ((1, (-1.0, 1.0)), (5, None)):
        network = models.QNetwork(3, atoms=atoms)
        parts = dqn.agent(network, optax.sgd(0.1), envs.uniform(1024), support=support)
        with pytest.raises(InputError, match="a support needs atoms"):
            dqn.learner(envs.make("Catch"), parts).init(jax.random.key(0), None)


@pytest.mark.parametrize("name", BAD)
def test_bad_numbers_are_refused_before_anything_is_compiled(name):
    value, expected = BAD[name]
    with pytest.raises(InputError, match=expected.replace("[", r"\[")):
        dqn.agent(models.QNetwork(3), optax.sgd(0.1), envs.uniform(1024), **{name: value})


@pytest.mark.parametrize("epsilon", [-0.1, "x", None, True])
def test_a_bad_epsilon_is_named_as_it_was_given(epsilon):
    with pytest.raises(InputError, match=f"exploration: got {epsilon!r}, expected a number"):
        dqn.agent(models.QNetwork(3), optax.sgd(0.1), envs.uniform(1024), exploration=epsilon)


def test_a_schedule_of_epsilon_begins_in_0_to_1():
    with pytest.raises(InputError, match=r"exploration: got .* expected a number in \[0, 1\]"):
        catcher(exploration=optax.linear_schedule(1.5, 0.1, 100))
    catcher(exploration=lambda step: 1 - step / 1e6)  # below 0 only long after


def test_a_network_for_other_actions_is_refused():
    parts = dqn.agent(models.QNetwork(7), optax.sgd(0.1), envs.uniform(1024))
    with pytest.raises(InputError, match="actions=3"):
        dqn.learner(envs.make("Catch"), parts).init(jax.random.key(0), None)


def test_a_table_learns_what_value_iteration_finds():
    grid = envs.gridworld.environment(one_hot=False)
    learner = many_steps(q_table.learner(grid, 12), 20_000)
    state, _ = jax.jit(learner.step)(learner.init(jax.random.key(0), None), None)
    np.testing.assert_allclose(state.params, envs.tables.optimal_q(grid.params, 0.9), atol=1e-3)


def test_a_table_needs_states_and_shares():
    with pytest.raises(InputError, match="number of a state"):
        q_table.learner(envs.make("GridWorld"), 12)
    with pytest.raises(InputError, match="states: got 5, expected an integer >= 12"):
        q_table.learner(envs.gridworld.environment(one_hot=False), 5)
    with pytest.raises(InputError, match="learning_rate"):
        q_table.learner(envs.gridworld.environment(one_hot=False), 12, learning_rate=1.5)


def test_a_state_beyond_the_table_is_no_number():
    """Where the states of an environment are not known beforehand."""
    grid = envs.gridworld.environment(one_hot=False)
    unknown = grid._replace(params=Wrapped(grid.params, grid.params.time_limit))
    unknown = unknown._replace(
        reset=lambda key, params: grid.reset(key, params.inner),
        step=lambda key, state, action, params: grid.step(key, state, action, params.inner),
    )
    losses = {}
    for states in (5, 12):
        learner = many_steps(q_table.learner(unknown, states), 20)
        _, losses[states] = jax.jit(learner.step)(learner.init(jax.random.key(0), None), None)
    assert np.isnan(losses[5]["loss"]).any()
    assert np.isfinite(losses[12]["loss"]).all()


class Wrapped(NamedTuple):
    """Parameters that are no table."""

    inner: envs.tables.Table
    time_limit: int


def test_two_keys_see_different_things():
    """The environments of two runs, and what they replay, are not the same."""
    learner = partial(catcher().init, batch=None)
    one, other = (learner(jax.random.key(seed)) for seed in (0, 1))
    assert not np.array_equal(one.replay.rows["action"], other.replay.rows["action"])
