"""What the deep Q-learning scripts are made of: their options, training, curves, and a film."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import envs, models, plots
from jaxdl.errors import require
from jaxdl.learners import dqn
from jaxdl.learners.q_checks import warmup_steps
from jaxdl.run import Fitted, Output, fit
from jaxdl.transforms import Loop, each_seed

# What brings the numbers that are observed to about one, and the mean return that counts as
# solved (gymnasium's reward thresholds).
SCALES = {"CartPole-v1": (0.5, 0.5, 5.0, 0.5), "MountainCar-v0": (1.0, 15.0)}
# What the returns lie between with a discount of 0.99; C51 learns nothing of those outside, so with
# another discount give --lowest and --highest.
SUPPORTS = {
    "CartPole-v1": (0.0, 100.0),
    "MountainCar-v0": (-100.0, 0.0),
    "Acrobot-v1": (-100.0, 0.0),
    "Catch": (-1.0, 1.0),
    "GridWorld": (-4.0, 1.0),
    "Breakout": (0.0, 20.0),
}
SOLVED = {"CartPole-v1": 475, "Acrobot-v1": -100, "MountainCar-v0": -110, "Catch": 0.99}
DRAWN = {"CartPole-v1": plots.cart_pole, "Acrobot-v1": plots.acrobot}


@dataclasses.dataclass(frozen=True)
class Config:
    """One agent in several copies of an environment."""

    env: str = "CartPole-v1"  # a name in jaxdl.envs.ENVIRONMENTS
    steps: int = 129_024  # of the environment, all its copies together
    environments: int = 16  # copies that are acted in side by side
    rollout: int = 8  # actions in each copy between two blocks of updates
    updates: int = 8  # gradient steps in a block
    batch_size: int = 64  # transitions per gradient step
    warmup: int = 64  # random actions in each copy beforehand
    capacity: int = 16_384  # transitions in the replay buffer
    prioritized: bool = False  # replay what was learned worst (Schaul et al. 2016)
    widths: tuple[int, ...] = (64, 64)  # units of the hidden layers
    features: tuple[int, ...] = ()  # filters of levels of convolution before them
    dueling: bool = False  # value and advantage apart (Wang et al. 2016)
    noisy: bool = False  # noise in the weights instead of epsilon (Fortunato et al. 2018)
    atoms: int = 1  # above 1: the distribution of the return (Bellemare et al. 2017)
    lowest: float | None = None  # return of the first atom; None: what the environment allows
    highest: float | None = None  # return of the last atom; None: what the environment allows
    double: bool = True  # one network chooses, the other values (van Hasselt et al. 2016)
    n_step: int = 8  # rewards that are summed before the target network is asked
    loss: str = "squared"  # or huber
    discount: float = 0.99  # gamma
    tau: float = 0.05  # share that the target network moves
    target_every: int = 1  # gradient steps between two such moves
    learning_rate: float = 2e-3  # of Adam; it decays linearly to a fiftieth
    epsilon: float = 0.15  # share of random actions in the end, from 1
    exploration: float = 0.3  # share of the steps until then
    episodes: int = 100  # greedy ones that are judged
    checks: int = 8  # times that they are judged on the way
    seeds: int = 16  # independent runs
    seed: int = 0  # of the first run


def make(config: Any) -> tuple[envs.Environment, Any, dqn.Agent]:
    """Environment, network and agent of a config."""
    environment = envs.make(config.env)
    network = models.QNetwork(
        environment.actions,
        config.widths,
        config.features,
        config.dueling,
        config.atoms,
        config.noisy,
        SCALES.get(config.env),
    )
    replay = envs.prioritized if config.prioritized else envs.uniform
    rounds = count(config)
    schedule = optax.linear_schedule(
        config.learning_rate, config.learning_rate / 50, max(1, rounds * config.updates)
    )
    few = max(1, round(config.exploration * config.steps))
    agent = dqn.agent(
        network,
        optax.flatten(optax.adam(schedule)),  # all layers in one update: less to compile
        replay(config.capacity),
        environments=config.environments,
        rollout=config.rollout,
        updates=config.updates,
        batch_size=config.batch_size,
        warmup=config.warmup,
        discount=config.discount,
        n_step=config.n_step,
        double=config.double,
        loss=config.loss,
        support=_support(config) if config.atoms > 1 else None,
        tau=config.tau,
        target_every=config.target_every,
        exploration=0.0 if config.noisy else optax.linear_schedule(1.0, config.epsilon, few),
    )
    return environment, network, agent


def _support(config: Any) -> tuple[float, float]:
    """Lowest and highest return of C51."""
    ends = {}
    for name, known in zip(("lowest", "highest"), SUPPORTS.get(config.env, (None, None)), strict=True):
        given = getattr(config, name)
        ends[name] = known if given is None else given
        remedy = f"only those of {', '.join(SUPPORTS)} are known"
        require(ends[name] is not None, f"--{name}", given, f"a return of {config.env}", remedy)
    return ends["lowest"], ends["highest"]


def count(config: Any) -> int:
    """Steps of the learner, at least one: the warm-up is part of the environment's steps."""
    each = config.environments * config.rollout
    return max(1, (config.steps - warm(config)) // each)


def warm(config: Any) -> int:
    """Steps of the environment before the learner's first."""
    sizes = config.environments, config.rollout, config.batch_size, config.n_step
    return config.environments * config.rollout * warmup_steps(config.warmup, *sizes)[1]


def train(config: Any, out: Output, loop: Loop = "vmap") -> tuple[dqn.Agent, Fitted]:
    """Train `config.seeds` agents, judging the greedy policy on the way."""
    environment, network, agent = make(config)
    judge = jax.jit(each_seed(dqn.evaluate(environment, agent, config.episodes, LIMIT), loop))
    rounds = count(config)

    def observe(step: int, state: Any) -> dict[str, np.ndarray]:
        return {"greedy": np.asarray(judge(state)).mean(1)}

    fitted = fit(
        dqn.learner(environment, agent),
        None,
        steps=rounds,
        batch_size=config.environments * config.rollout,
        seed=config.seed,
        seeds=config.seeds,
        loop=loop,
        every=-(-rounds // config.checks),
        output=dataclasses.replace(out, model=network, observe=observe),
    )
    return agent, fitted


LIMIT = 1000  # steps after which a greedy episode without a time limit is stopped


def greedy(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Steps of the learner [times], and the mean greedy return then [times, seeds]."""
    rows = [row for row in fitted.rows if row["kind"] == "observed"]
    return np.array([row["step"] for row in rows]), np.array([row["greedy"] for row in rows])


def curves(runs: dict[str, Fitted], config: Any) -> Any:
    """The figure of greedy returns against the environment's steps, with their spread over seeds."""
    each = config.environments * config.rollout
    lines = {}
    for name, fitted in runs.items():
        steps, values = greedy(fitted)
        lines[name] = warm(config) + steps * each, values
    title = f"{config.env}: mean return of {config.episodes} greedy episodes"
    return plots.series({title: lines}, "steps of the environment")


FILMED = 500  # steps of a film at most, CartPole's time limit
SHOWN = 16  # seeds in a film at most


def film(environment: envs.Environment, agent: dqn.Agent, states: Any, name: str) -> np.ndarray | None:
    """One greedy episode of each of the first seeds as images, uint8 [time, seeds, height, width, channels].

    One that is over stands still until the last one is, or `FILMED` steps are. None where nobody
    drew the environment and what it observes is no image.
    """
    states = jax.tree.map(lambda x: x[:SHOWN], states)
    observations, over = map(np.asarray, _watch(environment, agent, states))
    observations = observations[: 1 + np.count_nonzero(~over.all(1))]
    if name in DRAWN:
        return DRAWN[name](observations[::3])
    if len(environment.observation.shape) == 3:
        shades = np.linspace(255, 90, observations.shape[-1])  # a grey for each channel
        image = (observations * shades).max(-1, keepdims=True).astype(np.uint8)
        return image.repeat(12, 2).repeat(12, 3)
    return None


def _watch(environment: envs.Environment, agent: dqn.Agent, states: Any) -> tuple[jax.Array, jax.Array]:
    """What the greedy policy sees from one start for all, [time, seeds, ...], and whether it is over."""
    keys = jax.random.split(jax.random.key(1), FILMED)

    def episode(state: Any) -> tuple[jax.Array, jax.Array]:
        observation, env_state = environment.reset(jax.random.key(0), environment.params)

        def move(carry: tuple, key: jax.Array) -> tuple[tuple, tuple[jax.Array, jax.Array]]:
            env_state, observation, over = carry
            action = agent.values(state.net.params, observation[None], None)[0].argmax().astype(jnp.int32)
            after, moved, _, *ends = environment.step(key, env_state, action, environment.params)
            kept = jax.tree.map(partial(jnp.where, over), (env_state, observation), (moved, after))
            return (*kept, over | ends[0] | ends[1]), (observation, over)

        return jax.lax.scan(move, (env_state, observation, jnp.bool_(False)), keys)[1]

    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), jax.jit(jax.vmap(episode))(states))
