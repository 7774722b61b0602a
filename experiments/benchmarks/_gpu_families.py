"""Rows of the GPU benchmark that time variants in turns: families, wider LSTMs, --deterministic.

Wall-clock seconds of whole rounds, each of which ends when the device has nothing left to do. A round is
as many times `case.steps` steps as take `ROUND` seconds; variants take theirs in turns.
"""

import contextlib
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from experiments.benchmarks._cases import case, gpu_variants
from experiments.benchmarks._processes import ROOT, SILENT, ask, started
from experiments.benchmarks.families import spread
from jaxdl.run import deterministic

ROUNDS = 5
ROUND = 0.3  # seconds
TWINS = ("ours", "ours, twin", "ours, deterministic", "ours, deterministic, twin")


def beside_torch(row: str, tiny: bool, short: bool) -> dict[str, Any]:
    """A row of the parts `families` and `lstm`: a family in a precision, ours and every form of torch's."""
    name, precision = row.split()
    device = "cpu" if tiny else "cuda"
    chosen = gpu_variants(case(name, tiny, device, precision), device, short)
    measured = measure(name, precision, chosen, tiny)
    return {**measured, "difference": equal(name, precision, tiny)}


def price(name: str, tiny: bool) -> dict[str, Any]:
    """A row of the part `deterministic`: with the flag and without, two processes of each.

    "repeats" says whether the two had the same bits: the loss after the same steps from the same start.
    """
    measured = measure(name, "float32", TWINS, tiny)
    first = measured["first_losses"]
    # A variant that does not run is in "failed", and repeats nothing.
    repeats = {a: first[a] == first[b] for a, b in (TWINS[:2], TWINS[2:]) if a in first and b in first}
    return {**measured, "repeats": repeats}


def measure(name: str, precision: str, chosen: Sequence[str], tiny: bool) -> dict[str, Any]:
    """Throughput, memory and time to the first step of every variant, and their ratios to ours."""
    device = "cpu" if tiny else "cuda"
    found = case(name, tiny, device, precision)
    failed, begun, first, turns = {}, {}, {}, {}
    seconds: dict[str, list[float]] = {}  # per step
    peak: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        words = ["--device", device, "--precision", precision, "--wait", *["--tiny"] * tiny]
        workers = {
            variant: stack.enter_context(started([name, variant, *words], environment(variant)))
            for variant in chosen
        }
        for variant, process in workers.items():
            try:
                begun[variant] = ask(process, "begin")
                answer = ask(process, found.steps)
            except SILENT:
                failed[variant] = "does not run"
                continue
            first[variant] = answer["loss"]
            again = ask(process, found.steps)["wall"]  # the first is not counted: memory grows
            turns[variant] = 1 if tiny else max(1, math.ceil(ROUND / again))
        for _ in range(1 if tiny else ROUNDS):
            for variant in turns:
                steps = turns[variant] * found.steps
                answer = ask(workers[variant], steps)
                seconds.setdefault(variant, []).append(answer["wall"] / steps)
                peak[variant] = answer["peak_mb"]
    examples = found.batch * found.seeds
    ours = seconds.get("ours", [])
    return {
        "variants": {
            variant: {
                "examples_per_second": round(examples / statistics.median(each), 1),
                "peak_mb": peak[variant],
                "first_step_s": begun[variant]["first_step_after_import"],
                "parameters": begun[variant]["parameters"],
            }
            for variant, each in seconds.items()
        },
        "failed": failed,
        "ratios": {v: spread(each, ours) for v, each in seconds.items() if ours and v != "ours"},
        "first_losses": first,
        "batch": found.batch,
        "steps": {variant: turns[variant] * found.steps for variant in turns},
        "rounds": 1 if tiny else ROUNDS,
    }


def environment(variant: str) -> dict[str, str]:
    """Of a worker, which takes memory as it needs it, for several share the device."""
    env = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if "deterministic" in variant:
        env["XLA_FLAGS"] = deterministic.flags(env.get("XLA_FLAGS", ""))
    return env


def equal(name: str, precision: str, tiny: bool) -> float | None:
    """How far our loss and torch's are apart after the same step, see `_equal`; None if it does not run."""
    options = ["--precision", precision, "--device", "cpu" if tiny else "cuda", *["--tiny"] * tiny]
    command = [sys.executable, "-m", "experiments.benchmarks._equal", name, *options]
    ended = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment(""), check=False
    )
    return float(ended.stdout.split()[-1]) if ended.returncode == 0 else None
