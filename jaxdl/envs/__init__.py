"""Environments in pure JAX, by name; one episode is two pure functions, and `vmap` makes many."""

from collections.abc import Callable
from functools import partial

from jaxdl.envs import (
    acrobot,
    breakout,
    cartpole,
    catch,
    chain,
    gridworld,
    gymnasium,
    mountain_car,
    probes,
    tables,
)
from jaxdl.envs.environment import Environment, auto_reset, sticky_actions
from jaxdl.envs.episodes import episode_returns
from jaxdl.envs.prioritized import prioritized
from jaxdl.envs.probes import PROBES, Probe
from jaxdl.envs.replay import Replay, uniform
from jaxdl.envs.transition import Transition
from jaxdl.errors import require_choice

ENVIRONMENTS: dict[str, Callable[[], Environment]] = {
    "CartPole-v1": cartpole.environment,
    "MountainCar-v0": mountain_car.environment,
    "Acrobot-v1": acrobot.environment,
    "Catch": catch.environment,
    "GridWorld": gridworld.environment,
    "Chain": chain.environment,
    "Breakout": lambda: sticky_actions(breakout.environment()),
    **{f"Probe-{name}": partial(getattr, probe, "environment") for name, probe in PROBES.items()},
}


def make(name: str) -> Environment:
    """The environment of that name, with its defaults; for others call `environment` in its file.

    Raises:
      InputError: not one of `ENVIRONMENTS`.

    >>> make("CartPole")
    Traceback (most recent call last):
    jaxdl.errors.InputError: env: got 'CartPole', expected ...; did you mean 'CartPole-v1'?
    """
    require_choice("env", name, ENVIRONMENTS)
    return ENVIRONMENTS[name]()


__all__ = [
    "ENVIRONMENTS",
    "PROBES",
    "Environment",
    "Probe",
    "Replay",
    "Transition",
    "acrobot",
    "auto_reset",
    "breakout",
    "cartpole",
    "catch",
    "chain",
    "episode_returns",
    "gridworld",
    "gymnasium",
    "make",
    "mountain_car",
    "prioritized",
    "probes",
    "sticky_actions",
    "tables",
    "uniform",
]
