"""One variant of one family in a process of its own, told what to do through a pipe.

    python -m experiments.benchmarks._worker mlp "torch fused" --core 1

After its first step it prints a line of JSON, and after every number of steps that it reads another
one, with its CPU seconds and wall seconds. An empty line ends it. Thread settings, the allocator and
peak memory belong to a process, so every variant has one. With --wait it imports, finds its device and
waits for a line before it makes anything: kernels of a GPU are chosen by the clock, by one worker at a time.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Serve rounds until the parent has enough."""
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("variant")
    parser.add_argument("--core", type=int, default=-1)  # to be pinned to; -1: all threads
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--cache", action="store_true")  # keep compiled programs, as experiments do
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--wait", action="store_true")  # for a line, before anything is made
    words = parser.parse_args()
    if words.core >= 0 and hasattr(os, "sched_setaffinity"):  # before JAX and torch count the cores
        os.sched_setaffinity(0, {words.core})
    channel, sys.stdout = sys.stdout, sys.stderr  # nobody else may write into the pipe
    from experiments.benchmarks._cases import case

    found = case(words.family, words.tiny, words.device, words.precision)
    make, peak = side(found, words)
    if words.wait and not sys.stdin.readline().strip():
        return
    begun = time.perf_counter()
    way = make()
    way.run(1)
    answer = {
        "parameters": way.parameters,
        "first_step_cpu": round(time.process_time(), 2),
        "first_step_after_import": round(time.perf_counter() - begun, 2),
        "ready": time.time(),
    }
    print(json.dumps(answer), file=channel, flush=True)
    for line in sys.stdin:
        if not line.strip():
            break
        cpu, wall = time.process_time(), time.perf_counter()
        loss = way.run(int(line))
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "loss": loss}
        print(json.dumps({**spent, "peak_mb": round(peak() / 2**20)}), file=channel, flush=True)


def side(found: Any, words: Any) -> tuple[Callable[[], Any], Callable[[], int]]:
    """What makes a variant, its library imported and its device found, and the peak of memory in bytes."""
    variant = words.variant
    peak: Callable[[], int] = lambda: 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # noqa: E731
    if variant == "keras":
        from experiments.benchmarks import _keras_ways

        return lambda: _keras_ways.way(found), peak
    if variant.startswith("torch"):
        from experiments.benchmarks import _torch_device, _torch_ways

        if found.device == "cuda":
            peak = _torch_device.peak
            _torch_device.begin(exact=False)
        return lambda: _torch_ways.way(found, variant, 1 if words.core >= 0 else 0), peak
    from experiments.benchmarks import _jax_device, _ours
    from jaxdl.run.cache import keep_compiled

    if words.cache:
        keep_compiled()
    if found.device == "cuda":
        peak = _jax_device.peak
        _jax_device.begin(exact=False)
    return lambda: _ours.way(found, variant), peak


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
