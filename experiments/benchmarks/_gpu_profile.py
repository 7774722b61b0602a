"""Where the time of a chunk goes: the profiler's trace of it, read with the standard library."""

import collections
import gzip
import json
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.benchmarks import _ours
from experiments.benchmarks._cases import case

SHOWN = 12  # kernels
CONTROL = ("while", "call", "conditional")  # whose time is that of what is inside


def measure(name: str, tiny: bool) -> dict[str, Any]:
    """One chunk of a family, as `fit` dispatches it, by kernel: share of the device's time, launches.

    "busy" is the share of the chunk's wall clock, traced, in which the device ran one of them.
    """
    found = case(name, tiny, "cpu" if tiny else "cuda")
    way = _ours.way(found, "ours")
    way.run(found.steps)
    start = time.perf_counter()
    way.run(found.steps)
    plain = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            start = time.perf_counter()
            way.run(found.steps)
            traced = time.perf_counter() - start
        path = next(Path(folder).rglob("*.trace.json.gz"))
        events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    kernels = device_events(events)
    return {
        "kernels": by_kernel(kernels)[:SHOWN],
        "launches_per_step": round(len(kernels) / found.steps, 1),
        "busy": round(busy(kernels) / traced, 3),
        "ms_per_step": round(1e3 * plain / found.steps, 4),
        "ms_per_step_traced": round(1e3 * traced / found.steps, 4),
        "steps": found.steps,
    }


def device_events(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What the device itself did: the events of a GPU's streams, or of a CPU those that name an HLO op.

    A GPU's trace has the same time in derived lines ("XLA Ops", "XLA Modules") once more; these are left out.
    """
    streams = {
        (event["pid"], event["tid"])
        for event in events
        if event.get("name") == "thread_name" and event["args"]["name"].startswith("Stream")
    }
    timed = [event for event in events if event.get("ph") == "X"]
    if streams:
        return [event for event in timed if (event["pid"], event["tid"]) in streams]
    operations = [event for event in timed if "hlo_op" in event.get("args", {})]
    return [event for event in operations if not event["name"].startswith(CONTROL)]


def by_kernel(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Kernels by their share of the time, the longest first; numbers at the end of a name are left out."""
    times: dict[str, float] = collections.defaultdict(float)
    counts: collections.Counter[str] = collections.Counter()
    for event in events:
        name = re.sub(r"[._]\d+", "", event["name"])[:60]
        times[name] += event.get("dur", 0)
        counts[name] += 1
    whole = sum(times.values())
    return [
        {"kernel": name, "share": round(spent / whole, 4), "launches": counts[name]}
        for name, spent in sorted(times.items(), key=lambda pair: -pair[1])
    ]


def busy(events: Sequence[Mapping[str, Any]]) -> float:
    """Seconds in which at least one was running."""
    from experiments.benchmarks._gpu_runs import union

    return union([(event["ts"] / 1e6, (event["ts"] + event.get("dur", 0)) / 1e6) for event in events])
