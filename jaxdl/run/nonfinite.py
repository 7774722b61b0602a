"""The first loss that is not a number: which step, which seed, which layer, which rows."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxdl.learner import Batch, Learner, State

SKIPS = 100  # steps in a row, by which a run that may skip some goes nowhere


class NonFiniteLoss(FloatingPointError):
    """The loss became NaN or infinite; the message names step, seed, layer and what to try."""


def first_bad(losses: np.ndarray) -> tuple[int, int] | None:
    """(seed, index) of the earliest loss that is not finite, or None.

    Args:
      losses: [seeds, steps].

    >>> first_bad(np.array([[1.0, 1.0, 1.0], [1.0, np.nan, np.nan]]))
    (1, 1)
    """
    bad = ~np.isfinite(losses)
    if not bad.any():
        return None
    index = int(bad.any(0).argmax())
    return int(bad[:, index].argmax()), index


def stuck(skipped: np.ndarray, before: np.ndarray) -> tuple[tuple[int, int] | None, np.ndarray]:
    """Where `SKIPS` steps in a row were skipped, as `first_bad` says it, and how many were at the end.

    Args:
      skipped: [seeds, steps], above 0 where a step was, see `skip_nonfinite`.
      before: [seeds], steps in a row that were skipped just before.

    >>> stuck(np.array([[1, 1, 0], [1, 1, 1]]), np.array([0, SKIPS - 2]))[0]
    (1, 1)
    """
    counts = before
    for index, now in enumerate(skipped.T):
        counts = np.where(now > 0, counts + 1, 0)
        if (counts >= SKIPS).any():
            return (int(np.argmax(counts)), index), counts
    return None, counts


def explain(
    learner: Learner, states: State, batches: list[Batch], seed: int, index: int, step: int
) -> NonFiniteLoss:
    """Replay the steps up to the bad one, which are the same each time, and look at its layers.

    Args:
      learner: of one seed.
      states: [seeds, ...], at the start of the chunk.
      batches: of each step up to the bad one (of a resident learner, any number of times the same).
      seed, index: as `first_bad` gives them.
      step: the number of the chunk's first step.
    """
    one = jax.jit(learner.step)
    state = jax.tree.map(lambda x: x[seed], states)
    for batch in batches[:index]:
        state, _ = one(state, batch)
    where = "no layer could be looked at: the learner has no `inspect`"
    rows = spoilt_rows(batches[index])
    if learner.inspect is not None:
        looked = jax.jit(learner.inspect)(state, batches[index])
        where = culprit({"activation/input": np.nan, **looked} if rows else looked)
        rows = rows or overflowing_rows(learner, state, batches[index])
    if rows:
        shown = ", ".join(map(str, rows[:10])) + (f" and {len(rows) - 10} more" if len(rows) > 10 else "")
        where += f"; rows {shown} of the {'data' if learner.resident else 'batch'} are to blame"
    return NonFiniteLoss(
        f"the loss is not finite at step {step + index + 1} (seed number {seed}): {where}; "
        "lower the learning rate, clip the gradients (optax.clip_by_global_norm) or check the data"
    )


def spoilt_rows(batch: Batch) -> list[int]:
    """The rows of a batch that hold a number that is not finite.

    >>> spoilt_rows({"input": np.array([[1.0, 2.0], [3.0, np.nan]]), "target": np.array([0, 1])})
    [1]
    """
    leaves = [np.asarray(x) for x in jax.tree.leaves(batch) if np.ndim(x)]
    floats = [x.reshape(len(x), -1) for x in leaves if np.issubdtype(x.dtype, np.floating)]
    return sorted({int(i) for x in floats for i in np.flatnonzero(~np.isfinite(x).all(1))})


def overflowing_rows(learner: Learner, state: State, batch: Batch) -> list[int]:
    """The rows whose own loss is not finite, unless all are: then it is the network.

    A resident learner takes its rows itself, so that none can be looked at alone.
    """
    if learner.resident or learner.inspect is None:
        return []
    look, count = jax.jit(learner.inspect), len(jax.tree.leaves(batch)[0])
    rows = [jax.tree.map(lambda x, i=i: x[i : i + 1], batch) for i in range(count)]
    bad = [i for i, row in enumerate(rows) if not np.isfinite(look(state, row)["loss"])]
    return bad if len(bad) < count else []


def culprit(looked: Mapping[str, Any]) -> str:
    """The first thing that is not finite in the order of cause: parameter, input, layer, gradient.

    >>> culprit({"loss": np.nan, "activation/input": 1.0, "activation/dense1": np.inf})
    "first seen in the output of layer 'dense1'"
    >>> culprit({"generator_parameter_norm/dense/kernel": np.nan})
    "first seen in parameter 'dense/kernel' of the generator"
    """
    said = {
        "parameter_norm/": "first seen in parameter",
        "activation/": "first seen in the output of layer",
        "gradient_norm/": "first seen in the gradient of",
    }
    for prefix, text in said.items():
        for name, value in looked.items():
            player, found, place = name.partition(prefix)  # of a game: generator_, discriminator_
            if found and not np.isfinite(value):
                whose = f" of the {player.rstrip('_')}" if player else ""
                return "first seen in the input batch" if place == "input" else f"{text} {place!r}{whose}"
    return "first seen in the loss itself: every layer is finite"
