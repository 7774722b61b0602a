"""Which numbers of deep Q-learning are refused, alone or together, before anything is compiled."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

from jaxdl.errors import require, require_number


def warmup_steps(
    warmup: int, environments: int, rollout: int, batch_size: int, n_step: int
) -> tuple[int, int]:
    """Steps whose transitions are skipped, and all steps of the warm-up, with >= `warmup` actions.

    Skipped are those before the n_step - 1 transitions are there that a return may need; the
    others fill a batch.

    >>> warmup_steps(64, environments=16, rollout=8, batch_size=64, n_step=8)
    (1, 8)
    """
    skipped = -(-(n_step - 1) // rollout)
    return skipped, max(-(-warmup // rollout), skipped + -(-batch_size // (rollout * environments)))


def check_counts(**counts: Any) -> None:
    """Raise `InputError` unless each is an integer >= 1."""
    for name, count in counts.items():
        require_number(name, count, 1, whole=True, remedy="try the default")


def check_shares(**shares: Any) -> None:
    """Raise `InputError` unless each is in 0..1; what is traced passes."""
    for name, share in shares.items():
        require_number(name, share, 0, 1, remedy="try the default")


def check_support(support: Any) -> None:
    """Raise `InputError` unless it is two finite numbers, the lower one first."""
    numbers = isinstance(support, Sequence) and len(support) == 2
    numbers = numbers and all(isinstance(end, Real) and math.isfinite(end) for end in support)
    rising = numbers and support[0] < support[1]
    expected = "two numbers, the lowest return first"
    require(rising, "support", support, expected, "take the returns that are possible")


def check_buffer(
    capacity: int, rows: int, environments: int, batch_size: int, n_step: int, warm: int
) -> None:
    """Raise `InputError` unless a replay buffer has room for what the agent does with it.

    Args:
      capacity: of the buffer.
      rows: transitions that one step adds, a divisor of it.
      environments: that are acted in side by side.
      batch_size: transitions per gradient step.
      n_step: rewards that are summed.
      warm: transitions that the warm-up adds.
    """
    larger = "enlarge the buffer"
    require(batch_size <= capacity, "batch_size", batch_size, f"at most the capacity {capacity}", larger)
    most = capacity // environments
    expected = f"at most {most}, what the buffer holds of each environment"
    require(n_step <= most, "n_step", n_step, expected, larger)
    parts = f"a multiple of {rows}, the transitions of one step"
    remedy = "change it, or the environments or the rollout"
    require(capacity % rows == 0, "capacity", capacity, parts, remedy)
    require(warm <= capacity, "warmup", warm // environments, expected, larger)
