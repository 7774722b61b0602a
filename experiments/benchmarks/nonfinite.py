"""What does it cost to look for the first loss that is not a number?

A chunk of steps as `fit` dispatches it, its losses brought to the host, with the look at them and
without, in turns. The loss of every step is in the chunk's result anyway; what is looked for costs
nothing inside of the compiled program, and the search for layer and rows begins after a hit only.

    python -m experiments.benchmarks.nonfinite

Prints milliseconds per step, the ratio with / without per round, and the share of the look by its own
clock, which a busy machine does not blur; and writes experiments/benchmarks/results/nonfinite.json.
"the smallest", a linear model whose chunk is over in a third of a millisecond, is the worst case. The
shorter a run, the more rounds: single ones differ by a quarter.
"""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks._command import without_options
from experiments.benchmarks._interleave import interleave, milliseconds, ratio
from jaxdl import data, models
from jaxdl.learners import supervised
from jaxdl.run.config import environment, write_json
from jaxdl.run.nonfinite import first_bad
from jaxdl.transforms import over_seeds, resident, up_to_steps

BATCH, STEPS, CHUNKS = 32, 31, 30  # an epoch of the digits per chunk
MODELS = {  # with the rounds of each
    "the smallest": (models.MLP(()), 601),
    "mlp": (models.MLP(), 61),
    "cnn": (models.CNN(batch_norm=True), 31),
}


def main() -> None:
    """Measure every model and print a table."""
    rows = jax.device_put(data.load("digits").train)
    table = {}
    for name, (model, rounds) in MODELS.items():
        learner = resident(supervised.learner(model, optax.adam(1e-3)), BATCH, data.order.rows)
        table[name] = row = measure(over_seeds(up_to_steps(learner, STEPS), 1), rows, rounds)
        print(f"{name:<14} {row}", flush=True)
    content = {**environment(), "batch": BATCH, "steps": STEPS, "table": table}
    write_json(Path(__file__).parent / "results" / "nonfinite.json", content)


def measure(learner: Any, rows: Any, rounds: int) -> dict[str, float]:
    """Milliseconds per step of both ways, the spread of their ratio, and the share of the look."""
    begun, chunk = jax.jit(learner.init)(jax.random.key(0), (STEPS, rows)), jax.jit(learner.step)
    inside: list[float] = []

    def run(look: bool) -> Any:
        state = begun
        for _ in range(CHUNKS):
            state, measured = chunk(state, (jnp.int32(STEPS), rows))
            losses = np.asarray(measured["loss"])
            if look:
                start = time.perf_counter()
                assert first_bad(losses) is None
                inside.append(time.perf_counter() - start)
        return state

    times = interleave({"with": lambda: run(True), "without": lambda: run(False)}, rounds)
    each = {f"{name}_ms": milliseconds(seconds, CHUNKS * STEPS) for name, seconds in times.items()}
    share = sum(inside[CHUNKS:]) / sum(times["with"])  # without the round that compiles
    found = {"share_inside": round(share, 5), "rounds": rounds}
    return each | ratio(times["with"], times["without"]) | found


if __name__ == "__main__":
    without_options(main, __doc__)
