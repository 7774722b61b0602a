"""How the illnesses of a training run show: pure functions on plain numbers (002:403-444).

Every rule takes what was observed of one run and returns a `Diagnosis`, or None. What was observed
is gathered by `jaxdl.run.doctor`; what the data say before the first step, by `jaxdl.run.probes`.
"""

from collections.abc import Sequence

import numpy as np

from jaxdl.run.illnesses import (
    ALIKE,
    BADLY_FED,
    NO_GRADIENT,
    NOT_TOUCHED,
    OVER_FITTING,
    RATE_TOO_HIGH,
    RATE_TOO_LOW,
    WEIGHTS_TOO_LARGE,
    Diagnosis,
    diagnosis,
)
from jaxdl.run.kernels import Kernel

FAR = 5.0  # times the loss of who knows nothing, from which on it is far above chance
WINDOW = 5  # steps whose median loss must be that high: a single bad batch is no explosion
GROWN = 10.0  # times their initial norm: weights that ran away
ALIKE_BELOW = 0.5  # share of the units that differ from all others
STILL = 0.01  # change of the most changed kernel, relative to its initial norm
LEARNING = 0.7  # of the first losses; below, something was learned even in small steps
PAST = 2  # evaluations since the minimum of the validation loss
RISEN = 1.01  # validation loss over its minimum
GAP = 1.5  # validation loss over the training loss
FALLEN = 0.85  # training loss over that at the minimum of the validation loss
GOOD = 0.2  # of the loss of chance: a validation loss below is good, and no illness


def far_from_chance(loss: float, chance: float | None, step: int = 0) -> Diagnosis | None:
    """Initial weights or biases too large: the loss before the first step is far above chance.

    >>> far_from_chance(40.0, 2.3).name
    'initial weights too large'
    >>> far_from_chance(2.5, 2.3)
    """
    if chance is None or chance <= 0 or loss < FAR * chance:
        return None
    seen = f"loss {loss:.4g} before the first step, {loss / chance:.3g} times the {chance:.4g} of chance"
    return diagnosis(WEIGHTS_TOO_LARGE, seen, step)


def exploded(losses: np.ndarray, start: float, step: int) -> Diagnosis | None:
    """Learning rate too high: a run that began well, and whose loss then stays far above its start.

    Args:
      losses: [steps], the last of them of step `step`; those that are not finite do not count.
      start: the larger one of the first loss and of chance; nothing is said unless it is positive.
      step: the newest.
    """
    finite = np.where(np.isfinite(losses), losses, -np.inf)
    if not start > 0 or finite.max(initial=-np.inf) < FAR * start or len(finite) < WINDOW:
        return None
    medians = np.median(np.lib.stride_tricks.sliding_window_view(finite, WINDOW), axis=1)
    high = np.flatnonzero(medians >= FAR * start)
    if not len(high):
        return None
    first = step - len(losses) + int(high[0]) + WINDOW
    seen = f"loss {medians[high[0]]:.4g} around step {first}, {medians[high[0]] / start:.3g} times its start"
    return diagnosis(RATE_TOO_HIGH, seen, step)


def ran_away(kernels: Sequence[Kernel], losses: tuple[float, float] | None, step: int) -> Diagnosis | None:
    """Learning rate too high: half of the kernels are many times larger than they began.

    Args:
      kernels: of one network.
      losses: the first ones and the newest, as means; None where a loss says nothing, as in a game.
      step: now.
    """
    growth = [kernel.norm / kernel.began for kernel in kernels if kernel.began > 0]
    learning = losses is not None and losses[1] < LEARNING * losses[0]
    if not growth or np.median(growth) < GROWN or learning:
        return None
    seen = f"the weights are {np.median(growth):.3g} times as large as they began"
    return diagnosis(RATE_TOO_HIGH, seen, step)


def hardly_moves(
    kernels: Sequence[Kernel], losses: tuple[float, float] | None, step: int
) -> Diagnosis | None:
    """Learning rate too low: even the layer that moved most is where it began, and so is the loss.

    Args: as of `ran_away`.
    """
    moved = max((kernel.change / kernel.began for kernel in kernels if kernel.began > 0), default=1.0)
    if moved >= STILL or (losses is not None and losses[1] < LEARNING * losses[0]):
        return None
    loss = "" if losses is None else f", the loss went from {losses[0]:.4g} to {losses[1]:.4g}"
    seen = f"in {step} steps no layer moved by more than {moved:.2g} of its weights{loss}"
    return diagnosis(RATE_TOO_LOW, seen, step)


