import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses
from jaxdl.errors import InputError


def test_cross_entropy_is_minus_log_softmax():
    logits = jnp.array([1.0, 2.0, 0.5])
    p = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(losses.cross_entropy(logits, jnp.array(1)), -np.log(p[1]), rtol=1e-6)
    smooth = losses.cross_entropy(logits, jnp.array(1), label_smoothing=0.3)
    weights = np.array([0.1, 0.8, 0.1])
    np.testing.assert_allclose(smooth, -(weights * np.log(p)).sum(), rtol=1e-6)


@pytest.mark.parametrize("label", [-1, 3])
def test_cross_entropy_of_a_label_out_of_range_is_not_silent(label):
    assert np.isnan(losses.cross_entropy(jnp.zeros(3), jnp.array(label)))


def test_cross_entropy_of_a_dead_class_has_finite_gradients():
    gradient = jax.grad(losses.cross_entropy)(jnp.array([-1e30, 0.0]), jnp.array(1))
    assert np.isfinite(gradient).all()


def test_errors_of_the_slides():
    """L1 and L2 of 003:223-226 on (1, 2, 4) against (1, 0, 1): 5 and 13."""
    prediction, target = jnp.array([1.0, 2.0, 4.0]), jnp.array([1.0, 0.0, 1.0])
    assert losses.absolute_error(prediction, target) == 5
    assert losses.squared_error(prediction, target) == 13


@pytest.mark.parametrize("loss", [losses.squared_error, losses.absolute_error])
def test_a_label_column_does_not_broadcast(loss):
    with pytest.raises(ValueError, match=r"target: got 'shape \(3,\)', expected .* prediction, \(3, 1\)"):
        loss(jnp.zeros((3, 1)), jnp.zeros(3))


def test_penalty_derivatives_of_the_slides():
    """003:1155: the derivative of |w| is -1 or 1, that of w^2 is 2w; biases are free."""
    params = {"dense": {"kernel": jnp.array([0.25, -2.0]), "bias": jnp.array([7.0])}}
    l1 = jax.grad(lambda p: losses.penalty(p, l1=1.0))(params)["dense"]
    l2 = jax.grad(lambda p: losses.penalty(p, l2=1.0))(params)["dense"]
    assert l1["kernel"].tolist() == [1, -1]
    assert l2["kernel"].tolist() == [0.5, -4]
    assert l1["bias"] == l2["bias"] == 0


@pytest.mark.parametrize(("dtype", "classes"), [("uint8", 256), ("uint8", 300), ("int8", 200)])
def test_a_narrow_label_counts_all_classes(dtype, classes):
    loss = losses.cross_entropy(jnp.zeros(classes), jnp.asarray(5, dtype))
    assert float(loss) == pytest.approx(np.log(classes), rel=1e-6)


def test_penalty_takes_every_kernel_and_refuses_none():
    recurrent = {"lstm1": {"kernel": jnp.ones(2), "recurrent_kernel": jnp.ones(3), "bias": jnp.ones(4)}}
    assert float(losses.penalty(recurrent, l2=1.0)) == 5
    with pytest.raises(InputError, match=r"params: got \['layer/w'\], expected a kernel to punish"):
        losses.penalty({"layer": {"w": jnp.ones(2)}}, l2=1.0)


def test_a_variance_of_another_shape_does_not_broadcast():
    mean = jnp.zeros((3, 3))
    with pytest.raises(InputError, match=r"log_variance: got 'shape \(3,\)'"):
        losses.gaussian_log_likelihood(mean, jnp.zeros(3), mean)
