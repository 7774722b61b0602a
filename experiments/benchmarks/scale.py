"""How gently does the cost grow, with depth, data, devices and hosts?

    python -m experiments.benchmarks.scale

1. A network of 64 blocks compiles to the program of one of 4 (`models.Residual`).
2. An epoch over 50 times the data needs no more temporary memory.
3. What 1, 8, 64 and 256 devices compute and send each other in a step, counted in the programs, which
   are compiled ahead of time for virtual devices and never run; and what that would take: a model.
4. How often to save when hosts fail: measured costs, closed form and simulated failures.

1 to 3 are gates on what the compiled programs say of themselves, not on the clock. Prints tables, writes
experiments/benchmarks/results/scale.json, docs/scaling.png and docs/goodput.png. About 6 minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks import _failures, _hlo, _spread
from jaxdl import models, plots
from jaxdl.data import order
from jaxdl.learners import supervised
from jaxdl.run.checkpoint import Checkpoints
from jaxdl.run.config import environment, write_json
from jaxdl.transforms import many_steps, resident

ROOT = Path(__file__).parents[2]
DEVICES = (1, 8, 64, 256)
DEPTHS = (4, 64)
TIMES_THE_DATA = 50
HOST = 1000 * 3600.0  # seconds between two failures of a host, assumed; Llama 3's was 6 times as long
LAUNCHER = 30.0  # seconds until a launcher has started all processes again, assumed
DETECT = {"heartbeat of 10 s": 10.0, "heartbeat as JAX has it": 93.0}  # seconds, measured with 2 processes
LARGE = {"save": 30.0, "write": 60.0}  # seconds, an assumed state of many gigabytes
FAILURES = 4000


def main(words: Sequence[str] | None = None) -> None:
    """Measure, write, draw, and fail if a gate does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--programs", type=int, help=argparse.SUPPRESS)  # a process of its own
    if devices := parser.parse_args(words).programs:
        print(json.dumps(_spread.programs(devices)))
        return
    jax.config.update("jax_compilation_cache_dir", None)  # compile times are shown
    content: dict[str, Any] = {**environment(), "depth": depth(), "data": data()}
    content["programs"] = {str(n): spread(n) for n in DEVICES}
    content["model"] = _spread.model(content["programs"])
    content["failures"] = failures(saving(), starting())
    content["gates"] = gates(content)
    write_json(Path(__file__).parent / "results" / "scale.json", content)
    draw_scaling(content["model"])
    draw_goodput(content["failures"])
    print(json.dumps(content, indent=2))
    broken = [name for name, gate in content["gates"].items() if not gate["holds"]]
    assert not broken, broken


def depth() -> dict[str, Any]:
    """The size of the program by depth, with the seconds to trace and to compile it."""
    batch = {"input": jnp.zeros((128, 28, 28, 1)), "target": jnp.zeros(128, jnp.int32)}
    found = {}
    for blocks in DEPTHS:
        learner = supervised.learner(models.Residual(depth=blocks), optax.adam(1e-3))
        state = jax.eval_shape(learner.init, jax.random.key(0), batch)
        begin = time.perf_counter()
        lowered = jax.jit(learner.step).lower(state, batch)
        traced = time.perf_counter()
        compiled = lowered.compile()
        end = time.perf_counter()
        text = str(compiled.as_text())
        found[str(blocks)] = {
            "instructions": _hlo.instructions(text),
            "characters": len(text),
            "trace_seconds": round(traced - begin, 3),
            "compile_seconds": round(end - traced, 3),
        }
    return found


