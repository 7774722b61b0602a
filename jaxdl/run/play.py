"""Deep Q-learning in environments outside of JAX: any gymnasium environment with discrete actions.

The agent is the one that learns on the device; only the loop that acts is on the host.

    from jaxdl.learners.dqn import agent
    play(lambda: gymnasium.make("CartPole-v1"), agent(...), steps=50_000)

What the agent knows is saved, its replay buffer too, but such an environment cannot be: a resumed
run goes on learning in new episodes, and so not with the same bits.
"""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdl.envs import Transition, gymnasium
from jaxdl.errors import require
from jaxdl.learner import State
from jaxdl.run import log as logs
from jaxdl.run.checkpoint import Checkpoints, unflatten
from jaxdl.run.interrupt import Interrupted, Watch
from jaxdl.run.output import QUIET, Output


class Played(NamedTuple):
    """What came of playing."""

    state: State  # of the agent, after the last step
    returns: list[float]  # of the episodes that ended, in their order


def play(make: Callable[[], Any], agent: Any, *, steps: int, seed: int = 0, output: Output = QUIET) -> Played:
    """Act and learn for `steps` steps of all environments together, the warm-up included.

    Args:
      make: makes one gymnasium environment; it is called `agent.environments` times.
      agent: `jaxdl.learners.dqn.agent(...)`.
      steps: at least one round of the agent after its warm-up.
      seed: of the agent's key, and of the first resets.
      output: the run folder and what is said.

    Raises:
      InputError: an environment without discrete actions, too few steps, or nothing intact to
        resume from.
      FloatingPointError: the loss is not finite.
      Interrupted: SIGTERM or Ctrl-C, after saving.
    """
    n = agent.environments
    rounds = steps // n - agent.warmup
    least = n * (agent.warmup + agent.rollout)
    require(rounds >= agent.rollout, "steps", steps, f"at least {least}", "the warm-up is part of them")
    copies = Copies([make() for _ in range(n)], seed)
    random = np.random.default_rng(seed)
    wander = [copies.step(random.integers(copies.actions, size=n)) for _ in range(agent.warmup)]
    state = jax.jit(agent.init)(jax.random.key(seed), _stack(wander), copies.observation, None)
    act, learn = jax.jit(agent.act), jax.jit(agent.learn)
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if output.folder is not None:
            output.folder.mkdir(parents=True, exist_ok=True)
            checkpoints = stack.enter_context(Checkpoints(output.folder / "checkpoints"))
            if output.resume and checkpoints.exist():
                state = unflatten(state, checkpoints.restore(output.report).arrays)
        done = int(state.step)
        log = stack.enter_context(logs.Log(output.folder, done, output.logger))
        per_round = n * agent.rollout
        total = rounds // agent.rollout
        bar = stack.enter_context(
            logs.progress_bar(total * per_round, done * per_round, "steps", output.progress)
        )
        watch = stack.enter_context(Watch())
        for step in range(done + 1, total + 1):
            seen = []
            for i in range(agent.rollout):
                actions = np.asarray(act(state, copies.observation, np.int32(i)))
                seen.append(copies.step(actions))
            state, measured = learn(state, _stack(seen))
            if not np.isfinite(measured["loss"]):
                raise FloatingPointError(
                    f"the loss at step {step} is {measured['loss']}; lower the learning rate"
                )
            row = {name: np.asarray(value) for name, value in measured.items()}
            log.write("train", step, row | copies.recent())
            bar.update(per_round)
            if watch.received is not None or step == total:
                log.flush()
                if checkpoints is not None:
                    checkpoints.save(step, state, {})
                if watch.received is not None:
                    raise Interrupted(watch.received, step, checkpoints is not None)
    return Played(state, copies.returns)


class Copies:
    """Several copies of a gymnasium environment, each begun anew when its episode ends."""

    def __init__(self, copies: list[Any], seed: int):
        shape, self.actions = gymnasium.spec(copies[0])
        self.copies, self.dtype = copies, shape.dtype
        self.observation = np.stack([copy.reset(seed=seed + i)[0] for i, copy in enumerate(copies)])
        self.observation = self.observation.astype(self.dtype)
        self.returns: list[float] = []
        self._running = np.zeros(len(copies))

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


def _stack(transitions: list[Transition]) -> Transition:
    """Arrays [time, environments, ...]."""
    return jax.tree.map(lambda *each: np.stack(each), *transitions)
