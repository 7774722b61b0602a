"""Where the rows of the GPU benchmark are kept, and how one is measured within the time that is left.

The file has one entry for each device, with its versions and its rows, so that no table mixes two.
"""

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks._gpu_parts import PARTS
from experiments.benchmarks._processes import ROOT
from jaxdl.run.config import read_json, write_json

RESULTS = Path(__file__).parent / "results" / "gpu.json"
Rows = Mapping[str, Mapping[str, Any]]


class OutOfTime(Exception):
    """A row took more than was left; nothing is wrong, the rest is for the next command."""


class Book:
    """The rows of one device, written to the disk as soon as each is there.

    Args:
      path: of the file; None keeps nothing.
      environment: as `_gpu_row.environment` has it.
    """

    def __init__(self, path: Path | None, environment: Mapping[str, Any]):
        self.path = path
        self.all = read(path) if path else {}
        here = self.all.setdefault(environment["device"], {"parts": {}})
        here["versions"] = environment["versions"]
        self.parts: dict[str, dict[str, Any]] = here["parts"]

    def row(self, part: str, name: str) -> dict[str, Any] | None:
        """What was measured of a row, None if nothing."""
        return self.parts.get(part, {}).get(name)

    def put(self, part: str, name: str, measured: Mapping[str, Any]) -> None:
        """Keep a row, all of them in the order of the plan."""
        rows = {**self.parts.get(part, {}), name: measured}
        order = [*PARTS[part].rows, *PARTS[part].tiny]
        self.parts[part] = dict(sorted(rows.items(), key=lambda item: order.index(item[0])))
        if self.path is not None:
            write_json(self.path, self.all)

    def longest(self, part: str) -> float:
        """Seconds that the slowest row of a part took, of those that are there."""
        return max((row["seconds"] for row in self.parts.get(part, {}).values()), default=0.0)


def read(path: Path) -> dict[str, Any]:
    """By device what was measured.

    Raises:
      InputError: the file is no JSON object.
    """
    return read_json(path, "--results") if path.exists() else {}


def call(words: Sequence[str], seconds: float) -> dict[str, Any]:
    """What `_gpu_row` prints; {"error": why} if it does not come to its end.

    Raises:
      OutOfTime: it was stopped after so many seconds, with all processes that it had started.
    """
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        command = [sys.executable, "-m", "experiments.benchmarks._gpu_row", *words]
        # A group of its own, for it has workers.
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": errors, "text": True, "process_group": 0}
        env = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
        with subprocess.Popen(command, cwd=ROOT, env=env, **pipes) as process:
            try:
                said, _ = process.communicate(timeout=None if math.isinf(seconds) else max(0.0, seconds))
            except subprocess.TimeoutExpired:
                raise OutOfTime from None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        errors.seek(0)
        lines = [line.strip() for line in errors if line.strip()]
    spent = round(time.monotonic() - start, 1)
    if process.returncode:
        why = lines[-1][:200] if lines else f"exit code {process.returncode}"
        found = {"error": why}
    else:
        found = json.loads(said)
    if process.returncode or found.get("failed"):  # of a variant, or of all
        print("\n".join(lines[-40:]), file=sys.stderr)
    return {**found, "seconds": spent}
