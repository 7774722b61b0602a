"""Variants timed in turns, so that a busy machine slows all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax


def interleave(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every call, by variant; one round more is run first, to compile, and not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(way())
            if round_:
                times[name].append(time.perf_counter() - start)
    return times


def compiled(
    train: Callable[..., Any], *args: Any, options: dict[str, Any] | None = None
) -> tuple[float, float, Any]:
    """Seconds to trace and compile a function, seconds to run it, and its result; nothing is cached.

    The options are those of the compiler.
    """
    jax.clear_caches()
    start = time.perf_counter()
    program = jax.jit(train).lower(*args).compile(options)
    middle = time.perf_counter()
    result = jax.block_until_ready(program(*args))
    return middle - start, time.perf_counter() - middle, result


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times the second is faster, round by round: median and range."""
    ratios = [a / b for a, b in zip(slow, fast, strict=True)]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
    }


def milliseconds(times: list[float], steps: int) -> float:
    """Median per step."""
    return round(1e3 * statistics.median(times) / steps, 3)
