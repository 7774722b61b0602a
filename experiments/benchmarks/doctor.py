"""What does the training doctor cost, in shares of the time of a run?

The parts of `fit` with the doctor listening and without it, in turns: an evaluation after every epoch
of the digits, 31 steps. "mlp" and "cnn" are as long as the experiments of that name ("cnn" with one
seed); the last row is the worst case, a run that is over in a blink, of which a fixed number of looks
is a larger share. Apart stands the probe before the first step (data, and the gradients, compiled
already), in seconds: it does not grow with the run.

    python -m experiments.benchmarks.doctor

Prints milliseconds per step, the ratio with / without per round, and the share of the time that is
spent inside of the doctor, which a busy machine does not blur; and writes
experiments/benchmarks/results/doctor.json.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks._command import without_options
from experiments.benchmarks._interleave import interleave, milliseconds, ratio
from jaxdl import data, models
from jaxdl.learners import sequence, supervised
from jaxdl.run import log as logs
from jaxdl.run import over_split
from jaxdl.run.config import environment, write_json
from jaxdl.run.doctor import Doctor
from jaxdl.run.output import QUIET
from jaxdl.transforms import over_seeds, resident, up_to_steps

BATCH, EVERY, ROUNDS = 32, 31, 15
RUNS = {"mlp": (60, 5), "cnn": (80, 1), "lstm": (60, 1), "mlp, shortest": (20, 1)}  # evaluations, seeds


def main() -> None:
    """Measure every run and print a table."""
    table = {}
    for name, (evaluations, seeds) in RUNS.items():
        table[name] = row = measure(name.split(",")[0], evaluations, seeds)
        print(f"{name:<16} {row}", flush=True)
    content = {**environment(), "batch": BATCH, "steps_between": EVERY, "rounds": ROUNDS, "table": table}
    write_json(Path(__file__).parent / "results" / "doctor.json", content)


def measure(kind: str, evaluations: int, seeds: int) -> dict[str, Any]:
    """Milliseconds per step of both ways, the spread of their ratio, and the seconds of the probe."""
    digits = data.load("digits")
    train, validation = digits.train, digits.validation
    family: Any = supervised
    model: Any = models.MLP() if kind == "mlp" else models.CNN(batch_norm=True)
    if kind == "lstm":
        family, model = sequence, models.RecurrentNet(64, 10, many_to_many=False)
        train, validation = ({**split, "input": split["input"][..., 0]} for split in (train, validation))
    learner = resident(family.learner(model, optax.adam(1e-3)), BATCH, data.order.rows)
    runs, chunks = over_seeds(learner, seeds), over_seeds(up_to_steps(learner, EVERY), seeds)
    begun, rows = jax.jit(runs.init)(jax.random.key(0), train), jax.device_put(train)
    chunk, inspect = jax.jit(chunks.step), jax.jit(runs.inspect)  # type: ignore[arg-type]
    evaluate = over_split(family.evaluate(model), validation)

    def examine() -> tuple[Doctor, logs.Log]:
        log = logs.Log()
        doctor = Doctor(begun, inspect, rows, train, validation, evaluations * EVERY, seeds, QUIET, log)
        return doctor, log

    examine()  # compiles
    start = time.perf_counter()
    doctors = [examine() for _ in range(ROUNDS + 1)]
    probe = (time.perf_counter() - start) / len(doctors)

    seconds: list[float] = []  # inside of the doctor

    def spent(listen: Callable[..., None], *args: Any) -> None:
        start = time.perf_counter()
        listen(*args)
        seconds.append(time.perf_counter() - start)

    def run(new: Callable[[], tuple[Doctor | None, logs.Log]]) -> Any:
        (doctor, log), state = new(), begun
        for i in range(evaluations):
            state, measured = chunk(state, (jnp.int32(EVERY), rows))
            values, step = np.asarray(measured["loss"]), (i + 1) * EVERY
            log.write("train", step, {"loss": values.mean(1)})
            if doctor is not None:
                spent(doctor.trained, step, values)
            log.write("validation", step, evaluate(state))
            if doctor is not None:
                spent(doctor.look, step, state)
        return state

    ways = {"with": lambda: run(doctors.pop), "without": lambda: run(lambda: (None, logs.Log()))}
    times = interleave(ways, ROUNDS)
    each = {
        f"{name}_ms": milliseconds(all_seconds, evaluations * EVERY) for name, all_seconds in times.items()
    }
    inside = sum(seconds[2 * evaluations :]) / sum(times["with"])  # without the round that compiles
    return each | ratio(times["with"], times["without"]) | {
        "probe_seconds": round(probe, 2),
        "run_seconds": round(statistics.median(times["without"]), 2),
        "share_inside": round(inside, 4),
    }  # fmt: skip


if __name__ == "__main__":
    without_options(main, __doc__)
