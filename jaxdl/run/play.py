"""Deep Q-learning in environments outside of JAX: any gymnasium environment with discrete actions.

The agent is the one that learns on the device; only the loop that acts is on the host.

    from jaxdl.learners.dqn import agent
    play(lambda: gymnasium.make("CartPole-v1"), agent(...), steps=50_000)

What the agent knows is saved as `fit` saves a run of one seed, its replay buffer too, but such an
environment cannot be: a resumed run goes on learning in new episodes, and so not with the same bits.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdl.envs import Transition, gymnasium
from jaxdl.envs.environment import check_actions
from jaxdl.errors import require, require_number
from jaxdl.learner import State
from jaxdl.run import log as logs
from jaxdl.run.checkpoint import Arrays, Checkpoints, flatten, require_seed, require_unused, unflatten
from jaxdl.run.folder import make as make_folder
from jaxdl.run.interrupt import Interrupted, Watch
from jaxdl.run.lock import held
from jaxdl.run.output import QUIET, Output
from jaxdl.run.trained import record

STATE = "state."  # before the path of every array of a state in a checkpoint


class Played(NamedTuple):
    """What came of playing."""

    state: State  # of the agent, after the last step
    returns: list[float]  # of the episodes that ended in this process, those of the warm-up too


def play(
    make: Callable[[], Any],
    agent: Any,
    *,
    steps: int,
    seed: int = 0,
    every: int = 1000,
    output: Output = QUIET,
) -> Played:
    """Act and learn for `steps` steps of all environments together, the warm-up included.

    Args:
      make: makes one gymnasium environment; it is called `agent.environments` times.
      agent: `jaxdl.learners.dqn.agent(...)`.
      steps: at least one round of the agent after its warm-up.
      seed: of the agent's key, and of the first resets.
      every: rounds between two checkpoints.
      output: the run folder and what is said. With the agent's network as its `model`, `jaxdl.run.load`
        gives that back. What only `fit` does (`observe`, `layers`, `doctor`, `devices`, `profile`) is
        not done here.

    Raises:
      InputError: an environment without discrete actions, a network for other actions, too few
        steps, a folder that holds another run, or nothing intact to resume from.
      FloatingPointError: the loss is not finite.
      Interrupted: SIGTERM or Ctrl-C, after saving.
    """
    for name, count in {"steps": steps, "every": every}.items():
        require_number(name, count, 1, whole=True, remedy="1000 is usual")
    require_number("seed", seed, 0, 2**32 - 1, whole=True, remedy="seeds wrap beyond that")
    n = agent.environments
    per_round = n * agent.rollout
    rounds = steps // per_round - agent.warmup
    least = per_round * (agent.warmup + 1)
    require(rounds >= 1, "steps", steps, f"at least {least}", "the warm-up is part of them")
    remedy = "lambda: gymnasium.make(name), for several environments are made"
    require(callable(make), "make", type(make).__name__, "a function that makes an environment", remedy)
    with contextlib.ExitStack() as stack:
        checkpoints, restored = None, None
        if output.folder is not None:
            make_folder(output.folder)
            stack.enter_context(held(output.folder))
            checkpoints = stack.enter_context(Checkpoints(output.folder / "checkpoints"))
            require_unused(output.folder, checkpoints.exist() and not output.resume)
            if checkpoints.exist():
                restored = checkpoints.restore(output.report)
                require_seed(seed, restored.host)
        done = restored.step if restored else 0
        least = per_round * (agent.warmup + done)
        require(done <= rounds, "steps", steps, f"at least the {least} that were done", "a run only grows")
        copies = stack.enter_context(Copies([make() for _ in range(n)], seed, done))
        start = jax.random.key(seed), copies.observation, None
        params = jax.eval_shape(agent.init, *start).net.params
        check_actions(agent.values, params, copies.observation, copies.actions)
        state = jax.jit(agent.init)(*start)
        remember = jax.jit(agent.remember, donate_argnums=0)
        for _ in range(agent.warmup):
            state = remember(state, _stack([copies.step(copies.random()) for _ in range(agent.rollout)]))
        if restored:
            # What is not complete yet is that of the episodes which have just begun. A copy: the
            # restored arrays may be NumPy's memory, which must not be donated.
            known = unflatten(state, _of_one_run(restored.arrays)).replace(recent=state.recent)
            state = jax.tree.map(jax.numpy.copy, known)
        draw = jax.jit(lambda state: agent.keys(state.key, state.step, 0))
        act, learn = jax.jit(agent.act), jax.jit(agent.learn, donate_argnums=0)
        record(output, "acting on the host")
        log = stack.enter_context(logs.Log(output.folder, done, output.logger))
        bar = stack.enter_context(
            logs.progress_bar(rounds * per_round, done * per_round, "steps", output.progress)
        )
        watch = stack.enter_context(Watch())
        for step in range(done + 1, rounds + 1):
            seen, (acting, learning) = [], draw(state)
            for i in range(agent.rollout):
                actions = np.asarray(act(state, copies.observation, np.int32(i), acting[i]))
                seen.append(copies.step(actions))
            state, measured = learn(state, _stack(seen), learning)
            if not np.isfinite(measured["loss"]):
                found = f"the loss at step {step} is {measured['loss']}"
                raise FloatingPointError(f"{found}; lower the learning rate")
            log.write("train", step, {**measured, **copies.recent()})
            bar.update(per_round)
            if step % every == 0 or step == rounds or watch.received is not None:
                log.flush()
                if checkpoints is not None:
                    checkpoints.save(step, _as_run(state), {"seed": int(seed)})
            if watch.received is not None:
                raise Interrupted(watch.received, step, checkpoints is not None)
    return Played(state, copies.returns)


class Copies:
    """Several copies of a gymnasium environment, each begun anew when its episode ends."""

    def __init__(self, copies: list[Any], seed: int, done: int = 0):
        shape, self.actions = gymnasium.spec(copies[0])
        self.copies, self.dtype = copies, shape.dtype
        # Other episodes than before in a run that is resumed, and than those of the next seed.
        seeds = np.random.SeedSequence([seed, done])
        self._random = np.random.default_rng(seeds)
        starts = seeds.generate_state(len(copies))
        self.observation = np.stack(
            [copy.reset(seed=int(start))[0] for copy, start in zip(copies, starts, strict=True)]
        )
        self.observation = self.observation.astype(self.dtype)
        self.returns: list[float] = []
        self._running = np.zeros(len(copies))

    def __enter__(self) -> "Copies":
        return self

    def __exit__(self, *_: object) -> None:
        for copy in self.copies:
            copy.close()

    def random(self) -> np.ndarray:
        """Any action for each environment."""
        return self._random.integers(self.actions, size=len(self.copies))

    def step(self, actions: np.ndarray) -> Transition:
        """One action int [environments] in each; a transition of arrays [environments, ...]."""
        before, last, following, numbers = self.observation, [], [], []
        for i, (copy, action) in enumerate(zip(self.copies, actions, strict=True)):
            observation, reward, terminated, truncated, _ = copy.step(int(action))
            self._running[i] += reward
            last.append(observation)
            numbers.append((reward, terminated, truncated))
            if terminated or truncated:
                self.returns.append(float(self._running[i]))
                self._running[i] = 0
                observation, _ = copy.reset()
            following.append(observation)
        self.observation = np.stack(following).astype(self.dtype)
        reward, terminated, truncated = zip(*numbers, strict=True)
        return Transition(
            before,
            actions.astype(np.int32),
            np.array(reward, np.float32),
            np.array(terminated),
            np.array(truncated),
            np.stack(last).astype(self.dtype),
        )

    def recent(self) -> dict[str, float]:
        """The mean return of the last 100 episodes, once there is one."""
        return {"return": float(np.mean(self.returns[-100:]))} if self.returns else {}


def _as_run(state: State) -> Arrays:
    """The arrays [1, ...] of a state, named as in a checkpoint of `fit`."""
    return {f"{STATE}{path}": array[None] for path, array in flatten(state).items()}


def _of_one_run(arrays: Arrays) -> Arrays:
    """The inverse of `_as_run`, named as `unflatten` takes it."""
    return {path.removeprefix(STATE): x[0] for path, x in arrays.items() if path.startswith(STATE)}


def _stack(transitions: list[Transition]) -> Transition:
    """Arrays [time, environments, ...]."""
    return jax.tree.map(lambda *each: np.stack(each), *transitions)
