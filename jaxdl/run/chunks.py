"""How a run is cut into chunks, each a number of steps in one dispatch, and how they are fed."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, cast

import jax
import numpy as np

from jaxdl.errors import require
from jaxdl.learner import Batch, Learner

Batches = Callable[[int], Iterator[Batch]]  # step to start at -> its batch and those after it

SECONDS = 0.5  # aimed at for a chunk on a CPU: short beside the time a signal may take
FLOPS_PER_SECOND = 1e11  # of a CPU with two cores
SECONDS_PER_STEP = 20e-6  # at least, for the smallest network


def flops_per_step(learner: Learner, batch: Batch) -> float:
    """Floating-point operations of one step as XLA counts them before optimising; NaN if it cannot.

    Operations in loops are counted once, so this is too low for recurrent networks.
    """
    key = jax.random.key(0)
    try:  # the batch as it is, so that `init` can look at its values and refuse them
        state = jax.eval_shape(lambda key: learner.init(key, batch), key)
    except jax.errors.TracerArrayConversionError:  # an `init` that takes rows of it by its key
        state = jax.eval_shape(learner.init, key, batch)
    analysis: Any = jax.jit(learner.step).lower(state, batch).cost_analysis()
    return float((analysis or {}).get("flops", np.nan))


def chunk_length(flops: float, every: int) -> int:
    """Steps per dispatch: enough that dispatching costs nothing, few enough to answer a signal soon.

    Args:
      flops: of one step of all seeds; NaN if unknown.
      every: steps between evaluations, which a chunk never crosses. An accelerator takes them all.
    """
    if jax.default_backend() != "cpu":
        return every
    seconds = max(np.nan_to_num(flops) / FLOPS_PER_SECOND, SECONDS_PER_STEP)
    return int(np.clip(SECONDS / seconds, 1, every))


def feed(learner: Learner, data: Batch | Batches, capacity: int) -> Callable[[int, int], Batch]:
    """(step, count) -> the batch of a chunk.

    Resident data serve every chunk. On the host road `count` batches are stacked and filled up to
    `capacity`, so that one compiled program serves all counts.
    """
    if learner.resident:
        return lambda step, count: data
    source = cast(Batches, data)
    position: int = -1
    iterator: Iterator[Batch] = iter(())

    def stack(step: int, count: int) -> Batch:
        nonlocal position, iterator
        if step != position:
            iterator = source(step)
        rows = list(itertools.islice(iterator, count))
        remedy = "let it go round and round, or take fewer steps"
        require(len(rows) == count, "data", f"no batch {step + len(rows)}", "a batch for every step", remedy)
        position = step + count
        return jax.tree.map(lambda *x: np.stack(x), *rows, *[rows[-1]] * (capacity - len(rows)))

    return stack


def first_batch(learner: Learner, data: Batch | Batches) -> Batch:
    """A batch as the learner's own `init` and `step` take it."""
    if learner.resident:
        return data
    require(
        callable(data),
        "data",
        type(data).__name__,
        "a function from a step to an iterator of batches",
        "make the learner resident, or feed it with jaxdl.data.stream",
    )
    source = cast(Batches, data)
    batch = next(source(0), None)
    require(batch is not None, "data", "no batch 0", "a batch for every step", "is the data set empty?")
    return batch
