"""Measures of stacked states on a whole split."""

from collections.abc import Callable

import jax
import numpy as np

from jaxdl import metrics
from jaxdl.errors import require
from jaxdl.learner import Batch, State
from jaxdl.transforms import Loop, each_seed

Evaluate = Callable[[State, Batch], metrics.Sums]


def measures(evaluate: Evaluate, split: Batch, state: State) -> list[str]:
    """The names of the numbers that are measured, found without computing anything.

    Args:
      evaluate, split: see `over_split`.
      state: of one seed, or its shapes.

    Raises:
      InputError: sums without their count.
    """
    row = jax.tree.map(lambda x: x[0], metrics.masked_batches(jax.tree.map(lambda x: x[:1], split), 1))
    sums = jax.eval_shape(evaluate, state, row)
    remedy = "see jaxdl.metrics.sums, which makes them"
    require("count" in sums, "evaluate", sorted(sums), 'sums, and the rows in "count"', remedy)
    return [name for name, x in sums.items() if name != "count" and x.shape == ()]


def over_split(
    evaluate: Evaluate, split: Batch, loop: Loop = "auto"
) -> Callable[[State], dict[str, np.ndarray]]:
    """Evaluate stacked states on a whole split: states [seeds, ...] -> mean measures, [seeds, ...].

    Args:
      evaluate: (state, batch) -> sums, such as `supervised.evaluate(model)`.
      split: dict of arrays [n, ...]; any n, an uneven last batch counts exactly.
      loop: how seeds are computed, see `over_seeds`.
    """
    batches = jax.device_put(metrics.masked_batches(split, 512))
    averages = jax.jit(
        each_seed(lambda state, batches: metrics.mean(metrics.over_batches(evaluate)(state, batches)), loop)
    )

    def values(states: State) -> dict[str, np.ndarray]:
        return {name: np.asarray(value) for name, value in averages(states, batches).items()}

    return values