def units_alike(kernels: Sequence[Kernel], step: int) -> Diagnosis | None:
    """Weights initialised at 0: the units of a layer began alike and are alike still."""
    alike = [kernel for kernel in kernels if max(kernel.distinct, kernel.distinct_began) <= ALIKE_BELOW]
    if not alike:
        return None
    zero = "all 0" if all(kernel.norm == 0 for kernel in alike) else "alike"
    seen = f"the units of {_names(alike)} began alike, and after {step} steps they are {zero}"
    return diagnosis(ALIKE, seen, step)


def not_touched(kernels: Sequence[Kernel], gradients: dict[str, float] | None, step: int) -> Diagnosis | None:
    """A layer has the bits that it began with while others moved: the optimizer, or no gradient.

    Args:
      kernels: of one network.
      gradients: the norm of each kernel's gradient now; None if they are not known.
      step: now.
    """
    still = [kernel for kernel in kernels if kernel.same]
    dead = [kernel for kernel in still if gradients is not None and gradients.get(kernel.name, 1.0) == 0]
    seen = f"{{}} after {step} steps: every bit as it began"
    if dead:
        return diagnosis(NO_GRADIENT, seen.format(_names(dead)) + ", and the gradient is exactly 0", step)
    if not still or len(still) == len(kernels):  # nothing moves at all: see `hardly_moves`
        return None
    norm = "" if gradients is None else f", gradient norm {max(gradients.get(k.name, 0) for k in still):.2g}"
    return diagnosis(NOT_TOUCHED, seen.format(_names(still)) + ", while others moved" + norm, step)


def over_fitting(
    steps: Sequence[int], validation: Sequence[float], train: Sequence[float], chance: float | None = None
) -> Diagnosis | None:
    """Over-fitting: the validation loss is past its minimum and rises while the training loss falls.

    Args:
      steps: of the evaluations so far.
      validation: loss at each.
      train: mean training loss between the evaluation before and this one.
      chance: the loss of who knows nothing, if known.

    Named at the last of these evaluations, at the earliest `PAST` after the minimum: if the loss has
    `RISEN` from it, to `GAP` times the training loss, which has `FALLEN`. The rise alone is asked to
    be small, since noise moves it by some percent: what noise does not do is the fall beside it. A
    minimum below `GOOD` times chance is none that the slides complain of.

    >>> over_fitting([10, 20, 30, 40], [1.0, 0.5, 0.6, 0.7], [1.0, 0.4, 0.2, 0.1]).step
    40
    """
    now = validation[-1]
    if len(validation) < 3 or not now >= GAP * train[-1] or not np.isfinite(validation).all():
        return None
    best = int(np.argmin(validation))
    least = validation[best]
    rises = len(validation) - 1 - best >= PAST and now >= RISEN * least > 0
    good = chance is not None and least < GOOD * chance
    if not rises or good or train[-1] > FALLEN * train[best]:
        return None
    seen = (
        f"validation loss {least:.4g} at step {steps[best]}, {now:.4g} now, "
        f"training loss {train[best]:.4g} and {train[-1]:.4g}"
    )
    return diagnosis(OVER_FITTING, seen, steps[-1])


def not_finite(step: int, where: str, start: float, before: float, finite: bool) -> Diagnosis:
    """The cause of a loss that is not finite.

    Args:
      step: of the loss, counted from 1.
      where: what the replay found, see `jaxdl.run.nonfinite`.
      start: the first loss of the run.
      before: the last finite loss, NaN if there was none.
      finite: the inputs are finite.
    """
    first = "input batch" in where or ("loss itself" in where and step == 1)
    if not finite or first:
        return diagnosis(BADLY_FED, f"the loss is not finite at step {step}: {where}", step)
    if step == 1 or not np.isfinite(before):
        return diagnosis(WEIGHTS_TOO_LARGE, f"the loss is not finite at step {step} already: {where}", step)
    seen = f"the loss began at {start:.4g}, was {before:.4g}, and is not finite at step {step}: {where}"
    return diagnosis(RATE_TOO_HIGH, seen, step)


def _names(kernels: Sequence[Kernel]) -> str:
    """The first three names; a deep network has many."""
    names = [kernel.name.removesuffix("/kernel") for kernel in kernels]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
