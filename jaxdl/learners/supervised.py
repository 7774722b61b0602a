"""Supervised learning: classification and regression from pairs of input and target.

A batch is `{"input": [batch, ...], "target": [batch, ...]}`. Images may be uint8 (0..255); they
become float32 in 0..1 here. The model is any flax module called as `model(input, train=...)`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxdl import losses, metrics
from jaxdl.errors import require_number
from jaxdl.learner import (
    AUGMENT,
    NOISE,
    Batch,
    Key,
    Learner,
    Metrics,
    TrainState,
    activation_norms,
    init_state,
    inspect_net,
    stream,
    unit_range,
    update_net,
)
from jaxdl.learners import checks

Augment = Callable[[Key, jax.Array], jax.Array]  # one example: (key, input) -> input


def learner(
    model: Any,
    optimizer: optax.GradientTransformation,
    *,
    loss: losses.ExampleLoss = losses.cross_entropy,
    l1: float = 0.0,
    l2: float = 0.0,
    augment: Augment | None = None,
    average: Callable[[Callable], Callable] = lambda gradients: gradients,
) -> Learner:
    """Minimise the mean loss over a batch plus the penalties of 003:282-296.

    Args:
      model: flax module; `model.apply(variables, input, train=True)` gives the predictions.
      optimizer: any optax transformation; schedules, clipping and weight decay go in there.
      loss: formula for one example, (prediction, target) -> scalar, such as
        `losses.cross_entropy`, `partial(losses.cross_entropy, label_smoothing=0.1)` or
        `losses.squared_error`.
      l1, l2: weights of the sums of |w| and of w^2 over the kernels.
      augment: random change of one input, (key, input) -> input, see `jaxdl.data.augment`.
      average: see `update_net`; only for a run under `pmap` or in fixed shards.

    Returns:
      A learner on `TrainState` whose metrics are `{"loss": []}`.

    Raises:
      InputError: l1 or l2 negative; in `init`, a batch without these names, and labels that
        `losses.cross_entropy` cannot count.

    >>> from jaxdl import models
    >>> batch = {"input": jnp.zeros((4, 8, 8, 1)), "target": jnp.array([0, 1, 2, 3])}
    >>> mlp = learner(models.MLP(), optax.adam(1e-3))
    >>> state = mlp.init(jax.random.key(0), batch)
    >>> state, measured = jax.jit(mlp.step)(state, batch)
    >>> int(state.step), measured["loss"].shape
    (1, ())
    """
    for name, weight in {"l1": l1, "l2": l2}.items():
        require_number(name, weight, 0, remedy="0 switches the penalty off")
    penalised = any(isinstance(weight, Tracer) or weight > 0 for weight in (l1, l2))

    def loss_fn(params, stats, batch: Batch, key: Key):
        predictions, updated = model.apply(
            {"params": params, **stats},
            batch["input"],
            train=True,
            rngs={"dropout": key},
            mutable=[*stats],
        )
        value = jax.vmap(loss)(predictions, batch["target"]).mean()
        if penalised:
            value += losses.penalty(params, l1, l2)
        return value, (dict(updated), {})

    def prepare(state: TrainState, batch: Batch) -> Batch:
        inputs = unit_range(batch["input"])
        if augment is not None:
            keys = jax.random.split(stream(state.key, AUGMENT, state.step), len(inputs))
            inputs = jax.vmap(augment)(keys, inputs)
        return {**batch, "input": inputs}

    def init(key: Key, batch: Batch) -> TrainState:
        checks.named(batch, "input", "target")
        state = init_state(model, optimizer, key, unit_range(batch["input"]))
        checks.labels(lambda: jax.eval_shape(predict(model), state, batch["input"]).shape, loss, batch)
        return state

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        noise = stream(state.key, NOISE, state.step)
        net, measured = update_net(
            loss_fn, optimizer, state.net, prepare(state, batch), noise, average=average
        )
        return state.replace(step=state.step + 1, net=net), measured

    def inspect(state: TrainState, batch: Batch) -> Metrics:
        noise = stream(state.key, NOISE, state.step)
        batch = prepare(state, batch)
        looked = inspect_net(loss_fn, optimizer, state.net, batch, noise)
        layers = activation_norms(model, state.net, batch["input"], noise)
        return looked | {f"activation/{name}": norm for name, norm in layers.items()}

    return Learner(init, step, inspect)


def predict(model: Any) -> Callable[[TrainState, jax.Array], jax.Array]:
    """The model as a pure function (state, input [batch, ...]) -> predictions [batch, ...]."""

    def apply(state: TrainState, inputs: jax.Array) -> jax.Array:
        return model.apply(state.net.variables, unit_range(inputs), train=False)

    return apply


def evaluate(
    model: Any, measures: Mapping[str, metrics.Measure] | None = None
) -> Callable[[TrainState, Batch], metrics.Sums]:
    """Sums of measures over a masked batch, as a pure function (state, batch) -> sums.

    Args:
      model: as for `learner`.
      measures: formulas for one example by name; loss and accuracy of a classifier by default.
        `{"loss": losses.squared_error}` for a regression.

    Returns:
      A function of a state and a batch (`"mask"` may be left out: then every row counts) to
      `{"count": [], name: sum}`. Add the sums of batches, then `metrics.mean`.
    """
    measures = measures or {"loss": losses.cross_entropy, "accuracy": metrics.accuracy}
    outputs = predict(model)

    def run(state: TrainState, batch: Batch) -> metrics.Sums:
        mask = batch.get("mask", jnp.ones(len(batch["target"]), jnp.float32))
        return metrics.sums(measures, outputs(state, batch["input"]), batch["target"], mask)

    return run
