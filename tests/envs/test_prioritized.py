"""Prioritized replay: the sum tree, what is drawn from it how often, and its weights."""

import math
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.envs.prioritized import WIDTH, assign, build, choose, draw, prioritized


def check_tree(state, leaves):
    """The leaves are these, and every node is the sum of its children."""
    last = np.asarray(state.levels[-1])
    np.testing.assert_allclose(last[: len(leaves)], leaves, rtol=1e-5)
    assert not last[len(leaves) :].any()
    for above, below in pairwise(state.levels):
        sums = np.asarray(below, np.float64).reshape(-1, WIDTH).sum(1)
        np.testing.assert_allclose(above[: len(sums)], sums, rtol=1e-6)
        assert not above[len(sums) :].any()
    assert len(state.levels[0]) == WIDTH


@pytest.mark.parametrize(
    ("capacity", "n"), [(1, 1), (30, 6), (32, 32), (99, 33), (1200, 48), (1200, 600), (35_000, 70)]
)
def test_the_tree_stays_the_sum_of_its_leaves(capacity, n):
    replay = prioritized(capacity, exponent=0.7)
    state = replay.init(jnp.float32(0))
    add, update = jax.jit(replay.add), jax.jit(replay.update)
    generator = np.random.default_rng(capacity)
    leaves, largest, size = np.zeros(capacity), 1.0, 0
    position = 0
    if capacity > 2000:  # begin before the last rows, to see the ring close
        position = size = capacity - 2 * n
        state = state.replace(position=jnp.int32(position), size=jnp.int32(size))
    for _ in range(8):
        state = add(state, jnp.zeros(n))
        leaves[position : position + n] = largest
        position, size = (position + n) % capacity, min(size + n, capacity)
        # Each row twice with one priority: what a batch drawn with replacement holds.
        index = np.tile(generator.integers(0, size, 10), 2)
        priorities = np.tile(generator.lognormal(0, 3, 10), 2).astype(np.float32)
        priorities[index == index[0]] = 0
        order = {int(i): float(p) for i, p in zip(index, priorities, strict=True)}
        priorities = np.float32([order[int(i)] for i in index])
        state = update(state, jnp.asarray(index, jnp.int32), priorities)
        leaves[index] = (priorities + 1e-6) ** 0.7
        largest = max(largest, leaves[index].max())
        check_tree(state, leaves)
        np.testing.assert_allclose(state.largest, largest, rtol=1e-5)


def test_a_row_named_twice_with_two_priorities_leaves_the_tree_consistent(filled):
    replay = prioritized(2000)
    state = filled(replay, np.zeros(2000))
    state = replay.update(state, jnp.array([7, 7, 7]), jnp.array([1.0, 100.0, 3.0]))
    leaf = float(state.levels[-1][7])
    assert min(abs(leaf - p**0.6) for p in (1, 100, 3)) < 1e-4
    check_tree(state, np.where(np.arange(2000) == 7, leaf, 1))


@pytest.mark.parametrize("capacity", [50, 1500, 40_000])  # two, three and four levels
def test_draws_follow_the_priorities(capacity, filled):
    replay = prioritized(capacity, exponent=0.6)
    state = filled(replay, np.arange(capacity))
    generator = np.random.default_rng(0)
    priorities = generator.gamma(0.3, size=capacity).astype(np.float32)
    state = replay.update(state, jnp.arange(capacity), priorities)
    share = (priorities.astype(np.float64) + 1e-6) ** 0.6
    share /= share.sum()
    sample = jax.jit(lambda key: replay.sample(state, key, 64).index)
    draws = 3000
    index = np.concatenate(jax.lax.map(sample, jax.random.split(jax.random.key(1), draws)))
    # Forty groups of rows spread over the whole ring. Draws out of parts of the sum vary less than
    # independent ones: chi square has at most its usual mean 39, and 85 is exceeded once in 30,000.
    group = np.arange(capacity) * 7 % 40
    expected = np.bincount(group, share, minlength=40) * 64 * draws
    counts = np.bincount(group[index], minlength=40)
    assert (np.square(counts - expected) / expected).sum() < 85


def test_small_leaves_beside_a_large_one_are_all_within_reach():
    # Each of 32,768 leaves is 1e-8 of the sum, a sixth of what one float32 draw can tell apart.
    leaves = np.zeros(40_000, np.float32)
    leaves[0], small = 1e8, 32_768
    leaves[1024 : 1024 + small] = 1
    levels = jax.jit(assign)(build(40_000), jnp.arange(40_000), leaves)
    keys = jax.random.split(jax.random.key(0), 100)
    index, _ = jax.jit(lambda keys: jax.lax.map(lambda key: draw(levels, key, 65_536), keys))(keys)
    drawn = np.asarray(index)[index > 0]
    expected = small / (1e8 + small) * index.size
    assert abs(len(drawn) - expected) < 5 * math.sqrt(expected)
    distinct = small * (1 - math.exp(-len(drawn) / small))  # of independent draws
    assert abs(len(np.unique(drawn)) - distinct) < 50


