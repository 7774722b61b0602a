"""Learning from sequences: many-to-one (a value, a class) and many-to-many (a language model).

A batch is `{"input": [batch, time, ...], "target": [batch, ...]}`, many-to-many
`"target": [batch, time, ...]`. It may hold `"length"`, int [batch], the steps of a row that count
from the first, and `"start"`, bool [batch], True for a row that does not continue the one before.
The model is called as `model(input, carry, length, train=...)` and returns predictions, [batch,
outputs] or [batch, time, outputs], and the carry after the last step, as
`jaxdl.models.RecurrentNet` does; a carry of None stands for zeros.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxdl import losses, metrics
from jaxdl.errors import require, require_number
from jaxdl.learner import (
    NOISE,
    Batch,
    Key,
    Learner,
    Metrics,
    Net,
    init_state,
    inspect_net,
    stream,
    update_net,
)
from jaxdl.learners import checks


class SequenceState(struct.PyTreeNode):
    """State of a network that may read on where it stopped."""

    step: jax.Array  # int32 [], updates done
    key: jax.Array  # typed key [], the run's key, constant
    net: Net
    carry: Any  # the model's state after the last batch, [batch, features] each; () if not carried


def _alone(gradients: Callable) -> Callable:
    return gradients


def learner(
    model: Any,
    optimizer: optax.GradientTransformation,
    *,
    loss: losses.ExampleLoss = losses.cross_entropy,
    carried: bool = False,
    average: Callable[[Callable], Callable] = _alone,
) -> Learner:
    """Minimise the mean loss over all steps that count, or over all rows if there is one output each.

    Args:
      model: flax module, see the head of this file.
      optimizer: any optax transformation. Long sequences want their gradients clipped first:
        `optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-3))` (Pascanu et al., 2013).
      loss: formula for one prediction, (prediction, target) -> scalar.
      carried: truncated back-propagation (Williams and Peng, 1990): row i of a batch continues
        row i of the batch before, unless its `"start"` is True; gradients do not go back that
        far. See `jaxdl.data.text.windows`.
      average: see `update_net`; only for a run under `pmap`, whose devices count alike however
        long their rows are.

    Returns:
      A learner on `SequenceState` whose metrics are `{"loss": []}`.

    Raises:
      InputError: `carried` with `average`: the carry of a device would be lost in the mean; in
        `init`, tokens that the vocabulary lacks, or lengths that are not in 1..time.

    >>> from jaxdl import models
    >>> batch = {"input": jnp.zeros((4, 7), jnp.int32), "target": jnp.ones((4, 7), jnp.int32)}
    >>> net = models.RecurrentNet(features=8, outputs=3, vocabulary=3)
    >>> reader = learner(net, optax.adam(1e-2), carried=True)
    >>> state, measured = jax.jit(reader.step)(reader.init(jax.random.key(0), batch), batch)
    >>> int(state.step), measured["loss"].shape, state.carry[0][0].shape
    (1, (), (4, 8))
    """
    remedy = "use over_devices, which needs no average"
    require(not carried or average is _alone, "carried", carried, "False under pmap", remedy)

    def loss_fn(params, stats, batch: Batch, key: Key):
        carry = batch.get("carry")
        if carry is not None and "start" in batch:
            carry = jax.tree.map(lambda x: jnp.where(batch["start"][:, None], 0, x), carry)
        (predictions, carry), updated = model.apply(
            {"params": params, **stats},
            batch["input"],
            carry,
            batch.get("length"),
            train=True,
            rngs={"dropout": key},
            mutable=[*stats],
        )
        predictions, targets, mask = _steps(predictions, batch)
        values = jax.vmap(loss)(predictions, targets)
        mean = jnp.where(mask > 0, values * mask, 0).sum() / mask.sum()
        return mean, (dict(updated), {"carry": carry} if carried else {})

    def join(state: SequenceState, batch: Batch) -> Batch:
        return {**batch, "carry": state.carry} if carried else batch

    def init(key: Key, batch: Batch) -> SequenceState:
        checks.named(batch, "input", "target")
        checks.sequences(model, batch)
        first = init_state(model, optimizer, key, batch["input"])
        outputs, carry = jax.eval_shape(model.apply, first.net.variables, batch["input"])
        checks.labels(lambda: outputs.shape, loss, batch)
        zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), carry) if carried else ()
        return SequenceState(first.step, first.key, first.net, zeros)

    def step(state: SequenceState, batch: Batch) -> tuple[SequenceState, Metrics]:
        noise = stream(state.key, NOISE, state.step)
        net, measured = update_net(loss_fn, optimizer, state.net, join(state, batch), noise, average=average)
        carry = measured.pop("carry", ())
        return SequenceState(state.step + 1, state.key, net, carry), measured

    def inspect(state: SequenceState, batch: Batch) -> Metrics:
        noise = stream(state.key, NOISE, state.step)
        return inspect_net(loss_fn, optimizer, state.net, join(state, batch), noise)

    return Learner(init, step, inspect)


def bits(logits: jax.Array, label: jax.Array) -> jax.Array:
    """`losses.cross_entropy` in bits instead of nats.

    >>> print(bits(jnp.zeros(4), jnp.array(1)))
    2.0
    """
    return losses.cross_entropy(logits, label) / jnp.log(2.0)


def evaluate(
    model: Any, measures: Mapping[str, metrics.Measure] | None = None
) -> Callable[[SequenceState, Batch], metrics.Sums]:
    """Sums of measures over all steps that count, as a pure function (state, batch) -> sums.

    Every row is read from a zero state: for a language model, rows should be long.

    Args:
      model: as for `learner`.
      measures: formulas for one prediction by name; by default the loss in nats and in bits per
        token, `{"loss": losses.cross_entropy, "bits": bits}`.

    Returns:
      A function of a state and a batch to `{"count": [], name: sum}`, the count that of steps if
      there is a prediction for each. A row with `"mask"` 0 does not count.
    """
    measures = measures or {"loss": losses.cross_entropy, "bits": bits}
    outputs = predict(model)

    def run(state: SequenceState, batch: Batch) -> metrics.Sums:
        predictions = outputs(state, batch["input"], batch.get("length"))
        return metrics.sums(measures, *_steps(predictions, batch))

    return run


def predict(model: Any) -> Callable[..., jax.Array]:
    """The model as a pure function (state, input, length=None) -> predictions, from a zero state."""

    def apply(state: SequenceState, inputs: jax.Array, length: jax.Array | None = None) -> jax.Array:
        return model.apply(state.net.variables, inputs, None, length)[0]

    return apply


def sample(model: Any, length: int) -> Callable[..., jax.Array]:
    """Make up what follows, one token at a time, each drawn from what the model predicts.

    Args:
      model: many-to-many, from tokens to logits.
      length: tokens to draw.

    Returns:
      A pure function (state, key, prompt int [batch, time], temperature) -> int [batch, length].
      The logits are divided by the temperature: 1 draws from the model's own distribution, less
      prefers what is likely.

    Raises:
      InputError: length < 1; a temperature that is not > 0, a prompt without a token, or, where it is
        known, with one that the vocabulary lacks.
    """
    require_number("length", length, 1, whole=True, remedy="it counts tokens; use 2000")

    def draw(
        state: SequenceState, key: Key, prompt: jax.Array, temperature: jax.Array | float = 1.0
    ) -> jax.Array:
        require_number(
            "temperature", temperature, 0, open_low=True, remedy="small ones take what is likeliest"
        )
        some = prompt.ndim == 2 and prompt.shape[1] >= 1
        require(some, "prompt", prompt.shape, "tokens [batch, time >= 1]", "begin with one token")
        checks.sequences(model, {"input": prompt})
        variables = state.net.variables
        logits, carry = model.apply(variables, prompt)

        def step(before: tuple[jax.Array, Any], key: Key) -> tuple[tuple[jax.Array, Any], jax.Array]:
            logits, carry = before
            token = jax.random.categorical(key, logits / temperature).astype(prompt.dtype)
            logits, carry = model.apply(variables, token[:, None], carry)
            return (logits[:, -1], carry), token

        _, tokens = jax.lax.scan(step, (logits[:, -1], carry), jax.random.split(key, length))
        return tokens.T

    return draw


def _steps(predictions: jax.Array, batch: Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Predictions, targets and what counts (1.0 or 0.0), by row, or by step if there is one for each.

    A target that does not count is 0: NaN times a gradient of zero would be NaN.
    """
    targets, rows = batch["target"], len(predictions)
    mask = batch.get("mask", jnp.ones(rows, jnp.float32))
    if predictions.ndim == 2:
        return predictions, _where_counted(mask, targets), mask
    steps = predictions.shape[1]
    mask = jnp.repeat(mask[:, None], steps, axis=1)
    if "length" in batch:
        mask = mask * (jnp.arange(steps)[None] < batch["length"][:, None])
    merged = rows * steps
    return (
        predictions.reshape(merged, -1),
        _where_counted(mask, targets).reshape(merged, *targets.shape[2:]),
        mask.reshape(merged),
    )


def _where_counted(mask: jax.Array, targets: jax.Array) -> jax.Array:
    return jnp.where(mask.reshape(mask.shape + (1,) * (targets.ndim - mask.ndim)) > 0, targets, 0)
