# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""Deep Q-learning on CartPole-v1 beside its peers: one seed, and the same greedy criterion for all.

Three comparisons in one run, in turns:

- ours as the experiment `dqn` has it, at 65,536 steps, with compilation and without, beside a
  loop as CleanRL's and a scan as PureJaxRL's at their own settings (500,000 steps). These ratios
  are engineering times tuning: fewer steps and smaller batches are enough.
- the same settings on both sides: ours at PureJaxRL's settings beside the scan, and beside the
  loop. These are engineering alone. (Ours lowers epsilon only after its first 10,000 random steps.)
- Stable-Baselines3 with the defaults of its documentation, where it is installed.

    python -m experiments.benchmarks.dqn

Prints seconds, the mean return of 100 greedy episodes and the ratios (above 1: ours is faster),
and writes experiments/benchmarks/results/dqn.json. Needs the extras `rl` and `oracles`.
"""

import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import _dqn
from experiments.benchmarks import _q_peers as peers
from experiments.benchmarks._command import need, without_options
from experiments.benchmarks._interleave import compiled as timed
from experiments.benchmarks._interleave import phases, ratio
from experiments.benchmarks._versions import installed
from jaxdl import envs, models
from jaxdl.learners import dqn
from jaxdl.run.chunks import compiler_options
from jaxdl.run.config import environment, write_json
from jaxdl.transforms import many_steps

ROUNDS = 3
STARTS = 7  # rounds of `starting`
BASELINES = "Stable-Baselines3 (its defaults)"
STEPS = {"ours": 65_536, BASELINES: peers.DOCUMENTED}  # of the environment; the others take as many as peers
CART = envs.make("CartPole-v1")
Train = Callable[[int], tuple[float, float, Any]]  # seed -> seconds to compile, seconds to run, policy


def main() -> None:
    """Measure all in turns and print the table."""
    need("gymnasium", "rl")
    need("torch", "oracles")
    ways: dict[str, Train] = {
        "ours": lambda seed: compiled(ours(), seed),
        "ours at the scan's settings": lambda seed: compiled(ours_as_scanned(), seed),
        "scan (PureJaxRL's settings)": compiled_scan,
        "loop (CleanRL's settings)": lambda seed: eager(peers.step_loop, seed),
    }
    import gymnasium  # noqa: F401  before any clock starts
    import torch  # noqa: F401

    if importlib.util.find_spec("stable_baselines3"):
        import stable_baselines3  # noqa: F401

        ways[BASELINES] = lambda seed: eager(lambda seed: peers.weights_of(peers.documented(seed)), seed)
    times: dict[str, list] = {name: [] for name in ways}
    scores: dict[str, list] = {name: [] for name in ways}
    for seed in range(ROUNDS):
        for name, way in ways.items():
            compiling, running, policy = way(seed)
            times[name].append((compiling, running))
            scores[name].append(round(judge(policy), 1))
            print(f"{name}, seed {seed}: {compiling:.2f} + {running:.2f} s, greedy {scores[name][-1]}")
    rows = {}
    for name, pairs in times.items():
        compiling, running = np.median(pairs, axis=0).round(3).tolist()
        steps = STEPS.get(name, peers.STEPS)
        rows[name] = {"steps": steps, "compile_s": compiling, "run_s": running, "greedy": scores[name]}
    both, run = ({name: [sum(p[i:]) for p in pairs] for name, pairs in times.items()} for i in (0, 1))
    loop, scan, same = (
        "loop (CleanRL's settings)",
        "scan (PureJaxRL's settings)",
        "ours at the scan's settings",
    )
    ratios = {
        "loop over ours, with compilation": ratio(both[loop], both["ours"]),
        "loop over ours, without": ratio(run[loop], run["ours"]),
        "scan over ours, with compilation": ratio(both[scan], both["ours"]),
        "scan over ours, without": ratio(run[scan], run["ours"]),
        "scan over ours, the same settings (engineering alone)": ratio(run[scan], run[same]),
        "loop over ours, the scan's settings, with compilation": ratio(both[loop], both[same]),
        "loop over ours, the scan's settings, without": ratio(run[loop], run[same]),
    }
    starts = starting()
    for name, row in {**rows, **ratios, **starts}.items():
        print(f"{name}: {row}")
    write_json(
        Path(__file__).parent / "results" / "dqn.json",
        {
            **environment(),
            "peers": installed("torch", "gymnasium", "stable_baselines3"),
            "rounds": ROUNDS,
            "systems": rows,
            "ratios": ratios,
            "starts": starts,
        },
    )


def starting() -> dict[str, dict[str, list[float]]]:
    """Seconds until one seed's whole training could run, the first time and from the cache.

    Ours and the scan in turns; by phase the median, least and most of the rounds, after one to warm up.
    """
    key = jax.random.key(0)
    ways = {
        "ours": lambda: phases(whole(ours()), key, options=compiler_options(None)),
        "scan (PureJaxRL's settings)": lambda: phases(peers.scanned, key),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for round_ in range(STARTS + 1):
        for name, way in ways.items():
            row = way()
            if round_:
                found[name].append(row)
    return {
        name: {
            phase: np.quantile([row[phase] for row in rows], [0.5, 0, 1]).round(3).tolist()
            for phase in rows[0]
        }
        for name, rows in found.items()
    }


def ours() -> tuple[Any, Any, int]:
    """The agent of the experiment, with half its steps."""
    config = _dqn.Config(steps=65_536)
    _, _, agent = _dqn.make(config)
    return dqn.learner(CART, agent), agent, _dqn.count(config)


def ours_as_scanned() -> tuple[Any, Any, int]:
    """Ours with the settings of `peers.scanned`: ten environments, an update each time they act."""
    n, first = 10, peers.START // 10
    agent = dqn.agent(
        models.QNetwork(2, peers.WIDTHS),
        optax.flatten(optax.adam(peers.RATE)),  # as in the experiment; the numbers are the same
        envs.uniform(peers.CAPACITY),
        environments=n,
        rollout=1,
        updates=1,
        batch_size=peers.BATCH,
        warmup=first,
        discount=peers.GAMMA,
        loss="squared",
        tau=1.0,
        target_every=peers.COPY // n,
        exploration=optax.linear_schedule(1.0, 0.05, peers.STEPS // 2),
    )
    return dqn.learner(CART, agent), agent, peers.STEPS // n - first


def compiled(parts: tuple[Any, Any, int], seed: int) -> tuple[float, float, Any]:
    """Compile as `fit` does, and run, a learner's whole training, from the key to the last update."""
    key = jax.random.key(seed)
    compiling, running, params = timed(whole(parts), key, options=compiler_options(None))
    return compiling, running, lambda observation: parts[1].values(params, observation, None)


