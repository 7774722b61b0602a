"""The long form of the fault tests: as many faults as there is time for, counted and written down.

    python tests/faults --budget 30 2> errors.log     # where orbax and tensorstore say much
    python tests/faults --only signals,devices

runs for about 30 minutes at most, adds to experiments/benchmarks/results/faults.json what it
finds, and prints the table. Called again it goes on where the targets are not yet reached. What was
found with another version of the library (a digest of its files) does not count: then all begins
anew.
"""

import argparse
import functools
import hashlib
import json
import os
import signal
import subprocess
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
import devices  # noqa: E402
import kills  # noqa: E402
import members  # noqa: E402
import nans  # noqa: E402
import numpy as np  # noqa: E402

from jaxdl.run.config import environment, write_json  # noqa: E402

RESULT = ROOT / "experiments" / "benchmarks" / "results" / "faults.json"
TARGETS = {
    "kills": 300,
    "signals": 60,
    "damage": 5000,
    "nans": 72,
    "disks": 12,
    "devices": len(devices.COUNTS) * len(devices.cases()),
    "members": 20,
}
STOPS = 5  # of one run
PROMPT = 5.0  # seconds in which a run that is asked to leave has left, outside of compilation
Counts = dict[str, Any]


def main() -> None:
    """Go through the kinds of fault in turns until the targets are reached or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--budget", type=float, default=30, help="minutes, about (default 30)")
    parser.add_argument("--only", default=",".join(TARGETS), help="some of " + ",".join(TARGETS))
    given = parser.parse_args()
    only = given.only.split(",")
    if unknown := set(only) - set(TARGETS):
        parser.error(f"--only: got {sorted(unknown)}, expected some of {', '.join(TARGETS)}")
    version = code()
    found = _found(version)
    end = time.time() + 60 * given.budget
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(scratch) / "cache"))
        ways = {name: WAYS[name](Path(scratch) / name, found[name]) for name in only}
        while time.time() < end and any(found[name]["done"] < TARGETS[name] for name in only):
            for name, way in ways.items():
                if found[name]["done"] < TARGETS[name] and time.time() < end:
                    news = next(way)
                    if code() != version:
                        sys.exit("the library was changed meanwhile; what was found last does not count")
                    _add(found[name], news)
                    write_json(
                        RESULT, {**environment(), "code": version, "targets": TARGETS, "faults": found}
                    )
    for name, counts in found.items():
        rest = {key: value for key, value in counts.items() if key not in ("done", "right")}
        print(f"{name}: {counts['right']} of {counts['done']} right (target {TARGETS[name]}); {rest}")
    sys.exit(any(counts["wrong"] for counts in found.values()))


def code() -> str:
    """A digest of the library's files, the same for every copy of them."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "jaxdl").rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT).as_posix()} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _found(version: str) -> dict[str, Counts]:
    """What was found before with this version of the library, and zeros."""
    before = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if before and before.get("code") != version:
        print("the library has changed since: all begins anew", file=sys.stderr)
        before = {}
    zeros = {name: {"done": 0, "right": 0, "wrong": []} for name in TARGETS}
    return {name: before.get("faults", {}).get(name, zeros[name]) for name in TARGETS}


def _add(counts: Counts, found: Counts) -> None:
    """Add up numbers, lists and tables of numbers; of what is slowest or worst keep the largest."""
    for key, value in found.items():
        if key.startswith(("slowest", "worst")):
            counts[key] = max(counts.get(key, 0.0), value)
        elif isinstance(value, dict):
            _add(counts.setdefault(key, {}), value)
        else:
            counts[key] = counts.get(key, type(value)()) + value


def _stopped(
    folder: Path, counts: Counts, signals: tuple[int, ...], codes: tuple[int, ...]
) -> Iterator[Counts]:
    """Runs of each family in turn, stopped by signals; right are the stops of a run whose bits agree."""
    rng, whole = np.random.default_rng(time.time_ns()), {}
    for i in range(10**6):
        # The family with the fewest so far, also after a pause.
        name = min(kills.families.FAMILIES, key=lambda name: counts.get("families", {}).get(name, 0))
        try:
            if name not in whole:
                whole[name] = kills.uninterrupted(name, folder / f"{name} whole")
            run = kills.disturbed(name, folder / f"{name} {i}", STOPS, rng, signals)
        except AssertionError as error:  # a process that ended without a result
            yield {"done": 1, "right": 0, "wrong": [f"{name}: {error}"], "families": {name: 1}}
            continue
        differ = [key for key in whole[name] if run.bits[key] != whole[name][key]]
        wrong = [f"{name}: {differ[:3]} differ"] if differ else []
        wrong += [f"{name}: exit code {code}" for code in run.codes if code not in codes]
        timed = list(zip(run.seconds, run.begun, strict=True))
        training, starting = ([s for s, begun in timed if begun == which] for which in (True, False))
        wrong += [f"{name}: gone after {s:.1f} s" for s in training if s > PROMPT]
        n = len(run.codes)
        # A run that is asked to leave ends its save first, so only a kill leaves a half of one.
        yield ({"inside_a_save": sum(run.inside)} if signal.SIGKILL in signals else {}) | {
            "done": n,
            "right": 0 if wrong else n,
            "wrong": wrong,
            "families": {name: n},
            "slowest_seconds": round(max(training, default=0.0), 2),
            "slowest_seconds_at_the_start": round(max(starting, default=0.0), 2),
        }


