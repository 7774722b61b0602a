"""How a run is cut into chunks, each a number of steps in one dispatch, how they are compiled and fed."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import jax
import numpy as np
from jax.extend.core import jaxprs_in_params

from jaxdl.errors import require
from jaxdl.learner import Batch, Learner
from jaxdl.run import processes

Batches = Callable[[int], Iterator[Batch]]  # step to start at -> its batch and those after it

# Aimed at for a chunk: short beside the time a signal may take, and a few steps even of an LSTM over a
# long text, which is a fifth slower one step at a time.
SECONDS = 1.5
# Floating-point operations per second, and seconds of the smallest step: of a CPU with two cores, measured,
# and of an accelerator, assumed.
CPU, ACCELERATOR = (1e11, 20e-6), (5e13, 100e-6)
FED = 256 * 2**20  # bytes of the batches that are put on a device together, if it does not hold the data
SHARED = 2e9  # FLOPs of a step, below which devices made of a CPU's cores lose by sharing its batch


def flops_per_step(learner: Learner, batch: Batch) -> float:
    """Floating-point operations of one step, see `count_flops`.

    Raises:
      InputError: a step that does not measure its loss.
    """
    key = jax.random.key(0)
    try:  # the batch as it is, so that `init` can look at its values and refuse them
        state = jax.eval_shape(lambda key: learner.init(key, batch), key)
    except jax.errors.TracerArrayConversionError:  # an `init` that takes rows of it by its key
        state = jax.eval_shape(learner.init, key, batch)
    traced = jax.jit(learner.step).trace(state, batch)
    measured = traced.out_info[1]
    remedy = "jaxdl.contract.check(learner, batch) says what else is missing"
    whole = "loss" in measured and measured["loss"].shape == ()
    require(whole, "learner", sorted(measured), 'a step that measures "loss", one number', remedy)
    return count_flops(traced.jaxpr.jaxpr)


def count_flops(jaxpr: Any) -> float:
    """Floating-point operations of a traced function, before anything is optimised away.

    Two for each multiplication and addition of a matrix product or a convolution, one for each number
    that any other operation makes. A `scan` counts as often as it turns, a `while` once.

    >>> product = jax.jit(lambda a, b: a @ b).trace(np.ones((2, 3)), np.ones((3, 4)))
    >>> count_flops(product.jaxpr.jaxpr)
    48.0
    """
    total = 0.0
    for equation in jaxpr.eqns:
        given, made = equation.params, sum(getattr(x.aval, "size", 0) for x in equation.outvars)
        inner = [count_flops(each) for each in jaxprs_in_params(given)]
        if equation.primitive.name == "dot_general":
            contracted = given["dimension_numbers"][0][0]
            total += 2.0 * made * math.prod(equation.invars[0].aval.shape[i] for i in contracted)
        elif equation.primitive.name == "conv_general_dilated":
            kernel, filters = equation.invars[1].aval, given["dimension_numbers"].rhs_spec[0]
            total += 2.0 * made * kernel.size / kernel.shape[filters]
        elif equation.primitive.name == "cond":
            total += max(inner)
        elif inner:
            total += given.get("length", 1) * sum(inner)
        else:
            total += made
    return total


def chunk_length(flops: float, every: int, batch_bytes: int = 0) -> int:
    """Steps per dispatch: enough that dispatching costs nothing, few enough to answer a signal soon.

    Args:
      flops: of one step of all seeds; NaN if unknown.
      every: steps between evaluations, which a chunk never crosses.
      batch_bytes: that are put on the device for each step, 0 for a resident learner.

    >>> chunk_length(1e9, 400), chunk_length(1e9, 400, batch_bytes=2**25)
    (150, 8)
    """
    rate, least = CPU if jax.default_backend() == "cpu" else ACCELERATOR
    seconds = max(np.nan_to_num(flops) / rate, least)
    return int(np.clip(min(SECONDS / seconds, FED // max(1, batch_bytes)), 1, every))


def bytes_fed(learner: Learner, batch: Batch) -> int:
    """Bytes of a batch that is put on the device for its step; 0 if the data are there."""
    return 0 if learner.resident else sum(np.asarray(x).nbytes for x in jax.tree.leaves(batch))


def devices_to_use(devices: int, flops: float, seeds: int) -> int:
    """`devices`, or 1 where they would only slow each other down.

    Adding up the gradients of devices that are cores of one CPU takes about as long as a step of an
    MLP on one of them; a CNN on images of 28x28 gains. Seeds, which have nothing to tell each other,
    are always shared, and so is what an accelerator or another process takes part in.

    Args:
      devices: how many were asked for.
      flops: of one step of one seed.
      seeds: runs.

    >>> devices_to_use(2, flops=4e8, seeds=1), devices_to_use(2, flops=4e9, seeds=1)
    (1, 2)
    >>> devices_to_use(2, flops=4e8, seeds=4)
    2
    """
    batches = seeds % devices != 0 and jax.default_backend() == "cpu" and not processes.is_distributed()
    return 1 if batches and flops < SHARED else devices


def compiler_options(example: Batch) -> dict[str, Any]:
    """For `jax.jit`: on a CPU a learner without a batch is made of small parts, and compiled quickly.

    Deep Q-learning on a small environment takes longer to compile than to run. LLVM's first level of
    optimisation instead of its third saves an eighth of that, and the programs are as fast. It may
    change last bits, as everything else that decides how a program is compiled.

    >>> compiler_options(None), compiler_options({"input": np.zeros((2, 3))})
    ({'xla_backend_optimization_level': 1}, {})
    """
    quick = example is None and jax.default_backend() == "cpu"
    return {"xla_backend_optimization_level": 1} if quick else {}


def feed(learner: Learner, data: Batch | Batches, capacity: int) -> Callable[[int, int], Batch]:
    """(step, count) -> the batch of a chunk.

    Resident data are put on the device once and serve every chunk. On the host road `count`
    batches are stacked and filled up to `capacity`, so that one compiled program serves all counts.

    Raises:
      InputError: when it is called, data that end too soon, or batches of different shapes.
    """
    if learner.resident:
        on_device = jax.device_put(data)
        return lambda step, count: on_device
    source = cast(Batches, data)
    position: int = -1
    iterator: Iterator[Batch] = iter(())

    def stack(step: int, count: int) -> Batch:
        nonlocal position, iterator
        if step != position:
            iterator = iter(source(step))
        rows = list(itertools.islice(iterator, count))
        remedy = "let it go round and round, or take fewer steps"
        require(len(rows) == count, "data", f"no batch {step + len(rows)}", "a batch for every step", remedy)
        position = step + count
        shapes = {str(jax.tree.map(np.shape, row)) for row in rows}
        remedy = "drop or fill up the last batch"
        require(len(shapes) == 1, "data", sorted(shapes), "batches of one and the same shape", remedy)
        return jax.tree.map(lambda *x: np.stack(x), *rows, *[rows[-1]] * (capacity - len(rows)))

    return stack


def first_batch(learner: Learner, data: Batch | Batches) -> Batch:
    """A batch as the learner's own `init` and `step` take it.

    Raises:
      InputError: data that are not resident and no function of a step, or that hold no batch.
    """
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
    batch = next(iter(source(0)), None)
    require(batch is not None, "data", "no batch 0", "a batch for every step", "is the data set empty?")
    return batch
