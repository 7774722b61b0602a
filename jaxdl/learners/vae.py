"""Variational auto-encoders: learn a distribution p(x) through a latent z (Kingma, Welling, 2014).

A batch is `{"input": [batch, ...]}`; whatever else is in it is left alone. The model has the
methods `encode`, inputs -> mean and log variance of q(z|x), and `decode`, z -> p(x|z), like
`jaxdl.models.VAE`. All numbers are nats per example.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.core import Tracer

from jaxdl import losses, metrics
from jaxdl.errors import require, require_choice, require_number
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
OBJECTIVES = ("elbo", "iwae")


def learner(
    model: Any,
    optimizer: optax.GradientTransformation,
    *,
    objective: str = "elbo",
    samples: int = 1,
    beta: float = 1.0,
    free_bits: float = 0.0,
    augment: Augment | None = None,
    average: Callable[[Callable], Callable] = lambda gradients: gradients,
) -> Learner:
    """Maximise a lower bound of log p(x), by gradients through z = mean + deviation * noise.

    - "elbo": E_q[log p(x|z)] - beta * KL(q(z|x) || p(z)), the divergence in closed form.
    - "iwae": log of the mean over k samples of p(x, z) / q(z|x), tighter the larger k is (Burda,
      Grosse, Salakhutdinov, 2015); with k = 1 it is the ELBO with a sampled divergence.

    Args:
      model: flax module with the methods `encode` and `decode`.
      optimizer: any optax transformation.
      objective: one of `OBJECTIVES`.
      samples: of z for each input, k.
      beta: weight of the divergence; above 1 it asks for independent latent numbers (Higgins et
        al., 2017). Another value than 1 is no bound.
      free_bits: nats of each latent number's divergence, in the mean over the batch, that cost
        nothing more than a smaller divergence would (Kingma et al., 2016).
      augment: random change of one input, such as `binarize`.
      average: see `update_net`. Under `pmap` every device draws the same noise for its rows, and
        free bits are counted by device.

    Returns:
      A learner on `TrainState` whose metrics are `{"loss": []}`, minus the objective.

    Raises:
      InputError: an unknown objective, samples < 1, a negative beta or free_bits, or either of
        them with "iwae", which has no divergence to weigh; in `init`, inputs outside of 0..1 for
        a Bernoulli likelihood.

    >>> from jaxdl import models
    >>> batch = {"input": jnp.ones((4, 8, 8, 1))}
    >>> vae = learner(models.VAE((8, 8, 1)), optax.adam(1e-3))
    >>> state = vae.init(jax.random.key(0), batch)
    >>> state, measured = jax.jit(vae.step)(state, batch)
    >>> int(state.step), measured["loss"].shape
    (1, ())
    """
    require_choice("objective", objective, OBJECTIVES)
    require_number("samples", samples, 1, whole=True, remedy="1 is the usual choice for the ELBO")
    require_number("beta", beta, 0, remedy="1 gives the bound")
    require_number("free_bits", free_bits, 0, remedy="0 switches it off")
    traced = any(isinstance(number, Tracer) for number in (beta, free_bits))
    plain = not traced and beta == 1 and free_bits == 0
    remedy = "they belong to the ELBO"
    require(objective == "elbo" or plain, "beta, free_bits", (beta, free_bits), "1 and 0 with 'iwae'", remedy)

    def loss_fn(params, stats, batch: Batch):
        drawn = draw(model, params, batch["input"], jnp.moveaxis(batch["noise"], 1, 0))
        if objective == "iwae":
            bound = (jax.nn.logsumexp(drawn.log_weight, axis=0) - jnp.log(samples)).mean()
        else:
            divergence = jnp.maximum(drawn.kl.mean(0), free_bits).sum()
            bound = drawn.log_likelihood.mean() - beta * divergence
        return -bound, (stats, {})

    def prepare(state: TrainState, batch: Batch) -> Batch:
        x = unit_range(batch["input"])
        if augment is not None:
            keys = jax.random.split(stream(state.key, AUGMENT, state.step), len(x))
            x = jax.vmap(augment)(keys, x)
        # The noise goes with its row, so that rows that are shared out take theirs along.
        noise = jax.random.normal(stream(state.key, NOISE, state.step), (len(x), samples, model.latent))
        return {"input": x, "noise": noise}

    def init(key: Key, batch: Batch) -> TrainState:
        checks.named(batch, "input")
        checks.probabilities(model, batch)
        return init_state(model, optimizer, key, unit_range(batch["input"]))

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        net, measured = update_net(loss_fn, optimizer, state.net, prepare(state, batch), average=average)
        return state.replace(step=state.step + 1, net=net), measured

    def inspect(state: TrainState, batch: Batch) -> Metrics:
        return inspect_net(loss_fn, optimizer, state.net, prepare(state, batch))

    return Learner(init, step, inspect)


class Draw(NamedTuple):
    """What k samples of z say about a batch of inputs."""

    log_likelihood: jax.Array  # log p(x|z), [samples, batch]
    log_weight: jax.Array  # log p(x, z) - log q(z|x), [samples, batch]
    kl: jax.Array  # KL(q(z|x) || p(z)) in closed form, by latent number, [batch, latent]


def draw(model: Any, params: Any, x: jax.Array, noise: jax.Array) -> Draw:
    """Sample z = mean + deviation * noise and weigh it.

    Args:
      model, params: see `learner`.
      x: [batch, ...].
      noise: standard normal, [samples, batch, latent].
    """
    mean, log_variance = model.apply({"params": params}, x, method="encode")
    z = mean[None] + jnp.exp(log_variance / 2)[None] * noise
    location, spread = model.apply({"params": params}, z, method="decode")

    def likelihood(location: jax.Array, x: jax.Array) -> jax.Array:
        if spread is None:
            return losses.bernoulli_log_likelihood(location, x)
        return losses.gaussian_log_likelihood(location, spread, x)

    log_likelihood = jax.vmap(jax.vmap(likelihood), (0, None))(location, x)
    # log p(z) - log q(z|x); the constants of the two densities cancel.
    log_ratio = 0.5 * (jnp.square(noise) + log_variance[None] - jnp.square(z)).sum(-1)
    return Draw(log_likelihood, log_likelihood + log_ratio, losses.gaussian_kl(mean, log_variance))


def evaluate(model: Any, samples: int = 1, chunk: int = 10) -> Callable[[TrainState, Batch], metrics.Sums]:
    """Sums over a masked batch, (state, batch) -> `{"count", "loss", "elbo", "kl", "nll"}`.

    `elbo` is the mean over the samples with the divergence in closed form, `kl` that divergence,
    `loss` minus the ELBO, and `nll` minus the bound of Burda et al. (2015) with k = `samples`,
    which for k in the thousands comes near -log p(x) from above.

    Args:
      model: see `learner`.
      samples: k; drawn from the run's key, the same at each evaluation.
      chunk: samples at a time: the sum over k is streamed, so memory does not grow with k.

    Raises:
      InputError: `samples` < 1, or not a multiple of `chunk` where it is larger.
    """
    for name, count in {"samples": samples, "chunk": chunk}.items():
        require_number(name, count, 1, whole=True, remedy="try the default")
    chunk = min(chunk, samples)
    remedy = "choose another chunk"
    require(samples % chunk == 0, "samples", samples, f"a multiple of {chunk}", remedy)

    def run(state: TrainState, batch: Batch) -> metrics.Sums:
        x = unit_range(batch["input"])
        mask = batch.get("mask", jnp.ones(len(x), jnp.float32))
        key = stream(state.key, EVALUATE, 0)

        def body(total: tuple[jax.Array, jax.Array], i: jax.Array) -> tuple[Any, jax.Array]:
            noise = jax.random.normal(jax.random.fold_in(key, i), (chunk, len(x), model.latent))
            drawn = draw(model, state.net.params, x, noise)
            weight = jnp.logaddexp(total[0], jax.nn.logsumexp(drawn.log_weight, axis=0))
            return (weight, total[1] + drawn.log_likelihood.sum(0)), drawn.kl.sum(-1)

        start = (jnp.full(len(x), -jnp.inf), jnp.zeros(len(x)))
        (weight, likelihood), kl = jax.lax.scan(body, start, jnp.arange(samples // chunk))
        elbo = likelihood / samples - kl[0]
        measured = {"loss": -elbo, "elbo": elbo, "kl": kl[0], "nll": jnp.log(samples) - weight}
        return {"count": mask.sum()} | {
            name: jnp.where(mask > 0, values * mask, 0).sum() for name, values in measured.items()
        }

    return run


def sample(model: Any, params: Any, z: jax.Array) -> jax.Array:
    """The expected images p(x|z) of latent points, [..., latent] -> [..., *shape], Bernoulli in 0..1."""
    location, spread = model.apply({"params": params}, z, method="decode")
    return jax.nn.sigmoid(location) if spread is None else location


def binarize(key: Key, image: jax.Array) -> jax.Array:
    """A random image of zeros and ones whose expectation is the image in 0..1.

    Drawn anew at each step it is what Burda et al. (2015) train on; drawn once, from a fixed
    seed, it makes a data set (Salakhutdinov, Murray, 2008).
    """
    return jax.random.bernoulli(key, image).astype(image.dtype)
