"""A simple table learns what each action is worth in a small world (003:1669).

Reproduces: 003:1669 and 003:1685-1692, "choose an action without searching ahead", "a simple table" for Q.
Paper: Watkins, Dayan 1992, Q-learning; the world of Russell, Norvig, Artificial Intelligence, ch. 17.
Command: python -m experiments q_table
Expected: the table equals Q* by value iteration to 1e-3; where the walker slips, its best actions do.
Time: 0.5 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import numpy as np

from experiments import _film
from jaxdl import plots
from jaxdl.envs import gridworld, tables
from jaxdl.learners import q_table
from jaxdl.run import Output, Report, claim, fit
from jaxdl.run.folder import part

FILMED = 5000  # actions: later little changes
SETTLES = 2000  # steps after which a falling learning rate is half of what it was


@dataclasses.dataclass(frozen=True)
class Config:
    """One walker that never slips, and one that does."""

    steps: int = 400_000  # actions
    learning_rate: float = 0.5  # share of the difference that is learned; it falls for the second walker
    discount: float = 0.9  # gamma
    slip: float = 0.2  # probability that the second walker goes off at a right angle
    seeds: int = 3  # independent runs
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Learn from experience, compare with the exact solution, draw both."""
    claims, learned_tables, films = [], {}, {}
    walkers = {"never slips": (0.0, "firm"), f"slips at {config.slip:g}": (config.slip, "slips")}
    for name, (slip, folder) in walkers.items():
        environment = gridworld.environment(slip=slip, one_hot=False)
        exact = np.asarray(tables.optimal_q(environment.params, config.discount))
        learned = train(environment, len(exact), config, part(out, folder), falling=slip > 0)
        wrong = np.abs(learned - exact).max((1, 2))
        if slip == 0:
            claims.append(claim(f"{name}: largest |Q - Q*|", "003:1686-1687", "<= 1e-3", wrong))
        free = ~environment.params.terminal & (np.abs(exact).max(1) > 0)
        chosen = np.take_along_axis(exact[None], learned.argmax(-1)[..., None], axis=2)[..., 0]
        best = np.isclose(chosen, exact.max(1), atol=1e-6)[:, free].mean(1)
        claims.append(claim(f"{name}: share of states with the best action", "003:1685", "= 1 +- 0", best))
        learned_tables |= {f"{name}: learned": learned[0], f"{name}: exact": exact}
        films[name] = _film.Film(lambda states: states.params[0])
        first = dataclasses.replace(config, steps=min(config.steps, FILMED))
        train(environment, len(exact), first, films[name].output(out), falling=slip > 0)
    out.figure("policy", plots.policy_map(learned_tables, gridworld.GRID))
    looks = {name: film.looks() for name, film in films.items()}
    frames = ({f"{name}, actions: {step:,}": seen[step] for name, seen in looks.items()}
              for step in next(iter(looks.values())))  # fmt: skip
    _film.write(out, "training", (plots.policy_map(frame, gridworld.GRID, 1.0) for frame in frames))
    return Report(claims)


def train(environment: Any, states: int, config: Config, out: Output, falling: bool) -> np.ndarray:
    """The tables of `config.seeds` walkers that try actions at random, [seeds, states, actions]."""

    def falls(step: Any) -> Any:  # where chance decides, only an average over all that was tried settles
        return config.learning_rate / (1 + step / SETTLES)

    rate = falls if falling else config.learning_rate
    learner = q_table.learner(environment, states, learning_rate=rate, discount=config.discount)
    fitted = fit(
        learner,
        None,
        steps=config.steps,
        every=max(1, config.steps // 250) if out.observe else None,
        seed=config.seed,
        seeds=config.seeds,
        output=out,
    )
    return np.asarray(jax.device_get(fitted.state.params))
