"""Activation functions: values, ties, derivatives, types."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.models import ACTIVATIONS, heaviside, linear, relu, sigmoid, sign, tanh

X = jnp.array([-3.0, -0.5, 0.0, 0.5, 3.0])


def slope(f, x):
    return jax.vmap(jax.grad(f))(x)


@pytest.mark.parametrize(("strict", "at_zero"), [(True, 0), (False, 1)])
def test_step_functions_have_both_conventions_of_the_slides_at_zero(strict, at_zero):
    # 001:279 fires for > 0, 003:152 for >= 0.
    np.testing.assert_array_equal(heaviside(X, strict), [0, 0, at_zero, 1, 1])
    np.testing.assert_array_equal(sign(X, strict), [-1, -1, 2 * at_zero - 1, 1, 1])


@pytest.mark.parametrize("step", [heaviside, sign])
def test_step_functions_have_no_gradient(step):
    np.testing.assert_array_equal(slope(step, X), np.zeros(5))


@pytest.mark.parametrize(("gain", "threshold"), [(1.0, 0.0), (4.0, 0.0), (2.0, -1.5)])
def test_sigmoid_is_the_printed_formula_and_its_slope_is_gain_f_one_minus_f(gain, threshold):
    f = sigmoid(X, gain, threshold)
    np.testing.assert_allclose(f, 1 / (1 + np.exp(-gain * (np.asarray(X) - threshold))), rtol=1e-6)
    np.testing.assert_allclose(slope(lambda x: sigmoid(x, gain, threshold), X), gain * f * (1 - f), rtol=1e-5)


def test_sigmoid_is_half_at_its_threshold_and_steep_ones_are_steps():
    assert float(sigmoid(jnp.float32(0.7), slope=3.0, threshold=0.7)) == 0.5
    away = X[X != 0]
    np.testing.assert_allclose(sigmoid(away, slope=1e3), heaviside(away), atol=1e-6)


def test_sigmoid_neither_overflows_nor_loses_its_gradient_to_nan():
    x = jnp.array([-1e4, 1e4])
    np.testing.assert_array_equal(sigmoid(x), [0, 1])
    np.testing.assert_array_equal(slope(sigmoid, x), [0, 0])


def test_tanh_is_a_stretched_sigmoid():
    np.testing.assert_allclose(tanh(X), 2 * sigmoid(2 * X) - 1, atol=1e-6)
    np.testing.assert_allclose(slope(tanh, X), 1 - tanh(X) ** 2, atol=1e-6)


def test_linear_and_relu():
    np.testing.assert_array_equal(linear(X), X)
    np.testing.assert_array_equal(slope(linear, X), np.ones(5))
    np.testing.assert_array_equal(relu(X), [0, 0, 0, 0.5, 3])
    np.testing.assert_array_equal(slope(relu, X), [0, 0, 0, 1, 1])


@pytest.mark.parametrize("name", ["heaviside", "sigmoid", "tanh", "linear", "relu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_name_keeps_shape_and_type(name, dtype):
    y = jax.jit(ACTIVATIONS[name])(X.reshape(5, 1).astype(dtype))
    assert y.shape == (5, 1)
    assert y.dtype == dtype


def test_names_are_complete():
    assert set(ACTIVATIONS) == {"heaviside", "sigmoid", "tanh", "linear", "relu"}
