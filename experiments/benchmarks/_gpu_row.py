"""One row of the GPU benchmark in a process of its own, which can be stopped at any time.

    python -m experiments.benchmarks._gpu_row families "mlp float32"

Prints it as JSON, in one line. `environment` instead of a part says what there is to measure on.
"""

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any


def measure(part: str, row: str, tiny: bool = False, data_dir: Path | None = None) -> dict[str, Any]:
    """The row of a part, see `_gpu_parts`; only what it needs is imported."""
    if part in ("families", "lstm", "deterministic"):
        from experiments.benchmarks import _gpu_families as timed

        if part == "deterministic":
            return timed.price(row, tiny)
        return timed.beside_torch(row, tiny, short=part == "lstm")
    if part == "profile":
        from experiments.benchmarks import _gpu_profile

        return _gpu_profile.measure(row, tiny)
    from experiments.benchmarks import _gpu_runs as runs

    if part == "mnist":
        return runs.mnist(row, tiny, data_dir)
    return runs.seeds(row, tiny) if part == "seeds" else runs.q_learning(row, tiny)


def environment() -> dict[str, Any]:
    """Versions, the device, and JAX's name of its kind: "cpu", "gpu" or "tpu"."""
    import jax

    from jaxdl.run import config

    found = config.environment()
    try:
        found["versions"]["torch"] = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        found["versions"]["torch"] = None
    return {**found, "backend": jax.default_backend()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part")
    parser.add_argument("row", nargs="?", default="")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--data-dir", type=Path)
    words = parser.parse_args()
    channel, sys.stdout = sys.stdout, sys.stderr  # nobody else may write into the pipe
    asked = (words.part, words.row, words.tiny, words.data_dir)
    found = environment() if words.part == "environment" else measure(*asked)
    print(json.dumps(found), file=channel)


if __name__ == "__main__":
    main()
