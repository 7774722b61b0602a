"""Generative adversarial networks: two networks that learn against each other (003:1435-1457).

"Generative adversarial nets", Goodfellow et al., 2014: the generator turns noise into examples,
the discriminator tells them from real ones, and each is the other's loss.

A batch is `{"input": [rows, ...]}`; whatever else is in it is left alone. Its rows are dealt out
to the k updates of the discriminator, so there are k times as many as each of them sees. `step`
counts updates of the generator.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxdl import losses
from jaxdl.errors import require, require_choice, require_number
from jaxdl.learner import (
    INIT,
    NOISE,
    Batch,
    Key,
    Learner,
    Metrics,
    Net,
    init_net,
    inspect_net,
    stream,
    unit_range,
    update_net,
)
from jaxdl.learners import checks


class GANState(struct.PyTreeNode):
    """Two networks, each with an optimizer of its own."""

    step: jax.Array  # int32 [], updates of the generator
    key: jax.Array  # typed key [], the run's key, constant
    generator: Net
    discriminator: Net


def learner(
    generator: Any,
    discriminator: Any,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    loss: str | losses.Adversarial = "non_saturating",
    latents: int = 100,
    discriminator_steps: int = 1,
    average: Callable[[Callable], Callable] = lambda gradients: gradients,
    axis_name: str | None = None,
) -> Learner:
    """k updates of the discriminator, each with noise of its own, then one of the generator.

    Args:
      generator: flax module, noise [batch, latents] -> examples; batch norm is allowed.
      discriminator: flax module, examples -> logits [batch], larger for real ones. Real and
        generated examples pass it separately, so batch norm sees them apart.
      generator_optimizer, discriminator_optimizer: any optax transformations.
      loss: a name in `losses.ADVERSARIAL`, or formulas of your own.
      latents: standard normal numbers that the generator gets for one example.
      discriminator_steps: k; the batch is a multiple of k.
      average: see `update_net`; only for a run under `pmap` or in fixed shards.
      axis_name: of the devices under `pmap`. Each then draws the noise of its own rows.

    Returns:
      A learner on `GANState` whose metrics are "loss" (the discriminator's, like
      "discriminator_accuracy" a mean over its k updates) and "generator_loss". The accuracy is how
      often the real one of a pair has the larger logit: 0.5 is a draw, 1 a discriminator that
      has won, whatever the loss.

    Raises:
      InputError: an unknown loss, numbers out of range, a batch that k does not divide, or a
        gradient penalty for a discriminator with batch norm, where an example has no gradient of
        its own.

    >>> from jaxdl import models
    >>> adam, networks = optax.adam(1e-3), (models.Generator((8,), channels=1), models.Discriminator((8,)))
    >>> gan = learner(*networks, adam, adam, latents=5, discriminator_steps=2)
    >>> batch = {"input": jnp.zeros((8, 8, 8, 1))}
    >>> state, measured = jax.jit(gan.step)(gan.init(jax.random.key(0), batch), batch)
    >>> int(state.step), sorted(measured)
    (1, ['discriminator_accuracy', 'generator_loss', 'loss'])
    """
    if isinstance(loss, str):
        require_choice("loss", loss, losses.ADVERSARIAL)
    game = losses.ADVERSARIAL[loss] if isinstance(loss, str) else loss
    for name, number in {"latents": latents, "discriminator_steps": discriminator_steps}.items():
        require_number(name, number, 1, whole=True, remedy="try the default")

    def discriminator_loss(params, stats, batch: Batch, opponent: Net):
        fake, _ = _apply(generator, opponent.params, opponent.stats, batch["noise"])
        real_logits, stats = _apply(discriminator, params, stats, batch["input"])
        fake_logits, stats = _apply(discriminator, params, stats, fake)
        value = jax.vmap(game.real)(real_logits).mean() + jax.vmap(game.fake)(fake_logits).mean()
        if game.gradient_penalty:
            share = batch["share"].reshape(-1, *[1] * (fake.ndim - 1))
            between = share * batch["input"] + (1 - share) * fake
            slopes = jax.grad(lambda x: _apply(discriminator, params, stats, x)[0].sum())(between)
            value += game.gradient_penalty * jax.vmap(losses.gradient_penalty)(slopes).mean()
        return value, (stats, {"discriminator_accuracy": _preferred(real_logits, fake_logits)})

    def generator_loss(params, stats, batch: Batch, opponent: Net):
        fake, stats = _apply(generator, params, stats, batch["noise"])
        # What generated examples alone would make of the discriminator's statistics is dropped.
        logits, _ = _apply(discriminator, opponent.params, opponent.stats, fake)
        return jax.vmap(game.generator)(logits).mean(), (stats, {})

    def deal(state: GANState, batch: Batch) -> tuple[Batch, Batch]:
        """The batches of the discriminator, [k, rows, ...], and that of the generator."""
        rows, k = len(batch["input"]), discriminator_steps
        require(rows % k == 0, "batch", rows, f"a multiple of {k} rows, the discriminator's steps", "see k")
        # Like cards: every device that holds a part of the rows then has a part of every update.
        real = unit_range(batch["input"]).reshape(rows // k, k, *batch["input"].shape[1:])
        key = stream(state.key, NOISE, state.step)

        def draw(i: Key, real: jax.Array) -> Batch:
            normal, uniform = jax.random.split(jax.random.fold_in(key, i))
            noise = _rows(lambda n: jax.random.normal(normal, (n, latents)), real, axis_name)
            both = {"input": real, "noise": noise}
            if game.gradient_penalty:
                both["share"] = _rows(lambda n: jax.random.uniform(uniform, (n, 1)), real, axis_name)
            return both

        each = jax.vmap(draw, (0, 1))(jnp.arange(k), real)
        return each, {"noise": draw(jnp.int32(k), real[:, 0])["noise"]}

    def init(key: Key, batch: Batch) -> GANState:
        checks.named(batch, "input")
        keys = jax.random.split(stream(key, INIT, 0))
        images = unit_range(batch["input"])
        noise = jnp.zeros((len(images), latents))
        nets = (
            init_net(generator, generator_optimizer, keys[0], noise),
            init_net(discriminator, discriminator_optimizer, keys[1], images),
        )
        alone = not (game.gradient_penalty and jax.tree.leaves(nets[1].stats))
        remedy = "set batch_norm=False"
        require(alone, "discriminator", "batch norm", "none with a gradient penalty", remedy)
        return GANState(jnp.int32(0), key, *nets)

    def step(state: GANState, batch: Batch) -> tuple[GANState, Metrics]:
        each, last = deal(state, batch)

        def update(net: Net, batch: Batch) -> tuple[Net, Metrics]:
            return update_net(
                discriminator_loss, discriminator_optimizer, net, batch, state.generator, average=average
            )

        trained, measured = jax.lax.scan(update, state.discriminator, each)
        net, other = update_net(
            generator_loss, generator_optimizer, state.generator, last, trained, average=average
        )
        measured = jax.tree.map(lambda x: x.mean(0), measured) | {"generator_loss": other["loss"]}
        return state.replace(step=state.step + 1, generator=net, discriminator=trained), measured

    def inspect(state: GANState, batch: Batch) -> Metrics:
        each, last = deal(state, batch)
        first = jax.tree.map(lambda x: x[0], each)
        looked = inspect_net(
            discriminator_loss, discriminator_optimizer, state.discriminator, first, state.generator
        )
        other = inspect_net(generator_loss, generator_optimizer, state.generator, last, state.discriminator)
        named = {f"generator_{name}": value for name, value in other.items()}
        return {"loss": looked["loss"], **{f"discriminator_{k}": v for k, v in looked.items()}, **named}

    return Learner(init, step, inspect)


def sample(generator: Any) -> Callable[[GANState, jax.Array], jax.Array]:
    """The generator as a pure function (state, noise [n, latents]) -> examples [n, ...].

    Batch norm uses its running statistics, so an example depends on its own noise only. For
    averaged parameters give it `transforms.EMAState.averaged()`.
    """

    def run(state: GANState, noise: jax.Array) -> jax.Array:
        return generator.apply(state.generator.variables, noise)

    return run


def accuracy(generator: Any, discriminator: Any) -> Callable[[GANState, jax.Array, jax.Array], jax.Array]:
    """How often the discriminator prefers the real one of a pair, (state, real, noise) -> [].

    Over all pairs of a real example [n, ...] and one generated from noise [m, latents]; a draw is
    0.5. With real examples that were held out it is not fooled by a discriminator that has
    learned the training examples by heart. Batch norm uses the batch, as in training.
    """

    def run(state: GANState, real: jax.Array, noise: jax.Array) -> jax.Array:
        fake, _ = _apply(generator, state.generator.params, state.generator.stats, noise)
        judge = state.discriminator
        logits = [_apply(discriminator, judge.params, judge.stats, x)[0] for x in (unit_range(real), fake)]
        return _preferred(logits[0][:, None], logits[1][None, :])

    return run


def _preferred(real: jax.Array, fake: jax.Array) -> jax.Array:
    """The share of the pairs in which the real one has the larger logit; equal ones count half."""
    return jnp.mean((real > fake) + 0.5 * (real == fake))


def _apply(model: Any, params: Any, stats: Any, x: jax.Array) -> tuple[jax.Array, Any]:
    outputs, updated = model.apply({"params": params, **stats}, x, train=True, mutable=[*stats])
    return outputs, dict(updated)


def _rows(draw: Callable[[int], jax.Array], real: jax.Array, axis_name: str | None) -> jax.Array:
    """Random numbers, a row for each row of `real`, wherever those are.

    Under `pmap` a device takes its share of the numbers for all rows. Under `jit` they are spread
    over the devices as the rows are, or each would compute the whole of what depends on them only.
    """
    if axis_name is not None:
        drawn = draw(len(real) * jax.lax.axis_size(axis_name))
        return jax.lax.dynamic_slice_in_dim(drawn, jax.lax.axis_index(axis_name) * len(real), len(real))
    drawn = draw(len(real))
    like = jnp.broadcast_to(real.reshape(len(real), -1)[:, :1], drawn.shape)
    return drawn + 0 * like  # adds nothing but the place where the rows are
