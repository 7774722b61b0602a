"""A benchmark's variants in processes of their own, asked for rounds through a pipe."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SILENT = (json.JSONDecodeError, BrokenPipeError)  # what `hear` and `ask` raise when a worker has ended


@contextlib.contextmanager
def started(words: Sequence[str], env: Mapping[str, str]) -> Iterator[Any]:
    """A worker (see `_worker`) with these words, ended at the exit."""
    command = [sys.executable, "-m", "experiments.benchmarks._worker", *words]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=env, cwd=ROOT, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def hear(process: Any) -> dict[str, Any]:
    """The next line that a worker says."""
    return json.loads(process.stdout.readline())


def ask(process: Any, line: Any) -> dict[str, Any]:
    """Tell a worker something and hear its answer."""
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
    return hear(process)
