"""Is an epoch in one dispatch (`many_steps`) as fast as a Python loop over the same step?

On a CPU, XLA compiles the gradients of a plain convolution badly inside a loop; the layers of
`jaxdl.models` do not suffer from it. Same model, same weights, same batches, one optimizer.

    python -m experiments.benchmarks.scan

Prints milliseconds per step and the ratio loop / scan per round (above 1: the scan is faster), and
writes experiments/benchmarks/results/scan.json.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax

from experiments.benchmarks._command import without_options
from experiments.benchmarks._interleave import interleave, milliseconds, ratio
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

    def loop() -> Any:
        after = state
        for _ in range(STEPS):
            after, _ = step(after, data)
        return after

    times = interleave({"loop": loop, "scan": lambda: scan(state, data)[0]}, ROUNDS)
    each = {f"{name}_ms": milliseconds(seconds, STEPS) for name, seconds in times.items()}
    return each | ratio(times["loop"], times["scan"])


if __name__ == "__main__":
    without_options(main, __doc__)
