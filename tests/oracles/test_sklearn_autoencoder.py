"""Linear auto-encoders have known optima: PCA, and probabilistic PCA for the variational one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.decomposition import PCA

from jaxdl import data
from jaxdl.learners import autoencoder, vae
from jaxdl.models import VAE, Autoencoder, linear
from jaxdl.transforms import many_steps, resident

CODE = 4
IMAGES = data.load("digits").train["input"].astype(np.float64)
ROWS = IMAGES.reshape(len(IMAGES), -1)
SOLVED = PCA(CODE, svd_solver="full").fit(ROWS)


def test_pca_is_where_the_linear_network_stands_still():
    model = Autoencoder((8, 8, 1), CODE, (), activation=linear)
    axes = SOLVED.components_  # [code, pixels]
    with jax.enable_x64(True):
        params = {
            "encoder": {"outputs": {"kernel": axes.T, "bias": -axes @ SOLVED.mean_}},
            "decoder": {"outputs": {"kernel": axes, "bias": SOLVED.mean_}},
        }

        def loss(params):
            return jnp.square(model.apply({"params": params}, jnp.asarray(IMAGES)) - IMAGES).mean()

        value, gradients = jax.value_and_grad(loss)(jax.tree.map(jnp.asarray, params))
    optimum = np.square(SOLVED.inverse_transform(SOLVED.transform(ROWS)) - ROWS).mean()
    np.testing.assert_allclose(value, optimum, rtol=1e-12)
    assert max(np.abs(g).max() for g in jax.tree.leaves(gradients)) < 1e-12


def test_the_linear_network_learns_to_be_pca():
    model = Autoencoder((8, 8, 1), CODE, (), activation=linear)
    batch = {"input": IMAGES.astype(np.float32)}
    steps = 600
    rate = optax.cosine_decay_schedule(2e-2, steps)
    learner = resident(autoencoder.learner(model, optax.adam(rate)), len(IMAGES), data.order.rows)
    learner = many_steps(learner, steps)
    _, measured = jax.jit(learner.step)(learner.init(jax.random.key(0), batch), batch)
    optimum = np.square(SOLVED.inverse_transform(SOLVED.transform(ROWS)) - ROWS).mean()
    assert 1 - 1e-4 <= measured["error"][-1] / optimum <= 1.01


@pytest.fixture
def probabilistic():
    """The linear VAE whose parameters are those of probabilistic PCA (Tipping, Bishop, 1999)."""
    model = VAE((8, 8, 1), CODE, (), likelihood="gaussian")
    axes, noise = SOLVED.components_, SOLVED.noise_variance_
    variances = SOLVED.explained_variance_
    loadings = axes * np.sqrt(variances - noise)[:, None]  # [latent, pixels]
    # q(z|x) is the exact posterior: its variance is the same for every x, and diagonal.
    gain = (loadings / variances[:, None]).T
    log_variance = np.log(noise / variances)
    encoder = {
        "kernel": np.concatenate([gain, np.zeros_like(gain)], 1),
        "bias": np.concatenate([-SOLVED.mean_ @ gain, log_variance]),
    }
    decoder = {"kernel": loadings, "bias": SOLVED.mean_}
    params = {"encoder": {"outputs": encoder}, "decoder": {"outputs": decoder}, "log_variance": np.log(noise)}
    return model, params


def test_every_importance_weight_is_the_likelihood(probabilistic):
    """With the exact posterior, p(x, z) / q(z|x) = p(x) whatever z is drawn."""
    model, params = probabilistic
    noise = np.random.default_rng(0).standard_normal((3, len(IMAGES), CODE))
    with jax.enable_x64(True):
        drawn = vae.draw(model, jax.tree.map(jnp.asarray, params), jnp.asarray(IMAGES), jnp.asarray(noise))
    expected = SOLVED.score_samples(ROWS)
    np.testing.assert_allclose(drawn.log_weight, np.tile(expected, (3, 1)), rtol=1e-9, atol=1e-8)


def test_the_elbo_reaches_the_likelihood_and_no_more(probabilistic):
    """Noise and its negative cancel the odd terms of the ELBO; unit variance makes it exact."""
    model, params = probabilistic
    # Noise with mean 0 and covariance 1 exactly: the ELBO of a linear decoder knows no more of it.
    signs = np.sqrt(CODE) * np.concatenate([np.eye(CODE), -np.eye(CODE)])
    noise = np.repeat(signs[:, None], len(IMAGES), 1)

    def elbo(params):
        drawn = vae.draw(model, params, jnp.asarray(IMAGES), jnp.asarray(noise))
        return drawn.log_likelihood.mean() - drawn.kl.sum(-1).mean()

    with jax.enable_x64(True):
        value, gradients = jax.value_and_grad(elbo)(jax.tree.map(jnp.asarray, params))
    np.testing.assert_allclose(value, SOLVED.score(ROWS), rtol=1e-9)
    # scikit-learn divides the covariance by n - 1: the optimum is that near to it.
    assert max(np.abs(g).max() for g in jax.tree.leaves(gradients)) < 0.1
