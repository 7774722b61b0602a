"""A convolutional Q-network plays Breakout from its images (003:1696-1702).

Reproduces: 003:1696-1702, deep Q-learning with images, in MinAtar's small form of the game.
Paper: Young, Tian 2019, MinAtar: an Atari-inspired testbed for thorough and reproducible RL.
Command: python -m experiments minatar
Expected: a return above 10 after 1,000,000 steps, sticky actions 0.1 (no published table to match).
Time: 10 minutes on 2 CPU cores

MinAtar's own schedule at a fifth of its 5,000,000 frames, but with Adam and a falling rate instead of
its RMSprop (about 25 minutes a seed, not run): --loss huber --environments 1 --rollout 1 --updates 1
--batch-size 32 --capacity 100000 --warmup 5000 --n-step 1
--no-double --tau 1 --target-every 1000 --learning-rate 2.5e-4 --epsilon 0.1 --exploration 0.1
"""

import dataclasses

import jax
import numpy as np

from experiments import _dqn
from jaxdl import envs, plots
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config(_dqn.Config):
    """The network of MinAtar with double Q, 3-step returns and sixteen games at once."""

    env: str = "Breakout"  # a name in jaxdl.envs.ENVIRONMENTS
    steps: int = 1_000_000  # of the environment, all its copies together
    updates: int = 16  # gradient steps in a block: one for 8 steps of the environment
    capacity: int = 98_304  # transitions in the replay buffer
    features: tuple[int, ...] = (16,)  # filters of levels of convolution
    widths: tuple[int, ...] = (128,)  # units of the hidden layers
    batch_size: int = 32  # transitions per gradient step
    n_step: int = 3  # rewards that are summed before the target network is asked
    tau: float = 0.005  # share that the target network moves
    learning_rate: float = 1e-3  # of Adam; it decays linearly to a fiftieth
    epsilon: float = 0.05  # share of random actions in the end, from 1
    exploration: float = 0.2  # share of the steps until then
    checks: int = 20  # times that they are judged on the way
    seeds: int = 3  # independent runs


def run(config: Config, out: Output) -> Report:
    """Train, judge the greedy policy, draw its curve and one game of each seed."""
    agent, fitted = _dqn.train(config, out, loop="map")
    steps, returns = _dqn.greedy(fitted)
    text = f"mean return of {config.episodes} greedy games (1,000 steps at most) after {config.steps:,} steps"
    gained = f"{text}, less the untrained network's"
    claims = [
        claim(text, "003:1696-1702", "> 10", returns[-1]),
        claim(gained, "003:1696-1702", "> 0", returns[-1] - returns[0]),
    ]
    out.figure("returns", _dqn.curves({f"mean and range of {config.seeds} seeds": fitted}, config))
    environment = envs.make(config.env)
    frames = _dqn.film(environment, agent, jax.device_get(fitted.state), config.env)
    if frames is not None and out.folder is not None:
        plots.animation(out.folder / "figures" / "games.gif", frames, columns=3, milliseconds=80)
    curve = {"rounds": steps.tolist(), "mean": np.round(returns.mean(1), 2).tolist()}
    facts = {"greedy_returns": np.round(returns[-1], 2).tolist(), "curve": curve}
    return Report(claims, facts | {"training_seconds": round(fitted.seconds, 1)})
