"""How long until `cnn` has taken its first step: a first start, a second one from the cache, and PyTorch.

Every start is a process of its own, from the interpreter on, in turns:

- first: the programs are compiled and put into an empty cache folder.
- second: they are found there (`jaxdl.run.cache`).
- torch: the same network, one step, eager.

The network and its data are those of the families benchmark. Ours is dispatched as `fit` does.

    python -m experiments.benchmarks.start

Prints seconds and ratios, and writes experiments/benchmarks/results/start.json: wall time, and
CPU time, which repeats better on a busy machine. Wanted: second at most a quarter of the first, and
no more than torch's.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmarks._command import need, without_options
from experiments.benchmarks._interleave import ratio
from jaxdl.run.config import environment, write_json

ROUNDS = 3
WORKER = [sys.executable, "-m", "experiments.benchmarks._worker", "cnn"]
SCRIPT = Path(__file__)


def main() -> None:
    """Measure all in turns and print a table."""
    need("torch", "oracles")
    times: dict[str, list[tuple[float, float]]] = {}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("first", "second", "torch"):
                variant = "torch" if name == "torch" else "ours"
                times.setdefault(name, []).append(start(variant, folder))
    table: dict[str, Any] = {}
    for i, clock in enumerate(("wall", "cpu")):
        each = {name: [pair[i] for pair in pairs] for name, pairs in times.items()}
        table[clock] = {f"{name}_s": round(statistics.median(x), 2) for name, x in each.items()}
        table[clock]["first over second"] = ratio(each["first"], each["second"])
        table[clock]["torch over second"] = ratio(each["torch"], each["second"])
        print(f"{clock}: {table[clock]}")
    write_json(SCRIPT.parent / "results" / "start.json", {**environment(), "rounds": ROUNDS, **table})


def start(variant: str, cache: str) -> tuple[float, float]:
    """Wall and CPU seconds from the call of the interpreter to the end of the first step."""
    env = {**os.environ, "XDG_CACHE_HOME": cache, "JAX_PLATFORMS": "cpu"}
    env.pop("JAX_COMPILATION_CACHE_DIR", None)
    begun = time.time()
    process = subprocess.run([*WORKER, variant, "--cache"], input="\n", stdout=subprocess.PIPE, text=True,
                             env=env, check=True, cwd=SCRIPT.parents[2])  # fmt: skip
    said = json.loads(process.stdout)
    return said["ready"] - begun, said["first_step_cpu"]


if __name__ == "__main__":
    without_options(main, __doc__)