def test_a_batch_has_one_draw_from_each_part_of_the_sum(filled):
    replay = prioritized(2048)
    state = filled(replay, np.arange(2048))
    index = replay.sample(state, jax.random.key(0), 64).index
    np.testing.assert_array_equal(index // 32, np.arange(64))


def test_weights_are_the_papers(filled):
    capacity, beta = 300, 0.7
    replay = prioritized(capacity, exponent=0.5, importance=beta, epsilon=0.01)
    state = filled(replay, np.arange(capacity))
    priorities = np.random.default_rng(0).uniform(0, 5, capacity)
    state = replay.update(state, jnp.arange(capacity), jnp.asarray(priorities, jnp.float32))
    batch = replay.sample(state, jax.random.key(0), 40)
    probability = (priorities + 0.01) ** 0.5
    probability /= probability.sum()
    weights = (capacity * probability[batch.index]) ** -beta
    np.testing.assert_allclose(batch.weights, weights / weights.max(), rtol=1e-5)


def test_weights_make_the_mean_unbiased(filled):
    # With beta 1 and without the division by the largest: E[w x] over draws is the mean of x.
    capacity = 100
    replay = prioritized(capacity, exponent=1.0, importance=1.0)
    values = np.random.default_rng(0).normal(3, 1, capacity)
    state = filled(replay, values)
    state = replay.update(state, jnp.arange(capacity), jnp.abs(jnp.asarray(values, jnp.float32)) + 0.5)

    @jax.jit
    def ratio(key):
        batch = replay.sample(state, key, 64)
        return (batch.weights * batch.rows).sum() / batch.weights.sum()

    ratios = jax.lax.map(ratio, jax.random.split(jax.random.key(0), 500))
    assert abs(ratios.mean() - values.mean()) < 0.02


def test_new_rows_get_the_largest_priority_so_far(filled):
    replay = prioritized(8, exponent=1.0)
    state = filled(replay, [1.0, 2.0])
    state = replay.update(state, jnp.array([0, 1]), jnp.array([5.0, 0.25]))
    state = replay.update(state, jnp.array([0]), jnp.array([0.5]))  # 5 is still the largest ever
    state = replay.add(state, jnp.array([3.0, 4.0]))
    np.testing.assert_allclose(state.levels[-1][:5], [0.5, 0.25, 5, 5, 0], rtol=1e-5)


def test_exponent_zero_is_uniform(filled):
    replay = prioritized(64, exponent=0.0)
    state = replay.update(filled(replay, np.arange(64)), jnp.arange(4), jnp.array([0.0, 1.0, 9.0, 1e6]))
    batch = replay.sample(state, jax.random.key(0), 64)
    np.testing.assert_array_equal(batch.index, np.arange(64))
    assert (batch.weights == 1).all()


def test_zero_leaves_are_never_drawn():
    """Trees with holes of any size and values of any scale."""
    generator = np.random.default_rng(0)

    @jax.jit
    def many(levels, key):
        return jax.vmap(lambda key: draw(levels, key, 64))(jax.random.split(key, 200))

    put = jax.jit(assign)
    for trial in range(20):
        leaves = np.zeros(1500, np.float32)
        some = generator.choice(1500, generator.integers(1, 40), replace=False)
        leaves[some] = 10 ** generator.uniform(-20 if trial % 2 else -3, 6, len(some))
        index, values = many(put(build(1500), jnp.arange(1500), leaves), jax.random.key(trial))
        assert (np.asarray(values) > 0).all()
        np.testing.assert_array_equal(values, leaves[index])


@pytest.mark.parametrize("value", [0.0, 0.99999994, 1.0, 1.0001])
def test_a_draw_on_the_border_is_a_filled_row(value, monkeypatch):
    # 1.0 and more stand for what rounding can make of a number just below.
    monkeypatch.setattr(jax.random, "uniform", lambda key, shape, dtype: jnp.full(shape, value, dtype))
    generator = np.random.default_rng(0)
    for capacity, size in [(64, 1), (64, 33), (1500, 1000), (1500, 1025), (40_000, 32_769)]:
        leaves = np.zeros(capacity, np.float32)
        leaves[:size] = 10 ** generator.uniform(-6, 6, size)
        leaves[generator.integers(0, size, size // 2)] = 0
        leaves[0] = leaves[0] or 1
        levels = assign(build(capacity), jnp.arange(capacity), jnp.asarray(leaves))
        index, values = draw(levels, jax.random.key(0), 16)
        assert (np.asarray(values) > 0).all()
        np.testing.assert_array_equal(values, leaves[index])


def test_a_child_is_chosen_where_the_cumulative_sum_passes_the_spot():
    children = np.random.default_rng(0).integers(0, 4, (500, WIDTH)).astype(np.float32)  # exact sums
    children[:, 0] += 1
    ends = children.cumsum(1)
    spot = np.float32(np.random.default_rng(1).uniform(0, ends[:, -1] - 0.01))
    got = choose(*map(jnp.asarray, (children, ends, spot)))
    expected = [np.searchsorted(e, s, side="right") for e, s in zip(ends, spot, strict=True)]
    np.testing.assert_array_equal(got, expected)


def test_seeds_and_settings_are_mapped_over():
    def run(key, exponent):
        replay = prioritized(96, exponent, importance=exponent, epsilon=1e-3)
        state = replay.init(jnp.float32(0))
        state = replay.add(state, jax.random.normal(key, (48,)))
        first = replay.sample(state, key, 8)
        state = replay.update(state, first.index, jnp.abs(first.rows))
        return replay.sample(replay.add(state, jnp.zeros(48)), jax.random.fold_in(key, 1), 8)

    keys, exponents = jax.random.split(jax.random.key(0), 3), jnp.array([0.0, 0.5, 1.0])
    together = jax.jit(jax.vmap(run))(keys, exponents)
    one = jax.jit(run)
    for i in range(3):
        alone = one(keys[i], exponents[i])
        np.testing.assert_array_equal(together.index[i], alone.index)
        np.testing.assert_allclose(together.weights[i], alone.weights, rtol=1e-5)
    assert (together.weights[0] == 1).all()


@pytest.mark.parametrize(
    ("option", "value"),
    [("exponent", -0.1), ("exponent", 1.1), ("importance", 2.0), ("epsilon", 0.0), ("epsilon", math.nan)],
)
def test_bad_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option}: got {value}"):
        prioritized(8, **{option: value})
