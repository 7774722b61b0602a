"""The VAE's loss, its divergence and the importance weighted bound against torch.distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses
from jaxdl.learners import vae
from jaxdl.models import VAE

torch = pytest.importorskip("torch")
from torch import distributions as D  # noqa: E402

pytestmark = pytest.mark.oracle
BATCH, LATENT, SAMPLES = 5, 3, 4


def double(array):
    return torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=True)


def test_divergence_and_its_gradient():
    generator = np.random.default_rng(0)
    mean, log_variance = generator.standard_normal((2, BATCH, LATENT))
    with jax.enable_x64(True):
        ours, gradients = jax.value_and_grad(lambda *a: losses.gaussian_kl(*a).sum(), (0, 1))(
            jnp.asarray(mean), jnp.asarray(log_variance)
        )
    m, v = double(mean), double(log_variance)
    theirs = D.kl_divergence(D.Normal(m, (v / 2).exp()), D.Normal(0.0, 1.0)).sum()
    theirs.backward()
    np.testing.assert_allclose(ours, theirs.item(), rtol=1e-13)
    np.testing.assert_allclose(gradients[0], m.grad, rtol=1e-12)
    np.testing.assert_allclose(gradients[1], v.grad, rtol=1e-12)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_objective_and_all_gradients(likelihood, objective):
    """A linear VAE, so that torch needs no network: a matrix on either side."""
    generator = np.random.default_rng(1)
    x = generator.integers(0, 2, (BATCH, 6)).astype(np.float64)
    noise = generator.standard_normal((SAMPLES, BATCH, LATENT))
    model = VAE((6,), LATENT, (), likelihood=likelihood)
    with jax.enable_x64(True):
        shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.asarray(x))["params"]
        params = jax.tree.map(lambda s: jnp.asarray(0.5 * generator.standard_normal(s.shape)), shapes)

        def ours(params):
            drawn = vae.draw(model, params, jnp.asarray(x), jnp.asarray(noise))
            if objective == "elbo":
                return drawn.log_likelihood.mean() - drawn.kl.sum(-1).mean()
            return (jax.nn.logsumexp(drawn.log_weight, axis=0) - jnp.log(SAMPLES)).mean()

        value, gradients = jax.value_and_grad(ours)(params)

    peer = jax.tree.map(double, params)
    dense = lambda half, a: a @ peer[half]["outputs"]["kernel"] + peer[half]["outputs"]["bias"]  # noqa: E731
    mean, log_variance = dense("encoder", torch.tensor(x)).chunk(2, dim=-1)
    q, prior = D.Normal(mean, (log_variance / 2).exp()), D.Normal(0.0, 1.0)
    z = mean + q.scale * torch.tensor(noise)
    location = dense("decoder", z)
    if likelihood == "bernoulli":
        p = D.Bernoulli(logits=location)
    else:
        p = D.Normal(location, (peer["log_variance"] / 2).exp())
    log_x = p.log_prob(torch.tensor(x).expand_as(location)).sum(-1)
    if objective == "elbo":
        theirs = log_x.mean() - D.kl_divergence(q, prior).sum(-1).mean()
    else:
        weights = log_x + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        theirs = (torch.logsumexp(weights, 0) - np.log(SAMPLES)).mean()
    theirs.backward()
    np.testing.assert_allclose(value, theirs.item(), rtol=1e-12)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b.grad, rtol=1e-9, atol=1e-12), gradients, peer)
