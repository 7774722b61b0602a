"""How often to save, when hosts fail: the closed forms of Young and Daly, and a simulation of events.

A failure anywhere stops the whole run: it is noticed after a while, started again, and goes on from
the newest checkpoint that was completely written. Goodput is the share of the time that is spent on
steps that were not done in vain.

Young 1974, A first order approximation to the optimum checkpoint interval; Daly 2006, A higher order
estimate of the optimum checkpoint interval for restart dumps.
"""

import dataclasses
import heapq
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a run pays, in seconds."""

    save: float  # while the training waits for a checkpoint
    write: float  # until the checkpoint, written in the background, can be relied upon
    detect: float  # until the other hosts know that one is gone
    restart: float  # from there to the first step: processes, programs, checkpoint


def interval(save: float, between_failures: float) -> float:
    """The seconds of work between two checkpoints that lose least, to first order: sqrt(2 C M).

    Args:
      save: C, seconds that a checkpoint costs.
      between_failures: M, mean seconds between two failures of the whole run.

    >>> round(interval(0.5, 15.6 * 3600))
    237
    """
    return math.sqrt(2 * save * between_failures)


def expected(every: float, between_failures: float, costs: Costs) -> float:
    """Goodput in closed form, for failures at random moments, also in a save and in a restart.

    A piece of work w and its checkpoint C take M exp(R / M) (exp((w + C) / M) - 1) seconds on
    average (Daly, 2006), R the detection and the restart, where a checkpoint can be relied upon as
    soon as the training goes on (`costs.write` = 0).

    Args:
      every: w, seconds of work between two checkpoints.
      between_failures: M, mean seconds between two failures; infinity for none.
      costs: in seconds.

    >>> expected(90.0, math.inf, Costs(save=10, write=0, detect=0, restart=0))
    0.9
    """
    if math.isinf(between_failures):
        return every / (every + costs.save)
    mean = between_failures
    lost = math.exp((costs.detect + costs.restart) / mean)
    return every / (mean * lost * math.expm1((every + costs.save) / mean))


def simulate(every: float, hosts: int, mean: float, costs: Costs, failures: int, seed: int = 0) -> float:
    """Goodput of a run, failure by failure.

    Args:
      every: seconds of work between two checkpoints.
      hosts: each fails on its own, and is replaced by a new one.
      mean: seconds between two failures of one host, exponentially distributed.
      costs: in seconds.
      failures: how many to go through; the error is about 1 / sqrt(failures) of what is lost.
      seed: of the failures.
    """
    rng = np.random.default_rng(seed)
    queue = [(moment, host) for host, moment in enumerate(rng.exponential(mean, hosts))]
    heapq.heapify(queue)
    kept = now = begins = 0.0
    for _ in range(failures):
        now, host = queue[0]
        # Nothing is won by a run that failed again before it had begun.
        if now > begins:
            kept += every * _saved(now - begins, every, costs)
        begins = now + costs.detect + costs.restart
        heapq.heapreplace(queue, (now + rng.exponential(mean), host))
    return kept / now


def _saved(seconds: float, every: float, costs: Costs) -> int:
    """How many checkpoints of this stretch can be relied upon at its end."""
    return max(0, math.floor((seconds - costs.write) / (every + costs.save)))
