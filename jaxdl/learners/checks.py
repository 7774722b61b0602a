"""What a family of learners refuses in the first batch it is shown, on the host.

Only arrays whose values are known are looked at: inside `jax.jit` these functions cost nothing
and let everything pass. `jaxdl.run.fit` shows a learner its first batch before it is compiled.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax.core import Tracer

from jaxdl import losses
from jaxdl.errors import InputError, require
from jaxdl.learner import Batch

SLACK = 1e-4  # by which probabilities may leave 0..1, for rounding


def named(batch: Batch, *names: str) -> None:
    """Refuse a batch that is no dict of the arrays that a family reads.

    Raises:
      InputError: naming what there is.
    """
    found = sorted(batch) if isinstance(batch, Mapping) else type(batch).__name__
    remedy = 'name the arrays: {"input": x, "target": y}'
    complete = isinstance(batch, Mapping) and {*names} <= batch.keys()
    require(complete, "batch", found, f"a dict with {' and '.join(map(repr, names))}", remedy)


def labels(outputs: Callable[[], tuple[int, ...]], loss: losses.ExampleLoss, batch: Batch) -> None:
    """Refuse targets that `losses.cross_entropy` cannot count as classes of the model.

    Args:
      outputs: gives the shape of the model's outputs for the batch, [batch, ..., classes].
      loss: of the learner; another one than `losses.cross_entropy` lets everything pass.
      batch: `{"target": [batch, ...]}`; steps beyond a `"length"` [batch] may hold anything.

    Raises:
      InputError: targets that are no integers, not one for each row of outputs, or outside of
        0..outputs-1.
    """
    target, length = _known(batch["target"]), _known(batch.get("length"))
    if target is None or getattr(loss, "func", loss) is not losses.cross_entropy:
        return
    shape = outputs()
    remedy = "use class numbers: squeeze a column, take the argmax of one-hot rows"
    require(target.shape == shape[:-1], "target", f"shape {target.shape}", f"labels {shape[:-1]}", remedy)
    integers = target.dtype.kind in "iu"
    require(integers, "target", str(target.dtype), "integer labels", "use .astype(np.int32)")
    if length is not None and target.ndim == 2:
        target = np.where(np.arange(target.shape[1]) < length[:, None], target, 0)
    expected = f"labels in 0..{shape[-1] - 1}, one for each output of the model"
    _in_range("target", target, 0, shape[-1] - 1, expected, "check the number of classes")


def probabilities(model: Any, batch: Batch) -> None:
    """Refuse inputs of a model with `likelihood="bernoulli"` that are outside of 0..1.

    Their cross-entropy has no lowest value, so that the bound of a VAE would grow for ever.

    Raises:
      InputError: naming the first such row.
    """
    inputs = _known(batch["input"])
    if inputs is None or inputs.dtype == np.uint8 or getattr(model, "likelihood", None) != "bernoulli":
        return
    remedy = "scale the images, or use likelihood='gaussian'"
    _in_range("input", inputs, -SLACK, 1 + SLACK, "pixels in 0..1 for a bernoulli likelihood", remedy)


def sequences(model: Any, batch: Batch) -> None:
    """Refuse tokens that a model's vocabulary lacks, and lengths that are not in 1..time.

    Raises:
      InputError: naming the first such row.
    """
    inputs, length = _known(batch["input"]), _known(batch.get("length"))
    vocabulary = getattr(model, "vocabulary", 0)
    if inputs is not None and inputs.dtype.kind in "iu" and vocabulary:
        expected = f"tokens in 0..{vocabulary - 1}"
        _in_range("input", inputs, 0, vocabulary - 1, expected, "enlarge the model's vocabulary")
    if length is not None and batch["input"].ndim >= 2:
        time = batch["input"].shape[1]
        expected = f"the steps of a row that count, 1..{time}"
        _in_range("length", length, 1, time, expected, "leave out rows without a step")


def _known(array: Any) -> np.ndarray | None:
    """The array on the host, or None if its values are not known yet."""
    return None if array is None or isinstance(array, Tracer) else np.asarray(array)


def _in_range(field: str, array: np.ndarray, low: float, high: float, expected: str, remedy: str) -> None:
    """Refuse values outside of low..high; NaN is left to the search of `jaxdl.run.nonfinite`."""
    bad = (array < low) | (array > high)
    if bad.any():
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        raise InputError(field, f"{array[place]} in row {place[0]}", expected, remedy)