def data() -> dict[str, Any]:
    """Bytes of temporary memory of 20 steps over data on the device, by the number of rows."""
    rows = 4096
    found: dict[str, Any] = {}
    for name, net in {"MLP": models.MLP(), "CNN with batch norm": models.CNN(batch_norm=True)}.items():
        learner = many_steps(resident(supervised.learner(net, optax.adam(1e-3)), 128, order.rows), 20)
        found[name] = {}
        for n in (rows, TIMES_THE_DATA * rows):
            pixels = jax.ShapeDtypeStruct((n, 28, 28, 1), jnp.uint8)
            batch = {"input": pixels, "target": jax.ShapeDtypeStruct((n,), jnp.int32)}
            state = jax.eval_shape(learner.init, jax.random.key(0), batch)
            memory: Any = jax.jit(learner.step).lower(state, batch).compile().memory_analysis()
            found[name][str(n)] = memory.temp_size_in_bytes
    return found


def spread(devices: int) -> dict[str, Any]:
    """The programs for so many devices, compiled in a process that has them."""
    command = [sys.executable, "-m", "experiments.benchmarks.scale", "--programs", str(devices)]
    flags = f"--xla_force_host_platform_device_count={devices}"
    given = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    said = subprocess.run(command, env=given, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def saving() -> dict[str, float]:
    """Seconds that a checkpoint of the CNN keeps the training waiting, and until it is written."""
    learner = supervised.learner(models.CNN(batch_norm=True), optax.adam(1e-3))
    batch = {"input": jnp.zeros((8, 28, 28, 1)), "target": jnp.zeros(8, jnp.int32)}
    state = jax.jit(learner.init)(jax.random.key(0), batch)
    waits, writes = [], []
    with tempfile.TemporaryDirectory() as folder, Checkpoints(Path(folder)) as checkpoints:
        for step in range(6):
            begin = time.perf_counter()
            checkpoints.save(step, state, {})
            waits.append(time.perf_counter() - begin)
            while checkpoints.saving():
                time.sleep(1e-3)
            writes.append(time.perf_counter() - begin - waits[-1])
    # The first save also imports and compiles.
    size = sum(x.nbytes for x in jax.tree.leaves(state.net))
    return {"bytes": size, "save": float(np.median(waits[1:])), "write": float(np.median(writes[1:]))}


START = """
import jax, jax.numpy as jnp, optax, sys
jax.config.update("jax_compilation_cache_dir", sys.argv[1])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
from jaxdl import models
from jaxdl.learners import supervised
learner = supervised.learner(models.CNN(batch_norm=True), optax.adam(1e-3))
batch = {"input": jnp.zeros((128, 28, 28, 1)), "target": jnp.zeros(128, jnp.int32)}
state = jax.jit(learner.init)(jax.random.key(0), batch)
jax.block_until_ready(jax.jit(learner.step)(state, batch))
"""


def starting() -> dict[str, float]:
    """Seconds from the start of a process to the end of its first step of the CNN."""
    seconds = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", START, cache], cwd=ROOT, check=True)
            seconds.append(time.perf_counter() - begin)
    return {"compiles": seconds[0], "from_the_cache": seconds[1]}


def failures(saved: dict[str, float], started: dict[str, float]) -> dict[str, Any]:
    """Goodput at the best interval, by costs, detection and hosts: closed form and simulated."""
    found: dict[str, Any] = {"host_seconds": HOST, "launcher_seconds": LAUNCHER, "large": LARGE}
    found |= {"saving": saved, "starting": started, "goodput": []}
    states = {"measured, CNN": {k: saved[k] for k in ("save", "write")}, "large": LARGE}
    restart = LAUNCHER + started["from_the_cache"]
    for state, save in states.items():
        for detection, detect in DETECT.items():
            costs = _failures.Costs(**save, detect=detect, restart=restart)
            for hosts in DEVICES:
                best = _failures.interval(costs.save, HOST / hosts)
                row: dict[str, Any] = {"state": state, "detection": detection, "hosts": hosts}
                row |= {"interval": best, "closed_form": _failures.expected(best, HOST / hosts, costs)}
                row["simulated"] = _failures.simulate(best, hosts, HOST, costs, FAILURES)
                row["simulated, every hour"] = _failures.simulate(3600.0, hosts, HOST, costs, FAILURES)
                found["goodput"].append(row)
    return found


def gates(content: dict[str, Any]) -> dict[str, Any]:
    """What has to hold, with the figures."""
    shallow, deep = (content["depth"][str(n)] for n in DEPTHS)
    kinds = ("instructions", "characters")
    found = {f"{kind} at depth 64 / 4": (deep[kind] / shallow[kind], 1.3) for kind in kinds}
    for name, sizes in content["data"].items():
        few, many = sizes.values()
        found[f"temporary bytes of {name}, {TIMES_THE_DATA} times the data"] = (many / few, 1.1)
    sizes = _spread.parameter_bytes()
    for n, programs in content["programs"].items():
        for name, program in programs.items():
            sent = sum(size for _, size in program["collectives"].values())
            bound = 0.0 if "seeds" in name or n == "1" else 1.1
            # Batch norm and the loss add a few numbers to the gradients.
            found[f"bytes sent / parameters: {name}, {n} devices"] = (
                sent / sizes[name.split(", ")[0]],
                bound,
            )
    return {
        name: {"measured": round(value, 4), "at_most": bound, "holds": value <= bound}
        for name, (value, bound) in found.items()
    }


def draw_scaling(model: dict[str, Any]) -> None:
    """Times faster than one device, by the number of devices."""
    figure, axes = plots.subplots(1, len(model), (4.4 * len(model), 3.8))
    for axis, (machine, found) in zip(axes[0], model.items(), strict=True):
        axis.plot(DEVICES, DEVICES, color="gray", lw=0.8, label="ideal")
        for i, (name, faster) in enumerate(found["times_faster"].items()):
            style, mark = ("--", "o") if "in all" in name else (":", "s") if "seeds" in name else ("-", "o")
            label = name.replace("rows in all", f"{_spread.BATCH} rows").replace("of each", "per")
            colour = plots.nth_colour(i // 2)
            axis.plot(DEVICES, faster.values(), style, marker=mark, ms=4, color=colour, label=label)
        axis.set(title=machine, xlabel="devices", xscale="log", yscale="log", ylim=(0.01, 400))
        axis.set_xticks(DEVICES, DEVICES)
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("times faster than one device (a model)")
    axes[0, 0].legend(frameon=False, fontsize=7, loc="lower left")
    plots.save(figure, ROOT / "docs" / "scaling.png")


def draw_goodput(found: dict[str, Any]) -> None:
    """The share of the time that failures and checkpoints cost, by the interval."""
    restart = LAUNCHER + found["starting"]["from_the_cache"]
    figure, axes = plots.subplots(1, 2, (9.5, 3.8))
    every = np.geomspace(1, 2e4, 61)
    states = {"CNN, as measured": found["saving"], "a large state, assumed": LARGE}
    for axis, (title, cost) in zip(axes[0], states.items(), strict=True):
        costs = _failures.Costs(cost["save"], cost["write"], DETECT["heartbeat of 10 s"], restart)
        for i, hosts in enumerate(DEVICES):
            mean, style = HOST / hosts, ("-", "--", "-.", ":")[i]
            lost = [1 - _failures.expected(seconds, mean, costs) for seconds in every]
            axis.plot(every, lost, style, color=plots.nth_colour(i), label=f"{hosts} host{'s' * (hosts > 1)}")
            dots = [1 - _failures.simulate(s, hosts, HOST, costs, FAILURES) for s in every[::10]]
            axis.plot(every[::10], dots, "o", ms=3, color=plots.nth_colour(i))
            best = _failures.interval(costs.save, mean)
            axis.plot(best, 1 - _failures.expected(best, mean, costs), "*", ms=11, color=plots.nth_colour(i))
        axis.set(
            title=title, xlabel="seconds between checkpoints", xscale="log", yscale="log", ylim=(1e-5, 1)
        )
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("share of the time that is lost")
    axes[0, 0].legend(frameon=False, fontsize=8, title="lines: closed form, dots: simulated\n"
                      "stars: the best interval, to first order", title_fontsize=7)  # fmt: skip
    plots.save(figure, ROOT / "docs" / "goodput.png")


if __name__ == "__main__":
    main()
