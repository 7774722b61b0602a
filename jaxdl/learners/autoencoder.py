"""Auto-encoders: learn to give the input back (003:1072-1185), also from a damaged one.

A batch is `{"input": [batch, ...]}`; whatever else is in it is left alone. The model has the
methods `encode` and `decode`, like `jaxdl.models.Autoencoder`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxdl import losses, metrics
from jaxdl.errors import require_number
from jaxdl.learner import (
    AUGMENT,
    EVALUATE,
    NOISE,
    Batch,
    Key,
    Learner,
    Metrics,
    TrainState,
    init_state,
    inspect_net,
    stream,
    unit_range,
    update_net,
)
from jaxdl.learners import checks

Augment = Callable[[Key, jax.Array], jax.Array]  # one example: (key, input) -> input
ACTIVE = 0.001  # a unit of the code is active above this


def learner(
    model: Any,
    optimizer: optax.GradientTransformation,
    *,
    noise: float = 0.0,
    sparsity: float = 0.0,
    loss: losses.ExampleLoss = losses.squared_error,
    augment: Augment | None = None,
    average: Callable[[Callable], Callable] = lambda gradients: gradients,
) -> Learner:
    """Minimise L(x, decode(encode(x + noise))) + sparsity * sum_i |code_i| (003:1143).

    Args:
      model: flax module with the methods `encode` and `decode`.
      optimizer: any optax transformation.
      noise: standard deviation of the Gaussian noise on the input of a denoising auto-encoder
        (003:1084; Vincent et al., 2008); drawn anew at each step, and not clipped.
      sparsity: weight of the L1 norm of the code's activations.
      loss: formula for one example, (reconstruction, input) -> scalar.
      augment: random change of one clean input, (key, input) -> input.
      average: see `update_net`; only for a run under `pmap` or in fixed shards.

    Returns:
      A learner on `TrainState` whose metrics are `{"loss": [], "error": [], "active": []}`: the
      whole loss, the mean squared error of a number of the output, and the active units of the
      code per example.

    Raises:
      InputError: noise or sparsity negative.

    >>> from jaxdl import models
    >>> batch = {"input": jnp.ones((4, 8, 8, 1))}
    >>> denoising = learner(models.Autoencoder((8, 8, 1)), optax.adam(1e-3), noise=0.3)
    >>> state = denoising.init(jax.random.key(0), batch)
    >>> state, measured = jax.jit(denoising.step)(state, batch)
    >>> sorted(measured)
    ['active', 'error', 'loss']
    """
    for name, value in {"noise": noise, "sparsity": sparsity}.items():
        require_number(name, value, 0, remedy="0 switches it off")
    noisy = isinstance(noise, Tracer) or noise > 0

    def loss_fn(params, stats, batch: Batch):
        code, output = reconstruct(model, params, batch["noisy"])
        distance = jax.vmap(loss)(output, batch["input"])
        value = (distance + sparsity * jnp.abs(code).sum(-1)).mean()
        measured = {"error": jnp.square(output - batch["input"]).mean(), "active": active(code).mean()}
        return value, (stats, measured)

    def prepare(state: TrainState, batch: Batch) -> Batch:
        clean = unit_range(batch["input"])
        if augment is not None:
            keys = jax.random.split(stream(state.key, AUGMENT, state.step), len(clean))
            clean = jax.vmap(augment)(keys, clean)
        corrupted = corrupt(stream(state.key, NOISE, state.step), clean, noise) if noisy else clean
        return {"input": clean, "noisy": corrupted}

    def init(key: Key, batch: Batch) -> TrainState:
        checks.named(batch, "input")
        return init_state(model, optimizer, key, unit_range(batch["input"]))

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        net, measured = update_net(loss_fn, optimizer, state.net, prepare(state, batch), average=average)
        return state.replace(step=state.step + 1, net=net), measured

    def inspect(state: TrainState, batch: Batch) -> Metrics:
        return inspect_net(loss_fn, optimizer, state.net, prepare(state, batch))

    return Learner(init, step, inspect)


def evaluate(model: Any, noise: float = 0.0) -> Callable[[TrainState, Batch], metrics.Sums]:
    """Sums over a masked batch, (state, batch) -> `{"count", "error", "active"}`, as in `learner`.

    Args:
      model: as for `learner`.
      noise: standard deviation on the inputs. A batch may bring `"noisy"` inputs of its own, so
        that several models are judged on the same ones; else they are drawn from the run's key.

    Raises:
      InputError: noise negative.
    """
    require_number("noise", noise, 0, remedy="0 switches it off")

    def run(state: TrainState, batch: Batch) -> metrics.Sums:
        clean = unit_range(batch["input"])
        mask = batch.get("mask", jnp.ones(len(clean), jnp.float32))
        noisy = batch.get("noisy")
        if noisy is None:
            noisy = corrupt(stream(state.key, EVALUATE, 0), clean, noise)
        code, output = reconstruct(model, state.net.params, noisy)
        error = jnp.square(output - clean).mean(range(1, clean.ndim))
        measured = {"error": error, "active": active(code)}
        return {"count": mask.sum()} | {
            name: jnp.where(mask > 0, values * mask, 0).sum() for name, values in measured.items()
        }

    return run


def reconstruct(model: Any, params: Any, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The code [batch, code] of inputs [batch, ...], and what the decoder makes of it."""
    code = model.apply({"params": params}, inputs, method="encode")
    return code, model.apply({"params": params}, code, method="decode")


def corrupt(key: Key, inputs: jax.Array, noise: float | jax.Array) -> jax.Array:
    """Inputs plus Gaussian noise of standard deviation `noise`, not clipped."""
    return inputs + noise * jax.random.normal(key, inputs.shape, inputs.dtype)


def active(code: jax.Array) -> jax.Array:
    """How many units of each code [batch, code] are above `ACTIVE` (003:1169), float [batch].

    Counted per example: a unit that is silent for most inputs is what sparsity means.
    """
    return (code > ACTIVE).sum(-1).astype(jnp.float32)
