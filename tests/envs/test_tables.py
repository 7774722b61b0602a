"""GridWorld and Chain: their tables, and Q* against the book, by hand and by solving equations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import envs
from jaxdl.envs import chain, gridworld, tables
from jaxdl.errors import InputError

KEY = jax.random.key(0)
TABLES = {
    "book": gridworld.environment(slip=0.2).params,
    "sure": gridworld.environment().params,
    "chain": chain.environment().params,
}
solve = jax.jit(tables.optimal_q)


def test_book():
    """The utilities of Russell and Norvig, figure 17.3."""
    q = np.asarray(solve(gridworld.environment(slip=0.2).params, 1.0)).max(axis=1).reshape(3, 4)
    book = [[0.812, 0.868, 0.918, 0], [0.762, 0, 0.660, 0], [0.705, 0.655, 0.611, 0.388]]
    np.testing.assert_allclose(q, book, atol=6e-4)


def test_by_hand():
    """S . G in a row without slip: from the cell beside the goal 1 - 0.1, before it a step more."""
    table = gridworld.environment(["S.G"], step_reward=-0.1).params
    first, second = -0.1 + 0.5 * 0.9, 0.9
    stay, back = -0.1 + 0.5 * first, -0.1 + 0.5 * first
    expected = [[stay, first, stay, stay], [-0.1 + 0.5 * second, second, -0.1 + 0.5 * second, back], [0] * 4]
    np.testing.assert_allclose(solve(table, 0.5), expected, atol=1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_optimal_q_solves_bellmans_equation(name):
    table, discount = TABLES[name], 0.9
    q = solve(table, discount)
    np.testing.assert_allclose(tables.backup(table, q, discount), q, rtol=1e-6, atol=1e-6)
    # An independent way: the linear equations of the greedy policy, in float64.
    probability, reward = table.probability.astype(float), table.reward.astype(float)
    states = np.arange(len(q))
    policy = np.asarray(q).argmax(axis=1)
    live = ~table.terminal
    gain = (probability * reward).sum(axis=2) * live[:, None]
    follow = probability[states, policy] * live[:, None] * live[None, :]
    value = np.linalg.solve(np.eye(len(q)) - discount * follow, gain[states, policy])
    expected = gain + discount * (probability @ (value * live)) * live[:, None]
    np.testing.assert_allclose(q, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_probabilities(name):
    table = TABLES[name]
    assert (table.probability >= 0).all()
    np.testing.assert_allclose(table.probability.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(table.start.sum(), 1, atol=1e-6)


@pytest.mark.parametrize("name", TABLES)
def test_steps_are_drawn_from_the_table(name):
    table = TABLES[name]
    env = tables.environment(table)
    states, actions, _ = table.probability.shape
    draws = 2000
    keys = jax.random.split(KEY, draws)
    pairs = jnp.arange(states * actions)
    position = tables.State(pairs // actions, jnp.zeros_like(pairs))
    each = jax.vmap(env.step, in_axes=(None, 0, 0, None))
    step = jax.jit(jax.vmap(each, in_axes=(0, None, None, None)))
    observation, after, reward, terminated, truncated = step(keys, position, pairs % actions, table)
    after = np.asarray(after.position)
    assert not truncated.any()
    frequency = (after[:, :, None] == np.arange(states)).mean(axis=0)
    expected = table.probability.reshape(-1, states)
    assert np.abs(frequency - expected).max() < 5 * 0.5 / draws**0.5
    assert (frequency[expected == 0] == 0).all()
    from_, action = np.asarray(pairs // actions), np.asarray(pairs % actions)
    np.testing.assert_array_equal(reward, table.reward[from_[None], action[None], after])
    np.testing.assert_array_equal(terminated, table.terminal[after])
    np.testing.assert_array_equal(observation, table.observations[after])


def test_greedy_walk_earns_what_q_says():
    env = gridworld.environment(slip=0.2, time_limit=None)
    q, discount = solve(env.params, 0.9), 0.9

    def walk(key):
        _, state = env.reset(key, env.params)

        def move(carry, step):
            state, live = carry
            action = q[state.position].argmax()
            _, state, reward, over, _ = env.step(jax.random.fold_in(key, step), state, action, env.params)
            return (state, live & ~over), live * reward * discount**step

        return jax.lax.scan(move, (state, True), jnp.arange(100))[1].sum()

    returns = jax.jit(jax.vmap(walk))(jax.random.split(KEY, 4000))
    error = returns.std() / len(returns) ** 0.5
    start = 2 * 4
    assert abs(returns.mean() - q[start].max()) < 4 * error < 0.03


def test_maps_and_starts():
    def starts(grid):
        return gridworld.environment(grid).params.start.tolist()

    assert starts(["S.G"]) == [1, 0, 0]
    assert starts(["..G"]) == [0.5, 0.5, 0]
    table = gridworld.environment(["S#G", "..P"]).params
    up, right, down, left = np.argmax(table.probability, axis=2).T
    assert (up[0], right[0], down[0], left[0]) == (0, 0, 3, 0)
    assert (up[4], right[4], down[4], left[4]) == (4, 5, 4, 3)
    assert table.terminal.tolist() == [False, True, True, False, False, True]


def test_observations_are_one_hot_or_numbers():
    one_hot, number = gridworld.environment(), gridworld.environment(one_hot=False)
    seen, state = one_hot.reset(KEY, one_hot.params)
    assert seen.argmax() == state.position == 8
    assert number.reset(KEY, number.params)[0] == 8
    assert number.observation == jax.ShapeDtypeStruct((), jnp.int32)


def test_time_limit():
    env = gridworld.environment(time_limit=2)
    _, state = env.reset(KEY, env.params)
    for expected in (False, True):
        _, state, _, terminated, truncated = env.step(KEY, state, jnp.int32(3), env.params)
        assert (bool(terminated), bool(truncated)) == (False, expected)


@pytest.mark.parametrize(
    ("grid", "expected"),
    [
        ([], "rows of equal length"),
        (["S.G", ".."], "rows of equal length"),
        (["S.x"], "only the characters"),
        (["S.P"], "at least one goal"),
        (["#G"], "a place to start"),
    ],
)
def test_bad_maps_are_refused(grid, expected):
    with pytest.raises(InputError, match=expected):
        gridworld.environment(grid)


def test_bad_numbers_are_refused():
    with pytest.raises(InputError, match="slip"):
        gridworld.environment(slip=1.5)
    with pytest.raises(InputError, match="slip"):
        chain.environment(slip=-0.1)
    with pytest.raises(InputError, match="states"):
        chain.environment(states=1)


def test_tables_of_one_shape_share_a_compilation():
    probes = list(envs.PROBES.values())
    assert len({(probe.environment.step, probe.environment.reset) for probe in probes}) == 1
    shapes = {str(jax.tree.map(np.shape, probe.environment.params)) for probe in probes}
    assert len(shapes) == 1
