import gc
import threading
import time

import jax
import numpy as np
import pytest

from jaxdl.data import order
from jaxdl.data.stream import BLOCK, stream
from jaxdl.errors import InputError

KEY = jax.random.key(0)
SPLIT = {"input": np.arange(60, dtype=np.uint8).reshape(30, 2), "target": np.arange(30, dtype=np.int32)}


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("jaxdl-stream")]


def assert_threads_end():
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()


def host_rows(key, step, n, batch_size):
    """Rows that tell their step."""
    return (step * batch_size + np.arange(batch_size)) % n


@pytest.mark.parametrize("start", [0, 5, BLOCK - 2])
def test_batches_are_those_of_the_device(start):
    batches = stream(SPLIT, order.rows, KEY, batch_size=8, start=start)
    rows = jax.jit(order.rows, static_argnums=(2, 3))
    for step in range(start, start + 6):
        batch = next(batches)
        expected = np.asarray(rows(KEY, step, 30, 8))
        for name in SPLIT:
            np.testing.assert_array_equal(batch[name], SPLIT[name][expected])
            assert batch[name].dtype == SPLIT[name].dtype
    batches.close()
    assert_threads_end()


@pytest.mark.parametrize("parts", [2, 4])
def test_the_parts_of_a_batch_are_the_whole(parts):
    whole = stream(SPLIT, order.rows, KEY, batch_size=8, start=3)
    apart = [stream(SPLIT, order.rows, KEY, batch_size=8, start=3, part=(i, parts)) for i in range(parts)]
    for _ in range(3):
        batch, found = next(whole), [next(each) for each in apart]
        assert {len(each["input"]) for each in found} == {8 // parts}
        for name, expected in batch.items():
            np.testing.assert_array_equal(np.concatenate([each[name] for each in found]), expected)


@pytest.mark.parametrize("prefetch", [1, 2, 5])
def test_batches_come_in_order_through_many_blocks(prefetch):
    batches = stream(SPLIT, host_rows, KEY, batch_size=3, prefetch=prefetch)
    for step in range(3 * BLOCK):
        assert next(batches)["target"][0] == 3 * step % 30
    batches.close()


def test_thread_ends_with_the_iterator():
    batches = stream(SPLIT, host_rows, KEY, batch_size=3)
    next(batches)
    assert threads()
    del batches
    gc.collect()
    assert_threads_end()
    unused = stream(SPLIT, host_rows, KEY, batch_size=3)
    assert not threads()  # nothing starts before the first batch is asked for
    del unused


class Broken:
    """Data that cannot be read after the first batches, as from a disk that fails."""

    def __len__(self):
        return 30

    def __getitem__(self, index):
        if index[0] >= 9:
            raise OSError("disk gone")
        return index


def test_an_error_in_the_thread_reaches_the_consumer():
    batches = stream({"input": Broken()}, host_rows, KEY, batch_size=3)
    for _ in range(3):
        next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)
    assert_threads_end()


def test_an_error_of_the_rows_reaches_the_consumer():
    batches = stream(SPLIT, order.rows, KEY, batch_size=31)
    with pytest.raises(InputError, match="batch_size"):
        next(batches)
    assert_threads_end()


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("split", {"split": {"input": np.zeros(3), "target": np.zeros(2)}}),
        ("start", {"start": -1}),
        ("prefetch", {"prefetch": 0}),
        ("part", {"part": (2, 2)}),
        ("batch_size", {"part": (0, 3)}),
    ],
)
def test_refuses_at_once(field, options):
    with pytest.raises(InputError) as caught:
        stream(**{"split": SPLIT, "rows": host_rows, "key": KEY, "batch_size": 2, **options})
    assert caught.value.field == field
