"""The host road: batches of a data set that stays in the host's memory.

For data that do not fit on the device. The rows come from the same function as on the device
(`jaxdl.data.order.rows`), so both roads see the same batches; a thread cuts them out in advance.
"""

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import InputError, require, require_number

Rows = Callable[[jax.Array, jax.Array, int, int], jax.Array]  # (key, step, n, batch_size) -> rows
BLOCK = 64  # batches whose rows are found in one call, so that a call costs little per batch


def stream(
    split: dict[str, np.ndarray],
    rows: Rows,
    key: jax.Array,
    batch_size: int,
    start: int = 0,
    prefetch: int = 2,
    part: tuple[int, int] = (0, 1),
) -> Iterator[dict[str, np.ndarray]]:
    """Batches `start`, `start + 1`, … of a split, without end, gathered ahead in a thread.

    The thread ends with the iterator: on `close()`, on an error, and when nothing refers to it
    any more. An error in the thread is raised by the `next` that would have had the batch.

    Args:
        split: arrays [n, ...] of equal length, e.g. {"input": …, "target": …}.
        rows: (key, step, n, batch_size) -> int [batch_size], e.g. `order.rows`; jitted here.
        key: typed key [] of the order.
        batch_size: rows per batch.
        start: number of the first batch, >= 0: where a resumed run goes on.
        prefetch: batches made ahead, >= 1.
        part: (i, n) for the i-th of n equal parts of every batch: a process that reads its own rows only,
            see `fit`'s `own_rows`.

    Yields:
        {name: array [batch_size / n, ...]} with the dtypes of the split.

    Raises:
        InputError: for arrays of unequal length, or numbers out of range.

    >>> from jaxdl.data import order
    >>> batches = stream({"input": np.arange(10)}, order.rows, jax.random.key(0), batch_size=5)
    >>> sorted(next(batches)["input"].tolist() + next(batches)["input"].tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    >>> batches.close()
    """
    lengths = {name: len(array) for name, array in split.items()}
    even = len(set(lengths.values())) == 1 and min(lengths.values()) >= 1
    require(even, "split", lengths, "arrays of equal length, of one row or more", "check the data")
    n = next(iter(lengths.values()))
    require_number("batch_size", batch_size, 1, whole=True, remedy=f"the split has {n} rows")
    require_number("start", start, 0, whole=True, remedy="count batches from 0")
    require_number("prefetch", prefetch, 1, whole=True, remedy="2 is enough")
    i, parts = part
    require_number("part", i, 0, parts - 1, whole=True, remedy="count processes from 0")
    remedy = f"{-(-batch_size // parts) * parts} is the next that is"
    require(batch_size % parts == 0, "batch_size", batch_size, f"a multiple of the {parts} parts", remedy)
    own = slice(i * batch_size // parts, (i + 1) * batch_size // parts)
    return _batches(split, _rows_of_step(rows, key, n, batch_size), own, start, prefetch)


def _batches(
    split: dict[str, np.ndarray],
    rows_of_step: Callable[[int], np.ndarray],
    own: slice,
    start: int,
    prefetch: int,
) -> Iterator[dict[str, np.ndarray]]:
    """The generator behind `stream`."""

    def take(step: int) -> dict[str, np.ndarray]:
        index = rows_of_step(step)[own]
        return {name: array[index] for name, array in split.items()}

    steps = itertools.count(start)
    pool = ThreadPoolExecutor(1, thread_name_prefix="jaxdl-stream")  # one thread: batches in order
    try:
        ahead = deque(pool.submit(take, next(steps)) for _ in range(prefetch))
        while True:
            batch = ahead.popleft().result()
            ahead.append(pool.submit(take, next(steps)))
            yield batch
    finally:
        # Without waiting: the garbage collector may run this on the very thread that would be
        # waited for. The thread finishes the batch it is at, and ends.
        pool.shutdown(wait=False, cancel_futures=True)


def _rows_of_step(rows: Rows, key: jax.Array, n: int, batch_size: int) -> Callable[[int], np.ndarray]:
    """step -> rows, found on the CPU for `BLOCK` steps at a time; for steps in order."""
    try:
        cpu = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        raise InputError(
            "JAX_PLATFORMS",
            os.environ.get("JAX_PLATFORMS"),
            "a list with cpu",
            "append ',cpu': the order of the rows is found there",
        ) from None
    key = jax.device_put(key, cpu)
    block_rows = jax.jit(lambda key, steps: jax.vmap(lambda step: rows(key, step, n, batch_size))(steps))
    blocks: dict[int, np.ndarray] = {}  # only the block at hand

    def rows_of_step(step: int) -> np.ndarray:
        block, place = divmod(step, BLOCK)
        if block not in blocks:
            with jax.default_device(cpu):
                steps = jnp.arange(block * BLOCK, (block + 1) * BLOCK, dtype=jnp.int32)
                blocks.clear()
                blocks[block] = np.asarray(block_rows(key, steps))
        return blocks[block][place]

    return rows_of_step