def whole(parts: tuple[Any, Any, int]) -> Callable[[jax.Array], Any]:
    """A learner's whole training, key -> params."""
    learner, _, steps = parts
    training = many_steps(learner, steps)

    def train(key: jax.Array) -> Any:
        state, _ = training.step(learner.init(key, None), None)
        return state.net.params

    return train


def compiled_scan(seed: int) -> tuple[float, float, Any]:
    """The same for the scan."""
    compiling, running, weights = timed(peers.scanned, jax.random.key(seed))
    return compiling, running, _forward(weights)


def eager(train: Callable[[int], list], seed: int) -> tuple[float, float, Any]:
    """Run a training that is not compiled."""
    start = time.perf_counter()
    weights = train(seed)
    return 0.0, time.perf_counter() - start, _forward(weights)


def _forward(weights: list) -> Callable[[jax.Array], jax.Array]:
    """A network with ReLU from its kernels and biases in turns."""

    def values(x: jax.Array) -> jax.Array:
        for i in range(0, len(weights), 2):
            x = (jnp.maximum(x, 0) if i else x) @ weights[i] + weights[i + 1][None]
        return x

    return values


def judge(values: Callable[[jax.Array], jax.Array]) -> float:
    """Mean return of 100 greedy episodes."""

    def policy(observations: jax.Array) -> jax.Array:
        return values(observations).argmax(-1).astype(jnp.int32)

    play = jax.jit(lambda key: envs.episode_returns(CART, policy, key, 100).mean())
    return float(play(jax.random.key(12345)))


if __name__ == "__main__":
    without_options(main, __doc__)
