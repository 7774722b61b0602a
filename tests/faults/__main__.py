"""The long form of the fault tests: as many faults as there is time for, counted and written down.

    python tests/faults --budget 30 2> errors.log     # where orbax and tensorstore say much

runs for about 30 minutes at most, adds to experiments/benchmarks/results/faults.json what it
finds, and prints the table. Called again it goes on where the targets are not yet reached; delete
the file to begin anew.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import damage  # noqa: E402
import kills  # noqa: E402
import nans  # noqa: E402
import numpy as np  # noqa: E402

from jaxdl.run.config import environment, write_json  # noqa: E402

RESULT = ROOT / "experiments" / "benchmarks" / "results" / "faults.json"
TARGETS = {"kills": 300, "signals": 60, "damaged": 5000, "nans": 72, "full disks": 12}
STOPS = 5  # of one run
Counts = dict[str, Any]


def main() -> None:
    """Go through the kinds of fault in turns until the targets are reached or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=30, help="minutes, about (default 30)")
    end = time.time() + 60 * parser.parse_args().budget
    found: Counts = json.loads(RESULT.read_text())["faults"] if RESULT.exists() else {}
    for name in TARGETS:
        found.setdefault(name, {"done": 0, "right": 0, "wrong": []})
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(scratch) / "cache"))
        ways = {name: way(Path(scratch) / name) for name, way in WAYS.items()}
        while time.time() < end and any(found[name]["done"] < TARGETS[name] for name in TARGETS):
            for name, way in ways.items():
                if found[name]["done"] < TARGETS[name] and time.time() < end:
                    _add(found[name], next(way))
            write_json(RESULT, {**environment(), "targets": TARGETS, "faults": found})
    for name, counts in found.items():
        rest = {key: value for key, value in counts.items() if key not in ("done", "right")}
        print(f"{name}: {counts['right']} of {counts['done']} right (target {TARGETS[name]}); {rest}")
    sys.exit(any(counts["wrong"] for counts in found.values()))


def _add(counts: Counts, found: Counts) -> None:
    for key, value in found.items():
        if key == "slowest_seconds":
            counts[key] = max(counts.get(key, 0.0), value)
        elif isinstance(value, dict):
            counts[key] = {name: counts.get(key, {}).get(name, 0) + n for name, n in value.items()} | {
                name: n for name, n in counts.get(key, {}).items() if name not in value
            }
        else:
            counts[key] = counts.get(key, type(value)()) + value


def _stopped(folder: Path, signals: tuple[int, ...], codes: tuple[int, ...]) -> Iterator[Counts]:
    """Runs of each family in turn, stopped by signals; right are the stops of a run whose bits agree."""
    rng, whole = np.random.default_rng(time.time_ns()), {}
    for i in range(10**6):
        name = list(kills.families.FAMILIES)[i % len(kills.families.FAMILIES)]
        if name not in whole:
            whole[name] = kills.uninterrupted(name, folder / f"{name} whole")
        run = kills.disturbed(name, folder / f"{name} {i}", STOPS, rng, signals)
        differ = [key for key in whole[name] if run.bits[key] != whole[name][key]]
        wrong = [f"{name}: {differ[:3]} differ"] if differ else []
        wrong += [f"{name}: exit code {code}" for code in run.codes if code not in codes]
        n = len(run.codes)
        yield {
            "done": n,
            "right": 0 if wrong else n,
            "wrong": wrong,
            "inside_a_save": sum(run.inside),
            "families": {name: n},
            "slowest_seconds": round(max(run.seconds, default=0.0), 2),
        }


def _damaged(folder: Path) -> Iterator[Counts]:
    """Checkpoint folders with one or two damaged checkpoints, a hundred at a time."""
    rng, expected = np.random.default_rng(time.time_ns()), damage.states()
    damage.intact(folder / "whole")
    while True:
        wrong = [damage.trial(folder / "whole", folder / "spoilt", rng, expected) for _ in range(100)]
        wrong = [each for each in wrong if each is not None]
        yield {"done": 100, "right": 100 - len(wrong), "wrong": wrong}


def _nans(_: Path) -> Iterator[Counts]:
    """One NaN of each kind in each network."""
    rng = np.random.default_rng(time.time_ns())
    while True:
        for family in nans.MAKE:
            for kind in nans.KINDS:
                wrong = nans.trial(family, kind, rng)
                yield {"done": 1, "right": int(wrong is None), "wrong": [wrong] if wrong else []}


def _full(folder: Path) -> Iterator[Counts]:
    """A disk that is full at a random save: an error, and the checkpoint before it is intact."""
    rng = np.random.default_rng(time.time_ns())
    whole = kills.uninterrupted("MLP", folder / "whole")
    for i in range(10**6):
        said, code, bits = kills.full_disk("MLP", folder / str(i), int(rng.integers(1, 12)))
        wrong = (
            [] if "room for a checkpoint" in str(said) and code == 2 else [f"said {said}, exit code {code}"]
        )
        wrong += [] if bits == whole else ["other bits after the resume"]
        yield {"done": 1, "right": int(not wrong), "wrong": wrong}


WAYS: dict[str, Callable[[Path], Iterator[Counts]]] = {
    "kills": lambda folder: _stopped(folder, (signal.SIGKILL,), (-signal.SIGKILL,)),
    "signals": lambda folder: _stopped(folder, (signal.SIGTERM, signal.SIGINT), kills.LEFT),
    "damaged": _damaged,
    "nans": _nans,
    "full disks": _full,
}


if __name__ == "__main__":
    main()
