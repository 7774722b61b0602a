# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""What does a replay buffer on the device cost, and does it cost more the more it holds?

One step adds 16 rows of 11 numbers, samples 64, and gives these new priorities where there are
priorities. Our buffers (`jaxdl.envs.uniform`, `jaxdl.envs.prioritized`) beside those of flashbax
with the same work: a full buffer, a scan with the state donated. Left out without flashbax, which
is no dependency (`pip install flashbax`).

"prioritized" is what a learner does: the weights go into the loss, the new priorities do not depend
on them. Nothing then tells XLA to read the old probabilities before it writes the new ones, and
flashbax's tree is copied in every step. "prioritized, ordered" makes the priorities depend on the
weights, and nothing is copied on either side.

    python -m experiments.benchmarks.replay

Prints microseconds per step and the ratio flashbax / ours per round (above 1: ours is faster), and
writes experiments/benchmarks/results/replay.json where flashbax is installed.
"""

import functools
import importlib.metadata
import importlib.util
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks._command import without_options
from experiments.benchmarks._interleave import interleave, ratio
from jaxdl import envs
from jaxdl.run.config import environment, write_json

CAPACITIES = (8_192, 131_072, 1_048_576)
ADDED, NUMBERS, BATCH, STEPS, ROUNDS = 16, 11, 64, 500, 11
EXPONENT, IMPORTANCE = 0.6, 0.4
KINDS = ("uniform", "prioritized", "prioritized, ordered")

Buffer = tuple[Any, Callable[[Any, Any], tuple[Any, jax.Array]]]  # state, (state, key) -> state, out


def main() -> None:
    """Measure every kind at every capacity and print a table."""
    peer = importlib.util.find_spec("flashbax") is not None
    if not peer:
        print("flashbax is not installed: ours alone, nothing is written (pip install flashbax)")
    makers = {"ours": ours, "flashbax": flashbax} if peer else {"ours": ours}
    table: dict[str, Any] = {}
    for kind in KINDS:
        for capacity in CAPACITIES:
            ways = {name: repeated(*make(kind, capacity)) for name, make in makers.items()}
            times = interleave(ways, ROUNDS)
            row = {f"{name}_us": round(1e6 * statistics.median(t) / STEPS, 2) for name, t in times.items()}
            row |= {f"{name}_us_min": round(1e6 * min(t) / STEPS, 2) for name, t in times.items()}
            row |= ratio(times["flashbax"], times["ours"]) if peer else {}
            table[f"{kind} {capacity}"] = row
            print(f"{kind:<20} {capacity:>9}  {row}", flush=True)
    sizes = {"added": ADDED, "numbers": NUMBERS, "batch": BATCH, "steps": STEPS, "rounds": ROUNDS}
    if peer:
        versions = {"flashbax": importlib.metadata.version("flashbax")}
        content = {**environment(), **versions, **sizes, "table": table}
        write_json(Path(__file__).parent / "results" / "replay.json", content)


def rows_at(i: jax.Array) -> jax.Array:
    """What step i adds, [added, numbers]."""
    return jnp.full((ADDED, NUMBERS), i, jnp.float32)


def priorities_of(kind: str, rows: jax.Array, weights: jax.Array) -> jax.Array:
    """Stand-in for |TD errors|: the network is not what is measured."""
    errors = jnp.abs(jnp.sin(rows[:, 0])) + 1e-6
    return errors * weights if kind == "prioritized, ordered" else errors


def ours(kind: str, capacity: int) -> Buffer:
    """A full buffer of this library, and a step."""
    prioritized = functools.partial(envs.prioritized, exponent=EXPONENT, importance=IMPORTANCE)
    replay = (envs.uniform if kind == "uniform" else prioritized)(capacity)
    state = replay.add(replay.init(jnp.zeros(NUMBERS)), jnp.ones((capacity, NUMBERS)))

    def step(state: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        i, key = at
        state = replay.add(state, rows_at(i))
        sample = replay.sample(state, key, BATCH)
        state = replay.update(state, sample.index, priorities_of(kind, sample.rows, sample.weights))
        return state, used(sample.rows, sample.weights)

    return state, step


def flashbax(kind: str, capacity: int) -> Buffer:
    """A full buffer of flashbax, and a step.

    Its trajectory buffer with sequences of one row; its flat buffer, which hands out pairs of rows,
    takes the same time.
    """
    import flashbax as fbx

    shape: Any = {
        "sample_sequence_length": 1,
        "period": 1,
        "min_length_time_axis": 1,
        "add_batch_size": ADDED,
        "sample_batch_size": BATCH,
        "max_length_time_axis": capacity // ADDED,
    }
    buffer: Any
    if kind == "uniform":
        buffer = fbx.make_trajectory_buffer(max_size=None, **shape)
    else:
        buffer = fbx.make_prioritised_trajectory_buffer(priority_exponent=EXPONENT, **shape)
    state = buffer.init(jnp.zeros(NUMBERS))
    state = buffer.add(state, jnp.ones((ADDED, capacity // ADDED, NUMBERS)))

    def step(state: Any, at: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
        i, key = at
        state = buffer.add(state, rows_at(i)[:, None])
        sample = buffer.sample(state, key)
        rows = sample.experience[:, 0]
        if kind == "uniform":
            return state, used(rows, jnp.ones(BATCH))
        weights = sample.probabilities**-IMPORTANCE
        weights = weights / weights.max()
        state = buffer.set_priorities(state, sample.indices, priorities_of(kind, rows, weights))
        return state, used(rows, weights)

    return state, step


def used(rows: jax.Array, weights: jax.Array) -> jax.Array:
    """One number that needs the whole sample, so that nothing of it is left out."""
    return (rows * weights[:, None]).sum()


def repeated(state: Any, step: Callable) -> Callable[[], Any]:
    """`STEPS` steps in one dispatch, going on from where the last call ended."""

    @functools.partial(jax.jit, donate_argnums=0)
    def run(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        return jax.lax.scan(step, state, (jnp.arange(STEPS), jax.random.split(key, STEPS)))

    key = jax.random.key(0)
    # The types of a buffer's first state may differ from those of the next: compile for the latter.
    held = [run(state, key)[0]]

    def call() -> jax.Array:
        held[0], out = run(held[0], key)
        return out

    return call


if __name__ == "__main__":
    without_options(main, __doc__)
