"""Averaged parameters for evaluation, and steps that are refused when they are not finite."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import struct

from jaxdl.errors import require, require_choice, require_number
from jaxdl.learner import Batch, Key, Learner, Metrics, Params, State, Stats, lift


class EMAState(struct.PyTreeNode):
    """A state with the moving average of one of its nets."""

    state: Any  # the learner's own state
    average: Params  # exponential moving average of the parameters
    average_stats: Stats  # and of the running statistics, which fit no other parameters
    field: str = struct.field(pytree_node=False, default="net")  # which net of the state

    @property
    def step(self) -> jax.Array:
        """Updates done."""
        return self.state.step

    @property
    def key(self) -> Key:
        """The run's key."""
        return self.state.key

    def averaged(self) -> Any:
        """The learner's state with the averaged parameters: evaluate and sample with this one."""
        net = getattr(self.state, self.field).replace(params=self.average, stats=self.average_stats)
        return self.state.replace(**{self.field: net})


def ema(learner: Learner, decay: float, field: str = "net") -> Learner:
    """Keep an exponential moving average of one net, for evaluation: parameters and running statistics.

    Args:
      learner: any whose state holds a `Net` in `field`.
      decay: share of the old average that is kept each step, in [0, 1). The average starts at
        the initial parameters and follows faster at first, min(decay, (1 + t) / (10 + t)).
      field: name of the net in the state.

    Raises:
      InputError: decay outside [0, 1); in `init`, a state without that field, or of several runs; in
        `step`, a learner of several steps: average before `many_steps` and `over_seeds`.
    """
    require_number("decay", decay, 0, 1, open_high=True, remedy="0.999 averages about 1,000 steps")

    def learned(state: State) -> tuple[Params, Stats]:
        net = getattr(state, field)
        return net.params, net.stats

    def init(key: Key, batch: Batch) -> EMAState:
        state = learner.init(key, batch)
        _require_single("ema", state.step)
        require_choice("field", field, [f.name for f in dataclasses.fields(state)])
        # A copy: the same buffer twice in one state cannot be donated.
        params, stats = jax.tree.map(jnp.copy, learned(state))
        return EMAState(state, params, stats, field)

    def step(ema_state: EMAState, batch: Batch) -> tuple[EMAState, Metrics]:
        state, metrics = learner.step(ema_state.state, batch)
        _require_single("ema", metrics["loss"])
        rate = jnp.minimum(decay, (1 + state.step) / (10 + state.step))
        params, stats = jax.tree.map(
            lambda old, new: (rate * old + (1 - rate) * new).astype(old.dtype),
            (ema_state.average, ema_state.average_stats),
            learned(state),
        )
        return EMAState(state, params, stats, field), metrics

    inspect = lift(learner, lambda look: lambda state, batch: look(state.state, batch))
    return Learner(init, step, inspect, learner.resident)


def skip_nonfinite(learner: Learner) -> Learner:
    """Refuse a step whose loss or new state is not finite; `metrics["skipped"]` counts it as 1.

    Everything but `step` keeps its old value; `step` must move on, or the same batch would come
    back for ever. Apply it before `ema`, `many_steps` and `over_seeds`.

    Raises:
      InputError: in `step`, a learner of several steps or runs: one loss would decide for all.
    """

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        new, metrics = learner.step(state, batch)
        _require_single("skip_nonfinite", metrics["loss"])
        floats = [x for x in jax.tree.leaves(new) if jnp.issubdtype(x.dtype, jnp.floating)]
        finite = jnp.stack([jnp.isfinite(x).all() for x in (metrics["loss"], *floats)]).all()
        kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state).replace(step=new.step)
        return kept, {**metrics, "skipped": (~finite).astype(jnp.int32)}

    return learner._replace(step=step)


def _require_single(name: str, number: jax.Array) -> None:
    """Raise `InputError` unless a step, or a loss, is that of one run and one update."""
    expected = "a learner of one run, one update in a step"
    remedy = f"apply {name} before many_steps and over_seeds"
    require(number.ndim == 0, name, f"steps or losses {list(number.shape)}", expected, remedy)
