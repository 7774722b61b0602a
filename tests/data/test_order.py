import itertools
import math
from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdl.data import order
from jaxdl.errors import InputError

MASK = 2**32 - 1


def rows_by_hand(key, step, n, batch_size):
    """The same in Python's integers, one row at a time and without their width."""

    def mix(x, k):
        x = ((x ^ k) * 0x85EBCA6B) & MASK
        x = ((x ^ (x >> 13)) + (((k << 16) | (k >> 16)) & MASK)) & MASK
        x = ((x ^ (x >> 16)) * 0xC2B2AE35) & MASK
        return x ^ (x >> 16)

    a = math.ceil(math.sqrt(n))
    b = math.ceil(n / a)
    out = []
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, x = divmod(position, n)
        bits = jax.random.bits(jax.random.fold_in(key, epoch), (order.ROUNDS,), jnp.uint32)
        while True:
            left, right = divmod(x, b)
            for i, k in enumerate(np.asarray(bits).tolist()):
                if i % 2 == 0:
                    left = (left + mix(right, k) % a) % a
                else:
                    right = (right + mix(left, k) % b) % b
            x = left * b + right
            if x < n:
                break
        out.append(x)
    return out


def epoch_orders(keys_or_epochs, n, key=None):
    """Orders [many, n]: of epoch 0 under many keys, or of many epochs under one key."""
    if key is None:
        order_of = jax.vmap(lambda k: order.rows(k, 0, n, n))
    else:
        order_of = jax.vmap(lambda step: order.rows(key, step, n, n))
    return np.asarray(jax.jit(order_of)(keys_or_epochs))


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 2000), st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_each_epoch_visits_each_row_once(n, seed, epoch):
    rows = np.asarray(jax.jit(lambda key, step: order.rows(key, step, n, n))(jax.random.key(seed), epoch))
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(np.sort(rows), np.arange(n))


@settings(max_examples=6, deadline=None)
@given(st.integers(1, 100), st.data())
def test_batches_straddle_epochs_and_drop_nothing(n, data):
    batch_size = data.draw(st.integers(1, n))
    epochs = 3
    steps = jnp.arange(math.ceil(epochs * n / batch_size))
    key = jax.random.key(n)
    stream = np.asarray(jax.jit(jax.vmap(lambda s: order.rows(key, s, n, batch_size)))(steps)).ravel()
    for epoch in range(epochs):
        np.testing.assert_array_equal(np.sort(stream[epoch * n : (epoch + 1) * n]), np.arange(n))


def test_the_stream_does_not_depend_on_how_it_is_cut():
    key, n = jax.random.key(5), 30
    streams = [
        np.ravel(jax.jit(jax.vmap(lambda s, size=size: order.rows(key, s, n, size)))(jnp.arange(90 // size)))
        for size in (30, 9)
    ]
    np.testing.assert_array_equal(*streams)


@pytest.mark.parametrize(
    ("n", "batch_size", "step"),
    [
        (1, 1, 5),
        (2, 1, 3),
        (7, 3, 4),
        (100, 32, 9),
        (55000, 16, 2**31 - 1),
        (2**26, 63, 2**31 - 1),
        (2**31 - 1, 2, 2**31 - 1),
    ],
)
def test_same_as_by_hand(n, batch_size, step):
    key = jax.random.key(11)
    assert order.rows(key, step, n, batch_size).tolist() == rows_by_hand(key, step, n, batch_size)


def test_same_eager_jitted_vmapped_and_scanned():
    key, n, batch_size, steps = jax.random.key(3), 50, 16, jnp.arange(8)
    eager = np.stack([order.rows(key, step, n, batch_size) for step in range(8)])
    jitted = jax.jit(order.rows, static_argnums=(2, 3))
    np.testing.assert_array_equal(np.stack([jitted(key, s, n, batch_size) for s in steps]), eager)
    vmapped = jax.vmap(lambda s: order.rows(key, s, n, batch_size))(steps)
    np.testing.assert_array_equal(vmapped, eager)
    _, scanned = jax.lax.scan(lambda c, s: (c, order.rows(key, s, n, batch_size)), None, steps)
    np.testing.assert_array_equal(scanned, eager)
    keys = jax.random.split(key, 3)
    over_keys = jax.vmap(lambda k: order.rows(k, 5, n, batch_size))(keys)
    np.testing.assert_array_equal(over_keys, np.stack([order.rows(k, 5, n, batch_size) for k in keys]))
    with jax.enable_x64(True):
        np.testing.assert_array_equal(order.rows(key, np.int64(5), n, batch_size), eager[5])


def test_epochs_and_keys_differ():
    orders = epoch_orders(jnp.arange(50), 100, key=jax.random.key(0))
    assert len({tuple(row) for row in orders}) == 50
    orders = epoch_orders(jax.random.split(jax.random.key(0), 50), 100)
    assert len({tuple(row) for row in orders}) == 50


def chi_square(counts):
    counts = np.asarray(counts, float)
    return float(((counts - counts.mean()) ** 2 / counts.mean()).sum())


@pytest.mark.parametrize("along", ["keys", "epochs"])
def test_all_orders_of_three_rows_are_equally_likely(along):
    many = 6000
    if along == "keys":
        orders = epoch_orders(jax.random.split(jax.random.key(1), many), 3)
    else:
        orders = epoch_orders(jnp.arange(many), 3, key=jax.random.key(1))
    counts = Counter(map(tuple, orders))
    # 5 degrees of freedom: the 99.9 % point is 20.5
    assert chi_square([counts[p] for p in itertools.permutations(range(3))]) < 20.5


@pytest.mark.parametrize("n", [2, 10, 11])
def test_every_row_is_equally_likely_at_every_position(n):
    many = 5000
    orders = epoch_orders(jax.random.split(jax.random.key(2), many), n)
    table = np.stack([np.bincount(orders[:, position], minlength=n) for position in range(n)])
    # doubly stochastic: (n-1)^2 degrees of freedom; mean + 4 standard deviations
    freedom = (n - 1) ** 2
    assert chi_square(table) < freedom + 4 * math.sqrt(2 * freedom) + 3
    mean_position = np.argsort(orders, axis=1).mean(axis=0)
    deviation = math.sqrt((n**2 - 1) / 12 / many)
    assert np.abs(mean_position - (n - 1) / 2).max() < 4.5 * deviation


def test_neighbours_are_not_related():
    n, many = 1000, 400
    orders = epoch_orders(jax.random.split(jax.random.key(4), many), n).astype(float)
    centred = orders - (n - 1) / 2
    for lag in (1, 2, 31, 32, 33):  # 32 is the side of the grid
        products = (centred[:, lag:] * centred[:, :-lag]).mean() / ((n**2 - 1) / 12)
        assert abs(products + 1 / n) < 4.5 / math.sqrt(many * (n - lag))
    # as rare as in a random order: a successor that is the next row (once per order on average)
    assert abs((np.diff(orders, axis=1) == 1).sum(axis=1).mean() - 1) < 4.5 / math.sqrt(many)


@pytest.mark.parametrize(
    ("field", "n", "batch_size", "step"),
    [
        ("n", 0, 1, 0),
        ("n", 2**31, 1, 0),
        ("batch_size", 10, 0, 0),
        ("batch_size", 10, 11, 0),
        ("batch_size", 2**20, 2**12, 0),
        ("step", 10, 2, -1),
    ],
)
def test_refuses_numbers_out_of_range(field, n, batch_size, step):
    with pytest.raises(InputError) as caught:
        order.rows(jax.random.key(0), step, n, batch_size)
    assert caught.value.field == field
