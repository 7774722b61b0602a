"""Variants timed in turns, so that a busy machine slows all of them alike."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache


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


def phases(train: Callable[..., Any], *args: Any, options: dict[str, Any] | None = None) -> dict[str, float]:
    """Seconds of a function's first start, "lower" (trace and lower) and "compile", and of its second.

    The second, "lower again" and "from the cache", finds the program in a persistent cache.
    """

    def start() -> tuple[float, float]:
        jax.clear_caches()
        begin = time.perf_counter()
        lowered = jax.jit(train).lower(*args)
        middle = time.perf_counter()
        lowered.compile(options)
        return middle - begin, time.perf_counter() - middle

    with _cache(None):
        first = start()
    with tempfile.TemporaryDirectory() as folder, _cache(folder):
        start()
        again = start()
    return dict(zip(("lower", "compile", "lower again", "from the cache"), first + again, strict=True))


@contextlib.contextmanager
def _cache(folder: str | None) -> Iterator[None]:
    """JAX's persistent cache of compiled programs in a folder, or nowhere, for a while."""
    settings = {
        "jax_compilation_cache_dir": folder,
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: jax.config.values[name] for name in settings}
    try:
        for name, value in settings.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        compilation_cache.reset_cache()


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
