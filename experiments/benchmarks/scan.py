"""Is an epoch in one dispatch (`many_steps`) as fast as a Python loop over the same step?

On a CPU, XLA compiles the gradients of a plain convolution badly inside a loop; the layers of
`jaxdl.models` do not suffer from it. Same model, same weights, same batches, one optimizer.

    python -m experiments.benchmarks.scan

Prints milliseconds per step and the ratio loop / scan per round (above 1: the scan is faster), and
writes experiments/benchmarks/results/scan.json.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from jaxdl import models
from jaxdl.data import order
from jaxdl.learner import Learner
from jaxdl.learners import supervised
from jaxdl.run.config import environment, write_json
from jaxdl.transforms import many_steps, resident

STEPS, BATCH, ROUNDS = 20, 128, 7
VARIANTS = {
    "mlp": models.MLP((512, 512)),
    "cnn": models.CNN(),
    "cnn with batch norm": models.CNN(batch_norm=True),
}


def main() -> None:
    """Measure every variant and print a table."""
    rng = np.random.default_rng(0)
    data = {
        "input": rng.integers(0, 256, (4096, 28, 28, 1), np.uint8),
        "target": rng.integers(0, 10, 4096).astype(np.int32),
    }
    data = jax.device_put(data)
    table = {}
    for name, model in VARIANTS.items():
        learner = resident(supervised.learner(model, optax.sgd(0.1, 0.9)), BATCH, order.rows)
        table[name] = measure(learner, data)
        row = table[name]
        print(
            f"{name:<22} loop {row['loop_ms']:7.2f} ms  scan {row['scan_ms']:7.2f} ms  "
            f"loop/scan {row['ratio']:.2f} [{row['ratio_min']:.2f}-{row['ratio_max']:.2f}]"
        )
    content = {**environment(), "batch": BATCH, "steps": STEPS, "rounds": ROUNDS, "table": table}
    write_json(Path(__file__).parent / "results" / "scan.json", content)


def measure(learner: Learner, data: Any) -> dict[str, float]:
    """Milliseconds per step of both ways, and the spread of their ratio over interleaved rounds."""
    state = jax.jit(learner.init)(jax.random.key(0), data)
    step, scan = jax.jit(learner.step), jax.jit(many_steps(learner, STEPS).step)

    def loop(state: Any, data: Any) -> Any:
        for _ in range(STEPS):
            state, _ = step(state, data)
        return state

    ways: dict[str, Callable] = {"loop": loop, "scan": lambda state, data: scan(state, data)[0]}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(way(state, data))
            if round_:  # the first one compiles
                times[name].append(1e3 * (time.perf_counter() - start) / STEPS)
    ratios = [a / b for a, b in zip(times["loop"], times["scan"], strict=True)]
    return {
        "loop_ms": round(statistics.median(times["loop"]), 3),
        "scan_ms": round(statistics.median(times["scan"]), 3),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }


if __name__ == "__main__":
    main()
