"""Rows of the GPU benchmark that train: many seeds in one program, MNIST to an accuracy, deep Q-learning."""

import dataclasses
import math
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import _classification, _dqn, cnn
from experiments.benchmarks import _ours
from experiments.benchmarks._cases import GPU_STEPS, Case, case
from experiments.benchmarks._gpu_families import ROUND, ROUNDS
from experiments.benchmarks._gpu_parts import TARGETS
from experiments.benchmarks._interleave import compiled
from jaxdl import data, models
from jaxdl.learners import dqn
from jaxdl.run.output import QUIET
from jaxdl.transforms import each_seed, many_steps, over_seeds

SMALL = {"features": (8, 16), "hidden": 64}  # of the CNN of which 1,024 fit beside each other
# Passes over the training rows, of which the one-cycle schedule makes use: few get to 99 %, not further.
EPOCHS = {"99": 3, "99.4": 10}
MNIST_SEEDS = 5
TINY = cnn.Config(epochs=4, features=(8, 8), hidden=32, degrees=0.0, scale=0.0, translate=0.0, dropout=0.0)
STEPS = 65_536  # of the environment, a seed of deep Q-learning


def seeds(row: str, tiny: bool) -> dict[str, Any]:
    """Examples per second of a number of seeds in one program, as `fit` dispatches them."""
    name, count = row.split()
    found = case(name, tiny)._replace(seeds=int(count))
    if not tiny:
        found = found._replace(steps=GPU_STEPS, sizes=SMALL if name == "cnn" else found.sizes)
    start = time.perf_counter()
    way = _ours.way(found, "ours")
    way.run(1)
    first = time.perf_counter() - start
    each = _rounds(way, found, tiny)
    return {
        "examples_per_second": round(found.batch * found.seeds / statistics.median(each), 1),
        "lowest": round(found.batch * found.seeds / max(each), 1),
        "first_step_s": round(first, 2),
        "parameters": way.parameters,
        "batch": found.batch,
        "sizes": found.sizes,
    }


def _rounds(way: _ours.Way, found: Case, tiny: bool) -> list[float]:
    """Seconds per step in each round."""

    def seconds(steps: int) -> float:
        start = time.perf_counter()
        way.run(steps)
        return (time.perf_counter() - start) / steps

    seconds(found.steps)  # memory grows
    turns = 1 if tiny else max(1, math.ceil(ROUND / (found.steps * seconds(found.steps))))
    return [seconds(turns * found.steps) for _ in range(1 if tiny else ROUNDS)]


class Reached(Exception):
    """The accuracy that was asked for, and with it the end of a training."""


def mnist(row: str, tiny: bool, data_dir: Path | None) -> dict[str, Any]:
    """Seconds until the test accuracy, taken after each epoch, is that of the row; seed after seed.

    The experiment `cnn` with its settings for MNIST, except for the number of epochs, through `fit`. The
    clock begins with `fit`: compilation, evaluations and the way of the data to the device are in it.
    """
    target, precision = row.split()
    dataset = data.load("digits") if tiny else data.load("mnist", data_dir)
    goal = 0.2 if tiny else TARGETS[target]
    preset = TINY if tiny else dataclasses.replace(cnn.PRESETS["mnist"], epochs=EPOCHS[target])
    config = dataclasses.replace(preset, seeds=1, precision=precision)
    clock = Clock()
    runs = [
        _until(goal, dataset, dataclasses.replace(config, seed=seed), clock)
        for seed in range(2 if tiny else MNIST_SEEDS)
    ]
    reached = [run for run in runs if run["accuracy"] >= goal]
    mean = {
        name: round(statistics.mean(run[name] for run in reached), 3) if reached else None
        for name in ("seconds", "compile_seconds", "without_compile", "epochs")
    }
    return {**mean, "reached": len(reached), "of": len(runs), "runs": runs, "target": goal}


def _until(goal: float, dataset: data.Dataset, config: Any, clock: "Clock") -> dict[str, Any]:
    """One training, and what it took to the goal or to its end."""
    model = models.CNN(
        config.features,
        config.hidden,
        dataset.classes,
        kernel_size=config.kernel_size,
        dropout=config.dropout,
        batch_norm=config.batch_norm,
    )
    seen: list[float] = []

    def look(measured: dict[str, Any]) -> None:
        if measured["kind"] == "validation":
            seen.append(float(measured["accuracy"][0]))
            if seen[-1] >= goal:
                raise Reached

    jax.clear_caches()  # every seed compiles as the first does
    clock.begin()
    try:
        judged = dataset._replace(validation=dataset.test)
        _classification.train(model, judged, config, dataclasses.replace(QUIET, logger=look))
    except Reached:
        pass
    whole, compiling = clock.read()
    return {
        "seconds": round(whole, 3),
        "compile_seconds": round(compiling, 3),
        "without_compile": round(whole - compiling, 3),
        "epochs": len(seen),
        "accuracy": round(seen[-1], 4),
    }


class Clock:
    """Seconds in all, and those in which JAX traced, lowered or compiled something.

    JAX says how long each of these took as it ends; one inside of another is not counted twice.
    """

    def __init__(self) -> None:
        self.start, self.spans = 0.0, []
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            end = time.perf_counter()
            self.spans.append((end - duration_secs, end))

    def begin(self) -> None:
        """From now."""
        self.spans.clear()
        self.start = time.perf_counter()

    def read(self) -> tuple[float, float]:
        """Both until now."""
        return time.perf_counter() - self.start, union(self.spans)


def union(spans: list[tuple[float, float]]) -> float:
    """The length of what the spans cover.

    >>> union([(3.0, 4.0), (0.0, 2.0), (1.0, 1.5)])
    3.0
    """
    covered, until = 0.0, -math.inf
    for begin, end in sorted(spans):
        covered += max(0.0, end - max(begin, until))
        until = max(until, end)
    return covered


def q_learning(row: str, tiny: bool) -> dict[str, Any]:
    """Many seeds of the experiment `dqn` at 65,536 steps, from the keys to the last update in one program."""
    count = int(row)
    config = _dqn.Config(steps=2048 if tiny else STEPS, seeds=count, episodes=2 if tiny else 100)
    environment, _, agent = _dqn.make(config)
    updates = _dqn.count(config)
    every = over_seeds(many_steps(dqn.learner(environment, agent), updates), count, "vmap")

    def train(keys: jax.Array) -> Any:
        return every.step(every.init(keys, None), None)[0]

    keys = jax.vmap(jax.random.key)(np.arange(count, dtype=np.uint32))
    compiling, running, states = compiled(train, keys)
    judge = jax.jit(each_seed(dqn.evaluate(environment, agent, config.episodes, _dqn.LIMIT), "vmap"))
    returns = np.asarray(judge(states)).mean(1)
    steps = _dqn.warm(config) + updates * config.rollout * config.environments
    solved = _dqn.SOLVED[config.env]
    return {
        "compile_s": round(compiling, 2),
        "run_s": round(running, 3),
        "environment_steps": steps,
        "steps_per_second": round(count * steps / running),
        "solved": round(float((returns >= solved).mean()), 4),
        "mean_return": round(float(returns.mean()), 1),
        "threshold": solved,
    }
