"""Replay: what is kept and drawn, how often, with which weights, and that nothing is copied."""

import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.envs.prioritized import prioritized
from jaxdl.envs.replay import Replay, uniform

KINDS = {"uniform": uniform, "prioritized": prioritized}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("capacity", "n"), [(12, 4), (6, 6), (5, 1)])
def test_the_newest_rows_are_kept(kind, capacity, n):
    replay = KINDS[kind](capacity)
    row = {"image": jax.ShapeDtypeStruct((2, 3), jnp.uint8), "action": jnp.int32(0), "end": jnp.array(False)}
    state = replay.init(row)
    assert {name: (x.shape, x.dtype) for name, x in state.rows.items()} == {
        "image": ((capacity, 2, 3), jnp.uint8),
        "action": ((capacity,), jnp.int32),
        "end": ((capacity,), bool),
    }
    add = jax.jit(replay.add)
    seen = []
    for i in range(0, 5 * n, n):
        actions = jnp.arange(i, i + n, dtype=jnp.int32)
        images = jnp.broadcast_to(actions[:, None, None], (n, 2, 3)).astype(jnp.uint8)
        state = add(state, {"image": images, "action": actions, "end": actions % 2 == 0})
        seen += range(i, i + n)
        assert int(state.size) == min(len(seen), capacity)
        assert int(state.position) == len(seen) % capacity
        held = np.asarray(state.rows["action"])[: int(state.size)]
        assert sorted(held.tolist()) == seen[-capacity:]
    np.testing.assert_array_equal(state.rows["image"][:, 1, 2], state.rows["action"])
    np.testing.assert_array_equal(state.rows["end"], state.rows["action"] % 2 == 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("skip", [2, 6, 14])
def test_rows_that_are_skipped_are_never_drawn(kind, skip):
    """The first rows are -1 and must not be seen, not even once the ring has come round."""
    replay, values = KINDS[kind](8), [-1] * skip + list(range(20))
    state, add = replay.init(jnp.int32(0), skip), jax.jit(replay.add)
    for i in range(0, len(values), 2):
        state = add(state, jnp.array(values[i : i + 2], jnp.int32))
        seen = values[skip : i + 2][-8:]
        if seen:
            assert int(state.size) == len(seen)
            drawn = np.unique(replay.sample(state, jax.random.key(i), 256).rows)
            np.testing.assert_array_equal(drawn, np.sort(seen))


@pytest.mark.parametrize("kind", KINDS)
def test_only_filled_rows_are_drawn_and_come_with_their_index(kind, filled):
    replay = KINDS[kind](70)
    state = filled(replay, 100 + np.arange(35))
    sample = jax.jit(replay.sample, static_argnums=2)
    drawn = [sample(state, jax.random.key(i), 50) for i in range(20)]
    for batch in drawn:
        np.testing.assert_array_equal(batch.rows, 100 + batch.index)
        assert batch.index.dtype == jnp.int32
        assert batch.weights.dtype == jnp.float32
    assert {int(i) for batch in drawn for i in batch.index} == set(range(35))


def test_uniform_draws_are_independent_and_evenly_spread(filled):
    replay = uniform(40)
    state = filled(replay, np.arange(20))
    batch = replay.sample(state, jax.random.key(0), 20_000)
    counts = np.bincount(batch.index, minlength=40)
    assert counts[20:].sum() == 0
    # Chi square with 19 degrees of freedom: 3.6 and 50 are left and right of all but 1e-4.
    assert 3.6 < (np.square(counts[:20] - 1000) / 1000).sum() < 50
    repeats = (np.diff(batch.index) == 0).mean()
    assert abs(repeats - 1 / 20) < 5 * math.sqrt(0.05 * 0.95 / 20_000)
    assert (batch.weights == 1).all()
    assert replay.update(state, batch.index, batch.weights) is state


def test_types_are_kept_where_float64_is_on():
    with jax.enable_x64(True):
        for make in KINDS.values():
            replay = make(64)
            state = replay.init(jax.ShapeDtypeStruct((), jnp.float64))
            after = replay.add(state, jnp.ones(32))
            batch = replay.sample(after, jax.random.key(0), 4)
            after = replay.update(after, batch.index, jnp.ones(4))
            assert [x.dtype for x in jax.tree.leaves(after)] == [x.dtype for x in jax.tree.leaves(state)]
            assert (batch.rows.dtype, batch.index.dtype) == (jnp.float64, jnp.int32)
            assert batch.weights.dtype == jnp.float32


# Programs of a learner: one row after the other, and, as deep Q-learning does it, several updates
# with a gradient for each block of new rows, also for several seeds.
ROW, BLOCK, BATCH = 11, 16, 32


def simple(replay: Replay):
    def step(state, i):
        state = replay.add(state, jnp.full((BLOCK, ROW), i, jnp.float32))
        batch = replay.sample(state, jax.random.fold_in(jax.random.key(0), i), BATCH)
        # The priorities do not wait for the weights: the order must hold without that.
        return replay.update(state, batch.index, jnp.abs(batch.rows[:, 0])), batch.weights @ batch.rows

    return lambda state: jax.lax.scan(step, state, jnp.arange(5))


def learning(replay: Replay):
    def step(carry, i):
        weights, state = carry
        state = replay.add(state, jnp.full((BLOCK, ROW), i, jnp.float32))

        def update(carry, j):
            weights, state = carry
            key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), i), j)
            batch = replay.sample(state, key, BATCH)

            def loss(weights):
                error = batch.rows @ weights - 1
                return (batch.weights * error**2).mean(), jnp.abs(error)

            gradient, error = jax.grad(loss, has_aux=True)(weights)
            return (weights - 0.01 * gradient, replay.update(state, batch.index, error)), error.mean()

        return jax.lax.scan(update, (weights, state), jnp.arange(3))

    return lambda state: jax.lax.scan(step, (jnp.zeros(ROW), state), jnp.arange(5))


