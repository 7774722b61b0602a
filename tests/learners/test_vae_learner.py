"""The bounds of the variational auto-encoder: their formulas, their order, their options."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import InputError, losses
from jaxdl.learner import EVALUATE, NOISE, stream
from jaxdl.learners import vae
from jaxdl.models import VAE
from jaxdl.transforms import over_settings

X = jnp.asarray(np.random.default_rng(0).integers(0, 2, (6, 4, 4, 1)), jnp.float32)
MODEL = VAE((4, 4, 1), 3, (8,))
SGD = optax.sgd(0.1)


def one_step(model=MODEL, **options):
    learner = vae.learner(model, SGD, **options)
    state = jax.jit(learner.init)(jax.random.key(0), {"input": X})
    return state, float(jax.jit(learner.step)(state, {"input": X})[1]["loss"])


def by_hand(model, params, noise):
    """log p(x|z), log p(z), log q(z|x), [samples, batch], and KL [batch, latent], number by number."""
    x, noise = np.asarray(X), np.asarray(noise)
    encoded = jax.jit(partial(model.apply, method="encode"))({"params": params}, X)
    mean, log_variance = (np.asarray(each, np.float64) for each in encoded)
    deviation = np.exp(log_variance / 2)
    z = mean[None] + deviation[None] * noise
    decoded = jax.jit(partial(model.apply, method="decode"))({"params": params}, np.float32(z))
    location, spread = np.asarray(decoded[0], np.float64), decoded[1]
    p = 1 / (1 + np.exp(-location))
    pixels = x * np.log(p) + (1 - x) * np.log(1 - p)
    if spread is not None:
        spread = float(spread)
        pixels = -np.square(x - location) / (2 * np.exp(spread)) - 0.5 * (spread + np.log(2 * np.pi))

    def normal(z, mean, deviation):
        return (-np.square((z - mean) / deviation) / 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)).sum(-1)

    kl = (np.square(mean) + np.exp(log_variance) - log_variance - 1) / 2
    return pixels.sum((2, 3, 4)), normal(z, 0, 1), normal(z, mean[None], deviation[None]), kl


def drawn(state, samples):
    return np.moveaxis(jax.random.normal(stream(state.key, NOISE, 0), (len(X), samples, 3)), 1, 0)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("samples", [1, 4])
def test_objectives_are_their_formulas(likelihood, samples):
    model = MODEL.clone(likelihood=likelihood)
    state, loss = one_step(model, samples=samples)
    log_x, log_z, log_q, kl = by_hand(model, state.net.params, drawn(state, samples))
    np.testing.assert_allclose(loss, -(log_x.mean(0) - kl.sum(1)).mean(), rtol=1e-5)
    _, loss = one_step(model, samples=samples, objective="iwae")
    weights = np.exp(log_x + log_z - log_q)
    np.testing.assert_allclose(loss, -np.log(weights.mean(0)).mean(), rtol=1e-5)


def test_beta_weighs_the_divergence_and_free_bits_pay_for_it():
    state, loss = one_step()
    kl = by_hand(MODEL, state.net.params, drawn(state, 1))[3].mean(0)
    np.testing.assert_allclose(one_step(beta=4.0)[1], loss + 3 * kl.sum(), rtol=1e-5)
    # Between the smallest and the largest divergence: some latent numbers pay, others do not.
    bits = float(np.sort(kl)[1])
    np.testing.assert_allclose(
        one_step(free_bits=bits)[1], loss + (np.maximum(kl, bits) - kl).sum(), rtol=1e-5
    )
    assert one_step(free_bits=0.0)[1] == loss


def test_the_evaluation_streams_over_chunks():
    state, _ = one_step()
    sums = jax.jit(vae.evaluate(MODEL, 12, chunk=4))(state, {"input": X})
    key = stream(state.key, EVALUATE, 0)
    noise = np.concatenate([jax.random.normal(jax.random.fold_in(key, i), (4, 6, 3)) for i in range(3)])
    log_x, log_z, log_q, kl = by_hand(MODEL, state.net.params, noise)
    weights = np.exp(log_x + log_z - log_q)
    np.testing.assert_allclose(sums["nll"], -np.log(weights.mean(0)).sum(), rtol=1e-5)
    np.testing.assert_allclose(sums["elbo"], (log_x.mean(0) - kl.sum(1)).sum(), rtol=1e-5)
    np.testing.assert_allclose(sums["kl"], kl.sum(), rtol=1e-5)
    assert sums["loss"] == -sums["elbo"]


def test_the_estimate_survives_likelihoods_that_underflow():
    """log p(x) of a real image is about -90: its exponential is no float32."""
    state, _ = one_step(MODEL.clone(likelihood="gaussian"))
    params = {**state.net.params, "log_variance": jnp.float32(-8)}
    state = state.replace(net=state.net.replace(params=params))
    sums = jax.jit(vae.evaluate(MODEL.clone(likelihood="gaussian"), 20, 5))(state, {"input": X})
    assert np.isfinite(sums["nll"])
    assert sums["nll"] / 6 > 1000


def test_more_samples_tighten_the_bound():
    state, _ = one_step()
    few, many = (jax.jit(vae.evaluate(MODEL, k))(state, {"input": X}) for k in (1, 1000))
    assert many["nll"] < few["nll"]
    assert many["nll"] < many["loss"], "the ELBO is the looser bound"


def test_padding_does_not_count():
    state, _ = one_step()
    evaluate = jax.jit(vae.evaluate(MODEL, 2))
    spoiled = X.at[4:].set(jnp.nan)
    sums = evaluate(state, {"input": spoiled, "mask": jnp.array([1.0, 1, 1, 1, 0, 0])})
    assert sums["count"] == 4
    assert np.isfinite(sums["nll"])


def test_binary_pixels_have_the_image_as_their_mean():
    image = jnp.array([[0.0, 0.25, 1.0]])
    drawn = jax.vmap(vae.binarize, (0, None))(jax.random.split(jax.random.key(0), 4000), image)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    np.testing.assert_allclose(drawn.mean(0), image, atol=0.03)


def test_augmentation_is_new_at_each_step():
    grey = {"input": jnp.full((6, 4, 4, 1), 0.5)}
    learner = vae.learner(MODEL, optax.sgd(0.0), augment=vae.binarize)
    state, step = learner.init(jax.random.key(0), grey), jax.jit(learner.step)
    seen = {float(step(state.replace(step=jnp.int32(i)), grey)[1]["loss"]) for i in range(3)}
    assert len(seen) == 3


def test_samples_are_images():
    state, _ = one_step()
    images = vae.sample(MODEL, state.net.params, jnp.zeros((2, 5, 3)))
    assert images.shape == (2, 5, 4, 4, 1)
    assert ((images > 0) & (images < 1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"objective": "elbow"}, "objective: got 'elbow'.*did you mean 'elbo'"),
        ({"samples": 0}, "samples: got 0"),
        ({"beta": -1}, "beta: got -1"),
        ({"free_bits": -1}, "free_bits: got -1"),
        ({"objective": "iwae", "beta": 2.0}, "beta, free_bits"),
        ({"objective": "iwae", "free_bits": 0.5}, "beta, free_bits"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        vae.learner(MODEL, SGD, **options)


def test_uneven_chunks_are_refused():
    with pytest.raises(InputError, match="samples: got 25, expected a multiple of 10"):
        vae.evaluate(MODEL, 25, chunk=10)


def test_formulas_refuse_shapes_that_would_broadcast():
    for formula in (losses.bernoulli_log_likelihood, losses.gaussian_kl):
        with pytest.raises(ValueError, match="shape"):
            formula(jnp.zeros((3, 1)), jnp.zeros(3))


def test_a_sweep_over_beta_is_one_program():
    batch = {"input": jnp.full((4, 8, 8, 1), 0.5)}
    net = VAE((8, 8, 1), latent=2, widths=(4,))
    sweep = over_settings(lambda beta: vae.learner(net, optax.sgd(0.1), beta=beta), {"beta": [0.0, 4.0]})
    _, measured = jax.jit(sweep.step)(sweep.init(jax.random.key(0), batch), batch)
    assert measured["loss"][1] > measured["loss"][0], "the same weights and noise, and more of the divergence"


def test_a_mask_weighs():
    state, _ = one_step()
    judge = jax.jit(vae.evaluate(MODEL))
    whole, half = (judge(state, {"input": X, "mask": jnp.full(len(X), share)}) for share in (1.0, 0.5))
    for name, total in whole.items():
        assert float(half[name]) == pytest.approx(float(total) / 2, rel=1e-6), name