def _damaged(folder: Path, _: Counts) -> Iterator[Counts]:
    """Checkpoint folders with one or two damaged checkpoints, a hundred at a time."""
    rng, expected = np.random.default_rng(time.time_ns()), damage.states()
    damage.intact(folder / "whole")
    while True:
        wrong = [damage.trial(folder / "whole", folder / "spoilt", rng, expected) for _ in range(100)]
        wrong = [each for each in wrong if each is not None]
        yield {"done": 100, "right": 100 - len(wrong), "wrong": wrong}


def _nans(_: Path, counts: Counts) -> Iterator[Counts]:
    """One NaN of each kind in each network."""
    rng = np.random.default_rng(time.time_ns())
    each = [(family, kind) for family in nans.MAKE for kind in nans.KINDS]
    while True:
        family, kind = each[counts["done"] % len(each)]
        wrong = nans.trial(family, kind, rng)
        yield {"done": 1, "right": int(wrong is None), "wrong": [wrong] if wrong else []}


def _full(folder: Path, _: Counts) -> Iterator[Counts]:
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


def _devices(_: Path, counts: Counts) -> Iterator[Counts]:
    """A family on 1, 2, 4 and 8 devices, by one way in one precision, in a process that has eight."""
    while True:
        case = devices.cases()[counts["done"] // len(devices.COUNTS)]
        given = {"PYTHONPATH": str(ROOT), "XLA_FLAGS": "--xla_force_host_platform_device_count=8"}
        command = [sys.executable, str(HERE / "devices.py"), *case]
        ended = subprocess.run(command, env={**os.environ, **given}, stdout=subprocess.PIPE)
        n = len(devices.COUNTS)
        if ended.returncode:
            yield {"done": n, "right": 0, "wrong": [f"{', '.join(case)}: exit code {ended.returncode}"]}
            continue
        found = devices.Found(**json.loads(ended.stdout.splitlines()[-1]))
        news = {"done": n, "right": 0 if found.wrong else n, "wrong": found.wrong}
        if found.worst is not None:
            news[f"worst_{case[2]}"] = found.worst
        if case[1] == "shards":
            news["differing_bits_of_shards"] = found.bits
        yield news


def _members(folder: Path, counts: Counts) -> Iterator[Counts]:
    """Two processes under Open MPI, of which one is killed; the loop starts both again until they are done.

    In turns the launcher itself ends the other, or is told to leave it: then JAX has to notice.
    """
    if not members.usable():
        yield {"done": 1, "right": 0, "wrong": ["Open MPI's mpirun cannot start two processes"]}
        return
    rng = np.random.default_rng(time.time_ns())
    whole = members.finish(members.launch(folder / "whole", "LSTM"), folder / "whole")
    for i in range(10**6):
        run, how = folder / str(i), members.LEFT_ALONE if counts["done"] % 2 else ()
        ended = members.kill_one(members.launch(run, "LSTM", 2, 1, *how), run, rng)
        if ended is None:  # it was done before
            continue
        wrong = [f"gone after {ended.seconds:.1f} s"] if ended.seconds > members.NOTICED else []
        if not how:  # Open MPI's own code, which is 0 where it was told to leave the others alone
            wrong += [] if ended.code else ["exit code 0"]
        elif "JAX distributed service detected fatal errors" not in ended.said:
            wrong.append(f"no message of JAX: {ended.said[-200:]}")
        bits = members.finish(members.launch(run, "LSTM"), run)["bits"]
        wrong += [] if bits == whole["bits"] else ["other bits after the resume"]
        slowest = "slowest_seconds_by_jax" if how else "slowest_seconds_by_the_launcher"
        yield {"done": 1, "right": int(not wrong), "wrong": wrong, slowest: round(ended.seconds, 2)}


WAYS: dict[str, Callable[[Path, Counts], Iterator[Counts]]] = {
    "kills": functools.partial(_stopped, signals=(signal.SIGKILL,), codes=(-signal.SIGKILL,)),
    "signals": functools.partial(_stopped, signals=(signal.SIGTERM, signal.SIGINT), codes=kills.LEFT),
    "damage": _damaged,
    "nans": _nans,
    "disks": _full,
    "devices": _devices,
    "members": _members,
}


if __name__ == "__main__":
    main()
