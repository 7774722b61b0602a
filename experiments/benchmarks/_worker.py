"""One variant of one family in a process of its own, told what to do through a pipe.

    python -m experiments.benchmarks._worker mlp "torch fused" --core 1

After its first step it prints a line of JSON, and after every number of steps that it reads another
one, with its CPU seconds and wall seconds. An empty line ends it. Thread settings, the allocator and
peak memory belong to a process, so every variant has one.
"""

import argparse
import contextlib
import json
import os
import resource
import sys
import time


def main() -> None:
    """Serve rounds until the parent has enough."""
    parser = argparse.ArgumentParser()
    parser.add_argument("family")
    parser.add_argument("variant")
    parser.add_argument("--core", type=int, default=-1)  # to be pinned to; -1: all threads
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--cache", action="store_true")  # keep compiled programs, as experiments do
    words = parser.parse_args()
    if words.core >= 0:  # before JAX and torch count the cores
        os.sched_setaffinity(0, {words.core})
    channel, sys.stdout = sys.stdout, sys.stderr  # nobody else may write into the pipe
    from experiments.benchmarks._cases import case

    found = case(words.family, words.tiny)
    if words.variant.startswith("torch"):
        from experiments.benchmarks import _torch_ways

        way = _torch_ways.way(found, words.variant, 1 if words.core >= 0 else 0)
    elif words.variant == "keras":
        from experiments.benchmarks import _keras_ways

        way = _keras_ways.way(found)
    else:
        from experiments.benchmarks import _ours
        from jaxdl.run.cache import keep_compiled

        if words.cache:
            keep_compiled()
        way = _ours.way(found, words.variant)
    way.run(1)
    answer = {
        "parameters": way.parameters,
        "first_step_cpu": round(time.process_time(), 2),
        "ready": time.time(),
    }
    print(json.dumps(answer), file=channel, flush=True)
    for line in sys.stdin:
        if not line.strip():
            break
        cpu, wall = time.process_time(), time.perf_counter()
        loss = way.run(int(line))
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "loss": loss}
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({**spent, "peak_mb": round(peak / 1024)}), file=channel, flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