def keeping(replay: Replay):
    """What cannot be done in place: old and new buffer are both asked for."""
    return lambda state: (state, replay.add(state, jnp.ones((BLOCK, ROW))))


def compiled(make, program, capacity, seeds=None):
    """Temporary bytes, bytes written in place, and copies as large as a buffer or its leaves."""
    replay = make(capacity)
    state = jax.eval_shape(lambda: replay.init(jax.ShapeDtypeStruct((ROW,), jnp.float32)))
    run = program(replay)
    if seeds:
        run = jax.vmap(run)
        state = jax.tree.map(lambda x: jax.ShapeDtypeStruct((seeds, *x.shape), x.dtype), state)
    executable = jax.jit(run, donate_argnums=0).lower(state).compile()
    copied = re.findall(r"= \w+\[([\d,]*)\]\S* copy\(", executable.as_text())
    large = [shape for shape in copied if math.prod(int(n) for n in shape.split(",") if n) >= capacity]
    memory = executable.memory_analysis()
    return memory.temp_size_in_bytes, memory.alias_size_in_bytes, large


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("program", "seeds"), [(simple, None), (learning, None), (learning, 3)])
def test_nothing_of_the_buffers_size_is_copied(kind, program, seeds):
    # Both of three levels, so that the programs are the same.
    small, large = (compiled(KINDS[kind], program, n, seeds) for n in (4096, 32_768))
    assert large[0] == small[0]
    assert large[1] >= 32_768 * ROW * 4 * (seeds or 1)  # written where it was
    assert large[2] == []


def test_a_copy_would_be_seen():
    _, _, large = compiled(uniform, keeping, 4096)
    assert large


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind):
    make = KINDS[kind]
    for capacity in (0, -5, 2.5, 2**31):
        with pytest.raises(InputError, match="capacity: got"):
            make(capacity)
    replay = make(10)
    state = replay.init(jnp.float32(0))
    with pytest.raises(InputError, match="rows to add: got 4, expected a divisor of the capacity 10"):
        replay.add(state, jnp.zeros(4))
    with pytest.raises(InputError, match="rows to add: got 20"):
        replay.add(state, jnp.zeros(20))
    with pytest.raises(
        InputError, match="rows to add: got 5, expected a divisor of the position 2; add as many"
    ):
        replay.add(replay.add(state, jnp.zeros(2)), jnp.zeros(5))
    for rows in (jnp.zeros((5, 1)), jnp.zeros(5, jnp.int32), {"reward": jnp.zeros(5)}):
        with pytest.raises(InputError, match="they must be like the row of `init`"):
            replay.add(state, rows)
    with pytest.raises(InputError, match="batch_size: got 0"):
        replay.sample(state, jax.random.key(0), 0)
