"""The networks of the variational auto-encoder: shapes, likelihoods, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.models import VAE

X = jnp.asarray(np.random.default_rng(0).uniform(size=(3, 8, 8, 1)), jnp.float32)


@pytest.mark.parametrize("features", [(), (4,)])
def test_a_bernoulli_decoder_gives_logits(features):
    model = VAE((8, 8, 1), 2, (5,), features)
    expected, variables = jax.jit(model.init_with_output)(jax.random.key(0), X)
    assert set(variables["params"]) == {"encoder", "decoder"}
    mean, log_variance = model.apply(variables, X, method="encode")
    assert mean.shape == log_variance.shape == (3, 2)
    assert not np.allclose(mean, log_variance)
    logits, spread = model.apply(variables, mean, method="decode")
    assert spread is None
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), expected, atol=1e-5)


def test_a_gaussian_decoder_has_one_variance_for_all_pixels():
    model = VAE((8, 8, 1), 2, (5,), likelihood="gaussian")
    expected, variables = jax.jit(model.init_with_output)(jax.random.key(0), X)
    assert variables["params"]["log_variance"].shape == ()
    means, spread = model.apply(variables, model.apply(variables, X, method="encode")[0], method="decode")
    assert spread == variables["params"]["log_variance"]
    np.testing.assert_allclose(means, expected, atol=1e-6)


def test_several_samples_are_decoded_at_once():
    model = VAE((8, 8, 1), 2, (5,))
    _, variables = model.init_with_output(jax.random.key(0), X)
    z = jax.random.normal(jax.random.key(1), (4, 3, 2))
    logits, _ = model.apply(variables, z, method="decode")
    assert logits.shape == (4, 3, 8, 8, 1)
    np.testing.assert_allclose(model.apply(variables, z[2], method="decode")[0], logits[2], atol=1e-6)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (VAE((8, 8, 1), likelihood="poisson"), "likelihood: got 'poisson'"),
        (VAE((8, 8, 3)), r"input: got \(3, 8, 8, 1\)"),
    ],
)
def test_bad_input_is_refused(model, message):
    with pytest.raises(InputError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), X)
