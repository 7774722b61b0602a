"""Every family of networks beside PyTorch, Keras and the naive flax loop: examples per CPU-second.

Each variant lives in a process of its own (thread settings, allocator and peak memory belong to a
process), and all variants of a family take a round in turns. The figure is examples per CPU-second of
the process, pinned to one core: a busy machine blurs it least. Ratios are medians over rounds.
`_equal` shows that ours and torch do the same work; a row keeps the difference of their losses.

    python -m experiments.benchmarks.families                      # all, about an hour on a free core
    python -m experiments.benchmarks.families --only mlp,cnn       # these, again
    python -m experiments.benchmarks.families --resume             # those that have no row yet
    python -m experiments.benchmarks.families --quick              # two minutes, nothing is written
    python -m experiments.benchmarks.families --threads all        # wall clock, all cores, a quiet machine
    python -m experiments.benchmarks.families --page               # table and figure of docs/benchmarks.md

Writes experiments/benchmarks/results/families.json (or families-all.json), a row as soon as it is
measured. Needs the extra `oracles`, and takes Keras in where it is installed.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks._cases import CASES, QUICK, Case, case, variants
from experiments.benchmarks._command import need
from experiments.benchmarks._processes import ROOT, SILENT, ask, hear, started
from experiments.benchmarks._versions import installed
from jaxdl.errors import InputError, require_choice

HERE = Path(__file__).parent
# Pages that were used once are kept instead of given back.
TUNED = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=17179869184"
NAIVE = "naive flax"
# Cores that this process may use; macOS does not say.
CORES = sorted(getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0))
PEERS = ("torch", "keras")  # whose variants begin so
SLOW = 20.0  # seconds of a round, above which a variant has only one that counts
SAME = 5e-3  # relative difference of the losses above which both sides did not do the same work
Spent = dict[str, list[dict[str, float]]]  # by variant what each round took


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write; 1 if one of ours is slower than the naive loop, does not run, or does other work."""
    parser = argparse.ArgumentParser("python -m experiments.benchmarks.families", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--only", default="", help="families, separated by commas: " + ", ".join(CASES))
    parser.add_argument("--variants", default="", help="variants, separated by commas with + for ', '")
    parser.add_argument("--rounds", type=int, default=5, help="that are counted")
    parser.add_argument("--core", type=int, default=CORES[-1], help="to be pinned to")
    parser.add_argument("--threads", choices=("one", "all"), default="one", help="all: wall clock")
    parser.add_argument("--quick", action="store_true", help="fewer families and variants, no file")
    parser.add_argument("--resume", action="store_true", help="leave out what has a row")
    parser.add_argument("--page", action="store_true", help="measure nothing: draw the results")
    words = parser.parse_args(argv)
    if words.page:
        from experiments.benchmarks import _page

        return _page.write()
    try:
        return run(words)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run(words: argparse.Namespace) -> int:
    """Measure what was asked for.

    Raises:
      InputError: a family, variant or core that does not exist, or a peer that is not installed.
    """
    names = words.only.split(",") if words.only else [*(QUICK if words.quick else CASES)]
    for name in names:
        require_choice("--only", name, CASES)
    asked = [word.replace("+", ", ") for word in words.variants.split(",") if word]
    for variant in asked:
        known = {v for name in names for v in variants(case(name), int(words.threads == "one"), words.quick)}
        require_choice("--variants", variant, sorted(known))
    if not asked or any(variant.startswith("torch") for variant in asked):
        need("torch", "oracles")
    path = HERE / "results" / ("families.json" if words.threads == "one" else "families-all.json")
    rows = json.loads(path.read_text())["families"] if path.exists() else {}
    if words.threads == "one":
        require_choice("--core", str(words.core), [str(core) for core in CORES])
    core = -1 if words.threads == "all" else words.core
    wrong = []
    for name in names:
        if words.resume and name in rows:
            continue
        chosen = variants(case(name), 0 if core < 0 else 1, words.quick)
        if importlib.util.find_spec("keras") is None:
            chosen = [v for v in chosen if v != "keras"]
        if asked:
            chosen = [v for v in chosen if v in asked]
        row = measure(name, chosen, 1 if words.quick else words.rounds, core)
        row["difference"] = None if words.quick or words.variants else equal(name)
        print(f"{name}: {summary(row)}", flush=True)
        wrong += [f"{name}: {fault}" for fault in faults(row)]
        if not words.quick and not words.variants and whole(row):
            rows[name] = row | here()
            write(path, rows)
    for fault in wrong:
        print(fault)
    return 1 if wrong else 0


def faults(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row: a form of ours that is slower than the naive loop, say.

    >>> over = {"ours": {"ratio": 1.1}, "ours, 2 devices": {"ratio": 0.8}}
    >>> faults({"over_naive": over, "failed": {"torch": "does not run"}, "difference": 1e-7})
    ['ours, 2 devices: slower than the naive flax loop']
    """
    slower = [form for form, ratio in row["over_naive"].items() if ratio["ratio"] < 1]
    missing = [form for form in row["failed"] if form.startswith("ours") or form == NAIVE]
    return [
        *(f"{form}: slower than the naive flax loop" for form in slower),
        *(f"{form}: does not run" for form in missing),
        *([] if same(row) else [f"other work than torch's: the losses differ by {row['difference']}"]),
    ]


def same(row: Mapping[str, Any]) -> bool:
    """Whether ours and torch's did the same work, as far as it was compared."""
    return row["difference"] is None or row["difference"] <= SAME  # NaN is not


def whole(row: Mapping[str, Any]) -> bool:
    """Whether a row is worth keeping: nothing of it failed that the others are compared with."""
    return same(row) and {"ours", NAIVE} <= row["variants"].keys()


def equal(name: str) -> float:
    """The relative difference between our loss and torch's after the same step, in a process of its own.

    NaN if it cannot be found.
    """
    command = [sys.executable, "-m", "experiments.benchmarks._equal", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    return float(done.stdout) if done.returncode == 0 else float("nan")


def measure(name: str, chosen: Sequence[str], rounds: int, core: int, tiny: bool = False) -> dict[str, Any]:
    """A row: throughput, ratios, memory and time to the first step of every variant of a family."""
    found, key = case(name, tiny), "wall" if core < 0 else "cpu"
    spent: Spent = {}
    with contextlib.ExitStack() as stack:
        workers, failed = {}, {}
        for variant in chosen:
            try:
                workers[variant] = stack.enter_context(worker(name, variant, core, tiny))
            except SILENT:
                failed[variant] = "does not run"
        for round_ in range(rounds + 1):  # the first is not counted: caches are cold, and memory grows
            for variant, (process, _) in workers.items():
                before = spent.setdefault(variant, [])
                if round_ < 2 or before[0][key] < SLOW:
                    before.append(ask(process, found.steps))
        begun = {variant: first for variant, (_, first) in workers.items()}
    counted = {variant: [one[key] for one in each[1:]] for variant, each in spent.items()}
    examples = found.batch * found.steps * found.seeds
    table = {
        variant: {
            "examples_per_second": round(examples / statistics.median(seconds), 1),
            "peak_mb": spent[variant][-1]["peak_mb"],
            "first_step_cpu_s": begun[variant]["first_step_cpu"],
            "first_step_s": begun[variant]["first_step"],
            "parameters": begun[variant]["parameters"],
        }
        for variant, seconds in counted.items()
    }
    ours, naive = counted.get("ours", []), counted.get(NAIVE, [])
    tuned = counted.get("ours, tuned malloc")
    return {
        "variants": table,
        "failed": failed,
        "ratios": {
            v: spread(s, ours) for v, s in counted.items() if ours and v.startswith(PEERS) and "," not in v
        },
        "ratios_tuned_malloc": {
            v: spread(s, tuned) for v, s in counted.items() if tuned and v.startswith("torch") and "," in v
        },
        "over_naive": {v: spread(naive, s) for v, s in counted.items() if v.startswith("ours") and naive},
        "batch": found.batch,
        "steps": found.steps,
        "rounds": rounds,
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }


@contextlib.contextmanager
def worker(name: str, variant: str, core: int, tiny: bool) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A process that has taken its first step, and what it said then."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu"}
    env.pop("JAX_COMPILATION_CACHE_DIR", None)  # the first step is a cold one
    if core >= 0:
        env |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if variant.endswith("2 devices"):
        env["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    if variant.endswith("tuned malloc"):
        env["GLIBC_TUNABLES"] = TUNED
    start = time.time()
    with started([name, variant, "--core", str(core), *["--tiny"] * tiny], env) as process:
        first = hear(process)
        yield process, {**first, "first_step": round(first["ready"] - start, 2)}


def spread(slow: Sequence[float], fast: Sequence[float] | None) -> dict[str, float]:
    """How many times the second is faster, round by round: median and range."""
    ratios = sorted(a / b for a, b in zip(slow, fast or [], strict=False))  # a slow one has fewer rounds
    return {name: round(value, 3) for name, value in
            {"ratio": statistics.median(ratios), "min": ratios[0], "max": ratios[-1]}.items()}  # fmt: skip


def best(row: Mapping[str, Any], goal: str = "eager") -> tuple[str, float]:
    """The torch variant that ours has most trouble with, and the ratio against it.

    `goal` is "eager" for the layouts of eager torch, or "fused" and "compile" for these.

    >>> best({"ratios": {"torch": {"ratio": 2.0}, "torch channels_last": {"ratio": 1.5}}})
    ('torch channels_last', 1.5)
    """
    names = ("torch", "torch channels_last") if goal == "eager" else (f"torch {goal}",)
    found = {name: row["ratios"][name]["ratio"] for name in names if name in row["ratios"]}
    return min(found.items(), key=lambda pair: pair[1], default=("", float("nan")))


def summary(row: Mapping[str, Any]) -> str:
    """A line."""
    speeds = ", ".join(f"{v} {x['examples_per_second']:.4g}" for v, x in row["variants"].items())
    ratios = ", ".join(f"{v} {x['ratio']} [{x['min']}-{x['max']}]" for v, x in row["ratios"].items())
    return f"{speeds}; ours over {ratios or 'nobody'}"


def verdict(found: Case, row: Mapping[str, Any]) -> list[tuple[str, float, float, bool]]:
    """(against what, wanted, measured, holds) of every goal of a case."""
    goals = {**found.goals, **found.open_goals}
    ratios = {goal: best(row, goal)[1] for goal in goals}
    return [(goal, wanted, ratios[goal], ratios[goal] >= wanted) for goal, wanted in goals.items()]


def write(path: Path, rows: Mapping[str, Any]) -> None:
    """The rows in the order of the cases. The file has the versions and the device of its first row.

    A row that was measured elsewhere has its own, see `here`.
    """
    from jaxdl.run.config import write_json

    first = json.loads(path.read_text()) if path.exists() else here()
    content = {name: first[name] for name in ("versions", "device")}
    rows = {name: rows[name] for name in CASES if name in rows}
    content["families"] = {
        name: {key: value for key, value in row.items() if content.get(key) != value}
        for name, row in rows.items()
    }
    write_json(path, content)


def here() -> dict[str, Any]:
    """Versions, the peers' too, and device."""
    from jaxdl.run.config import environment

    found: dict[str, Any] = environment()
    return {**found, "versions": {**found["versions"], **installed(*PEERS)}}


if __name__ == "__main__":
    sys.exit(main())
