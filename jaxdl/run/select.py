"""Early stopping, and the choice of each seed's best state by a validation measure."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.learner import State


@dataclasses.dataclass(frozen=True)
class Select:
    """Keep each seed's state at its best validation, and stop when no seed improves any more."""

    measure: str = "loss"  # name of the validation measure
    maximize: bool = False  # True for accuracy
    patience: int | None = None  # evaluations without improvement until a seed stops; None: never


@dataclasses.dataclass
class Best:
    """The host's record of the best evaluation so far, by seed. It goes into every checkpoint."""

    value: list[float]  # of the measure; infinite before the first evaluation
    step: list[int]  # when it was reached
    stale: list[int]  # evaluations since then

    @classmethod
    def none_yet(cls, seeds: int, select: Select) -> "Best":
        """Before the first evaluation."""
        return cls([-np.inf if select.maximize else np.inf] * seeds, [0] * seeds, [0] * seeds)

    def running(self, select: Select) -> np.ndarray:
        """bool [seeds]: True for those whose patience is not used up."""
        return np.array(self.stale) < (np.inf if select.patience is None else select.patience)

    def update(self, values: dict[str, np.ndarray], step: int, select: Select) -> np.ndarray:
        """Note an evaluation; bool [seeds], True where it is the best so far.

        A seed that has used up its patience takes no part, so that it ends as it would alone.
        """
        measured = values[select.measure]
        sign = 1 if select.maximize else -1
        improved = (sign * measured > sign * np.array(self.value)) & self.running(select)
        for seed in range(len(measured)):
            if improved[seed]:
                self.value[seed], self.step[seed], self.stale[seed] = float(measured[seed]), step, 0
            else:
                self.stale[seed] += 1
        return improved


@jax.jit
def keep(improved: jax.Array, new: State, old: State) -> State:
    """The new state of the seeds that improved, the old one of the others; arrays [seeds, ...]."""

    def choose(a: Any, b: Any) -> Any:
        return jnp.where(improved.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return jax.tree.map(choose, new, old)
