"""Measures as sums that merge: any split into batches, seeds or devices gives the same result.

A measure is a formula for ONE example, (prediction, target) -> array. Its sum over examples and
the count of examples are what is added up; `mean` divides at the very end. Padded rows carry
`mask` 0 and count nothing, so an uneven last batch is exact.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxdl.errors import require, require_number

Measure = Callable[[jax.Array, jax.Array], jax.Array]
Sums = dict[str, jax.Array]


def accuracy(logits: jax.Array, label: jax.Array) -> jax.Array:
    """1.0 if the largest logit is the label's, else 0.0. NaN logits count as wrong.

    `argmax` alone calls NaN logits class 0, and a dead network looks alive.

    Args:
      logits: float [classes], of one example; `jax.vmap` for a batch.
      label: int [].

    Raises:
      InputError: more than one example, or a label outside 0..classes-1, where its value is known.
    """
    _check_label(logits, label)
    return ((jnp.argmax(logits) == label) & ~jnp.isnan(logits).any()).astype(jnp.float32)


def confusion(logits: jax.Array, label: jax.Array) -> jax.Array:
    """A single 1 at [truth, prediction] of a [classes, classes] matrix; rows are the truth (002:383).

    NaN logits predict nothing and are counted nowhere: the trace is the sum of `accuracy`.

    Args:
      logits: float [classes], of one example; `jax.vmap` for a batch.
      label: int [].

    Raises:
      InputError: more than one example, or a label outside 0..classes-1, where its value is known.
    """
    _check_label(logits, label)
    classes = len(logits)
    truth, predicted = jnp.arange(classes) == label, jnp.arange(classes) == jnp.argmax(logits)
    predicted &= ~jnp.isnan(logits).any()
    return (truth[:, None] & predicted[None, :]).astype(jnp.float32)


def sums(
    measures: Mapping[str, Measure], predictions: jax.Array, targets: jax.Array, mask: jax.Array
) -> Sums:
    """Sum every measure over the rows of a batch whose mask is 1, and count them.

    Args:
      measures: by name.
      predictions, targets: [batch, ...].
      mask: [batch], 1.0 for a real row, 0.0 for padding.

    Returns:
      `{"count": [], name: sum, ...}`.

    Raises:
      InputError: predictions, targets and mask that are not equally long.
    """
    lengths = [len(x) for x in (predictions, targets, mask)]
    remedy = "one target and one mask for each prediction"
    require(len(set(lengths)) == 1, "predictions, targets, mask", lengths, "equal lengths", remedy)
    total = {"count": mask.sum()}
    for name, measure in measures.items():
        values = jax.vmap(measure)(predictions, targets)
        weights = mask.reshape(mask.shape + (1,) * (values.ndim - 1))
        # A padded row must not count even where it is NaN or infinite.
        total[name] = jnp.where(weights > 0, values * weights, 0).sum(0)
    return total


def mean(total: Sums) -> Sums:
    """Divide every sum by the count.

    Raises:
      InputError: a count of 0, where it is known.

    >>> {name: float(value) for name, value in mean({"count": 4.0, "accuracy": 3.0}).items()}
    {'accuracy': 0.75}
    """
    count = total["count"]
    known = not isinstance(count, Tracer)
    some = not known or bool(np.all(np.asarray(count) > 0))
    require(some, "count", count if known else 0, "one row or more", "evaluate on something")
    return {name: value / count for name, value in total.items() if name != "count"}


def precision_recall_f1(confusion: jax.Array) -> Sums:
    """Precision TP/(TP + FP), recall TP/(TP + FN) (002:391) and their harmonic mean F1, of every class.

    Of a batch they do not add up; the confusion matrix does, so sum that and end with this.

    Args:
      confusion: counts or shares [..., truth, prediction], such as the sum or mean of `confusion`.

    Returns:
      `{"precision", "recall", "f1"}`, float [..., classes]; 0 where there is nothing to divide by.

    >>> once = precision_recall_f1(jnp.array([[90.0, 0.0], [8.0, 2.0]]))
    >>> print(once["precision"][1], once["recall"][1], once["f1"][1].round(3))
    1.0 0.2 0.333
    """
    right = jnp.diagonal(confusion, axis1=-2, axis2=-1)
    answered, true = confusion.sum(-2), confusion.sum(-1)

    def share(part: jax.Array, whole: jax.Array) -> jax.Array:
        return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1), 0.0)

    return {
        "precision": share(right, answered),
        "recall": share(right, true),
        "f1": share(2 * right, answered + true),
    }


def masked_batches(data: Any, batch_size: int) -> dict[str, Any]:
    """Cut a whole data set into equal batches, the last one padded with row 0 and masked.

    Args:
      data: dict of host arrays [n, ...].
      batch_size: rows per batch; made smaller when the data are fewer.

    Returns:
      The dict as arrays [batches, batch_size, ...] with `"mask"` [batches, batch_size] added, or
      multiplied with that of the data.

    Raises:
      InputError: no rows, arrays of different lengths, or a batch size below 1.
    """
    lengths = {np.shape(x)[:1] for x in jax.tree.leaves(data)}
    remedy = "one target for each input; is the split empty?"
    even = len(lengths) == 1 and not lengths & {(), (0,)}
    require(even, "data", sorted(lengths), "arrays of one and the same length >= 1", remedy)
    require_number("batch_size", batch_size, 1, whole=True, remedy="512 is usual")
    n = lengths.pop()[0]
    batch_size = min(batch_size, n)
    batches = -(-n // batch_size)
    index = np.arange(batches * batch_size)
    real = (index < n).reshape(batches, batch_size)
    rows = np.where(real, index.reshape(real.shape), 0)
    cut = jax.tree.map(lambda x: x[rows], data)
    return {**cut, "mask": real.astype(np.float32) * cut.get("mask", 1)}


def over_batches(evaluate: Callable[[Any, Any], Sums]) -> Callable[[Any, Any], Sums]:
    """Turn `evaluate(state, batch) -> sums` into the sums over stacked batches, one at a time."""

    def total(state: Any, batches: Any) -> Sums:
        each = jax.lax.map(lambda batch: evaluate(state, batch), batches)
        return jax.tree.map(lambda x: x.sum(0), each)

    return total


def _check_label(logits: Any, label: Any) -> None:
    """Refuse a batch, and a label outside of 0..classes-1, which would be counted as wrong or not at all."""
    shapes = [list(np.shape(x)) for x in (logits, label)]
    one = (len(shapes[0]), len(shapes[1])) == (1, 0)
    require(one, "logits, label", shapes, "the shapes [classes] and []", "use jax.vmap for a batch")
    classes = len(logits)
    if not isinstance(label, Tracer):
        number = np.asarray(label)
        inside = number.dtype.kind in "iu" and 0 <= number < classes
        remedy = "check the number of classes"
        require(bool(inside), "label", number.tolist(), f"one integer in 0..{classes - 1}", remedy)
