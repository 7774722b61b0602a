"""A deep Q-network balances a pole: it learns what each action is worth by trying (003:1657-1702).

Reproduces: 003:1657-1702, "choose an action without searching ahead", with a deep network for Q.
Paper: Mnih et al. 2015, Human-level control through deep reinforcement learning.
Command: python -m experiments dqn [--env Acrobot-v1] [--steps 65000 --seeds 64]
Expected: greedy mean return >= 475 within 130,000 steps for all 16 seeds (65,000 steps: 58 of 64).
Time: 1 minute on 2 CPU cores
"""

import dataclasses

import numpy as np

from experiments import _dqn
from jaxdl import plots
from jaxdl.run import Output, Report, claim

FEW = 65_536  # steps; with these not every seed is asked to get there


@dataclasses.dataclass(frozen=True)
class Config(_dqn.Config):
    """Deep Q-learning with double Q, 8-step returns and a small, recent replay buffer."""


def run(config: Config, out: Output) -> Report:
    """Train, judge the greedy policy, draw its curve and an episode of each of the first seeds."""
    agent, fitted = _dqn.train(config, out)
    _, returns = _dqn.greedy(fitted)
    last = returns[-1]
    solved = _dqn.SOLVED.get(config.env)
    claims = []
    if solved is not None:
        share = 58 / 64 if config.steps <= FEW else 1
        text = f"share of the seeds with a greedy mean return >= {solved} over {config.episodes} episodes"
        claims.append(claim(text, "003:1657-1702", f">= {share:g}", np.mean(last >= solved)))
    text = f"greedy mean return less the untrained network's, {config.env}"
    claims.append(claim(text, "003:1657-1702", "> 0", last - returns[0]))
    out.figure("returns", _dqn.curves({f"mean and range of {config.seeds} seeds": fitted}, config))
    environment, _, _ = _dqn.make(config)
    frames = _dqn.film(environment, agent, fitted.state, config.env)
    if frames is not None and out.folder is not None:
        plots.animation(out.folder / "figures" / "episodes.gif", frames, columns=4, milliseconds=60)
    facts = {
        "environment_steps": config.environments * config.rollout * (agent.warmup + _dqn.count(config)),
        **({} if solved is None else {"solved": f"{np.sum(last >= solved)} of {config.seeds}"}),
        "greedy_returns": [round(float(x), 2) for x in last],
        "parameters": fitted.parameters,
        "training_seconds": round(fitted.seconds, 2),
        "seconds_to_first_chunk": round(fitted.seconds_to_first_chunk, 2),
    }
    return Report(claims, facts)
