"""The first loss that is not a number: which step, which seed, which layer."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxdl.learner import Batch, Learner, State


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
    if learner.inspect is not None:
        where = culprit(jax.jit(learner.inspect)(state, batches[index]))
    return NonFiniteLoss(
        f"the loss is not finite at step {step + index + 1} (seed number {seed}): {where}; "
        "lower the learning rate, clip the gradients (optax.clip_by_global_norm) or check the data"
    )


def culprit(looked: Mapping[str, Any]) -> str:
    """The first thing that is not finite in the order of cause: parameter, input, layer, gradient.

    >>> culprit({"loss": np.nan, "activation/input": 1.0, "activation/dense1": np.inf})
    "first seen in the output of layer 'dense1'"
    """
    said = {
        "parameter_norm/": "first seen in parameter",
        "activation/": "first seen in the output of layer",
        "gradient_norm/": "first seen in the gradient of",
    }
    for prefix, text in said.items():
        for name, value in looked.items():
            if name.startswith(prefix) and not np.isfinite(value):
                place = name.removeprefix(prefix)
                return "first seen in the input batch" if place == "input" else f"{text} {place!r}"
    return "first seen in the loss itself: every layer is finite"
