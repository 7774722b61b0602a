"""The laws of a learner, as a function that anyone can call on a learner of their own.

    contract.check(learner, batch)

runs every law below and returns which held. A broken law raises `LawBroken`, which names the law
and the first array that shows it. Use a plain optimizer such as `optax.sgd`: Adam divides by
gradients, so it turns the rounding noise of a zero gradient into whole steps.
"""

from collections.abc import Sequence

import jax

from jaxdl.contract.laws import LAWS, STEPS, Averaged, Case, LawBroken
from jaxdl.errors import require, require_choice
from jaxdl.learner import Batch, Key, Learner

__all__ = ["LAWS", "LawBroken", "check"]

ON_DEVICES = ("devices_equal_one", "devices_share_the_work", "pmap_equals_one")


def check(
    learner: Learner,
    batch: Batch,
    *,
    laws: Sequence[str] = tuple(LAWS),
    averaged: Averaged | None = None,
    key: Key | None = None,
    tolerance: float = 1e-5,
) -> dict[str, str]:
    """Try the laws on a learner.

    Args:
      learner: any.
      batch: what its `step` takes, [rows, ...]: twice the number of devices of rows or a multiple
        of it, since each step is given another half. A resident learner's batch is given whole.
      laws: names out of `LAWS`.
      averaged: builds the same learner with an `average` hook, for the pmap law:
        `lambda average: supervised.learner(model, optimizer, average=average)`.
      key: of the runs.
      tolerance: largest difference, relative to the largest value of an array.

    Returns:
      By law, "holds" or "skipped: why".

    Raises:
      LawBroken: at the first law that does not hold.
      InputError: an unknown law, or too few rows.

    >>> import jax.numpy as jnp
    >>> import optax
    >>> from jaxdl import models
    >>> from jaxdl.learners import supervised
    >>> learner = supervised.learner(models.MLP((4,), outputs=2), optax.sgd(0.1))
    >>> batch = {"input": jnp.ones((16, 3)), "target": jnp.arange(16) % 2}
    >>> check(learner, batch, laws=["counts", "pure"])
    {'counts': 'holds', 'pure': 'holds'}
    """
    for name in laws:
        require_choice("laws", name, LAWS)
    if learner.resident:
        batches = [batch] * STEPS
    else:
        rows = len(jax.tree.leaves(batch)[0])
        share = 2 * len(jax.devices())
        remedy = "every device needs the same number of rows"
        require(rows >= share and rows % share == 0, "batch", rows, f"a multiple of {share} rows", remedy)
        starts = [rows // 2 * i // (STEPS - 1) for i in range(STEPS)]
        batches = [jax.tree.map(lambda x, i=i: x[i : i + rows // 2], batch) for i in starts]
    case = Case(
        learner,
        batches,
        jax.random.key(0) if key is None else key,
        tolerance,
        averaged,
        jax.jit(learner.init),
        jax.jit(learner.step),
    )
    return {name: _try(name, case) for name in laws}


def _try(name: str, case: Case) -> str:
    if name == "pmap_equals_one" and case.averaged is None:
        return "skipped: no `averaged` was given"
    if name in ON_DEVICES and len(jax.devices()) == 1:
        return "skipped: one device; XLA_FLAGS=--xla_force_host_platform_device_count=8 makes eight of a CPU"
    if name == "devices_share_the_work" and case.learner.resident and case.batches[0] is not None:
        return "skipped: its batch is not split"
    try:
        LAWS[name](case)
    except LawBroken as broken:
        raise LawBroken(f"{name}: {broken}") from None
    return "holds"
