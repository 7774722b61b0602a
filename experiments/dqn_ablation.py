"""What each option of deep Q-learning is worth: every one on and off, over seeds (003:1696-1702).

Reproduces: the deep Q-learning of 003:1696-1702 with the improvements that were found since.
Paper: Hessel et al. 2018, Rainbow: combining improvements in deep reinforcement learning.
Command: python -m experiments dqn_ablation [--seeds 16]
Expected: returns over several steps help (Hessel et al.: with prioritized replay, the most crucial).
Time: 4 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import numpy as np

from experiments import _dqn
from jaxdl import plots
from jaxdl.errors import require_choice
from jaxdl.run import Output, Report, claim
from jaxdl.run.folder import part

# What is changed of the agent in each run; the rest stays as in `Config`.
CHANGES: dict[str, dict[str, Any]] = {
    "one-step": {"n_step": 1},
    "no-double": {"double": False},
    "hard-target": {"tau": 1.0, "target_every": 200},
    "huber": {"loss": "huber"},
    "dueling": {"dueling": True},
    "prioritized": {"prioritized": True},
    "noisy": {"noisy": True},
    "c51": {"atoms": 51},
    "rainbow": {"dueling": True, "prioritized": True, "noisy": True, "atoms": 51},
}


@dataclasses.dataclass(frozen=True)
class Config(_dqn.Config):
    """The agent of `dqn` with half of its steps, so that there is something to gain."""

    steps: int = 65_536  # of the environment, all its copies together
    checks: int = 4  # times that they are judged on the way
    seeds: int = 8  # independent runs
    changes: tuple[str, ...] = tuple(CHANGES)  # names of what is changed, each in runs of its own


def run(config: Config, out: Output) -> Report:
    """Train every variant, compare their greedy returns."""
    for name in config.changes:
        require_choice("--changes", name, CHANGES)
    last = {}
    for name in dict.fromkeys(("base", *config.changes)):
        changed = dataclasses.replace(config, **CHANGES.get(name, {}))
        _, fitted = _dqn.train(changed, part(out, name, None))
        last[name] = _dqn.greedy(fitted)[1][-1]
    claims = []
    if "one-step" in last:
        text = "mean return with 8-step returns less that with one-step returns"
        claims.append(claim(text, "Hessel et al. 2018", "> 0", last["base"] - last["one-step"]))
    what = f"mean return of {config.episodes} greedy episodes, {config.env}"
    out.figure("options", plots.strips(last, what))
    facts = {
        name: {"mean": _round(x.mean()), "lowest": _round(x.min()), "highest": _round(x.max())}
        for name, x in last.items()
    }
    return Report(claims, {"greedy_return": facts})


def _round(value: np.floating) -> float:
    return round(float(value), 1)
