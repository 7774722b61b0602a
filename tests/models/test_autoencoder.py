"""Auto-encoders: their size, their two halves, and the shapes they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.models import Autoencoder, linear, relu
from jaxdl.models.autoencoder import Decoder

X = jnp.asarray(np.random.default_rng(0).standard_normal((3, 8, 8, 1)), jnp.float32)


def shapes(model, shape):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))["params"]


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_dense_layers_are_mirrored():
    params = shapes(Autoencoder((8, 8, 1), 2, (30, 20)), X.shape)
    kernels = {
        half: {name: layer["kernel"].shape for name, layer in params[half].items()}
        for half in ("encoder", "decoder")
    }
    assert kernels == {
        "encoder": {"dense1": (64, 30), "dense2": (30, 20), "outputs": (20, 2)},
        "decoder": {"dense1": (2, 20), "dense2": (20, 30), "outputs": (30, 64)},
    }


def test_a_convolutional_decoder_projects_reshapes_and_deconvolves():
    params = shapes(Autoencoder((28, 28, 3), 5, (), (4, 6)), (2, 28, 28, 3))
    assert list(params["encoder"]) == ["conv1", "conv2", "outputs"]
    assert params["encoder"]["outputs"]["kernel"].shape == (7 * 7 * 6, 5)
    decoder = {name: layer["kernel"].shape for name, layer in params["decoder"].items()}
    assert decoder == {"project": (5, 7 * 7 * 6), "deconv1": (4, 4, 6, 4), "outputs": (4, 4, 4, 3)}


def test_parameters_of_the_linear_network():
    assert count(shapes(Autoencoder((8, 8, 1), 8, ()), X.shape)) == 64 * 8 + 8 + 8 * 64 + 64


@pytest.mark.parametrize(("widths", "features"), [((), ()), ((7,), ()), ((7,), (4, 6))])
def test_it_gives_back_the_shape_and_is_its_two_halves(widths, features):
    model = Autoencoder((8, 8, 1), 3, widths, features, code_activation=relu)
    output, variables = jax.jit(model.init_with_output)(jax.random.key(0), X)
    assert output.shape == X.shape
    code = model.apply(variables, X, method="encode")
    assert code.shape == (3, 3)
    assert (code >= 0).all()
    np.testing.assert_allclose(model.apply(variables, code, method="decode"), output, atol=1e-5)


def test_without_hidden_layers_it_is_linear():
    model = Autoencoder((8, 8, 1), 3, (), activation=linear)
    _, variables = model.init_with_output(jax.random.key(0), X)
    middle = model.apply(variables, (X[:1] + X[1:2]) / 2)
    np.testing.assert_allclose(middle[0], model.apply(variables, X[:2]).mean(0), atol=1e-5)


def test_a_decoder_takes_any_number_of_leading_axes():
    decoder = Decoder((8, 8, 1), (7,), (4,))
    codes = jax.random.normal(jax.random.key(1), (2, 3, 5))
    output, variables = jax.jit(decoder.init_with_output)(jax.random.key(0), codes)
    assert output.shape == (2, 3, 8, 8, 1)
    np.testing.assert_allclose(decoder.apply(variables, codes[1]), output[1], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (Autoencoder((8, 8, 1)), (2, 8, 8, 3), r"input: got \(2, 8, 8, 3\)"),
        (Autoencoder((8, 8, 1)), (8, 8, 1), "input"),
        (Autoencoder((6, 8, 1), 2, (), (4, 4)), (2, 6, 8, 1), "divisible by 4"),
        (Autoencoder((8,), 2, (), (4,)), (2, 8), r"\[batch, height, width, channels\]"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(model, shape, message):
    with pytest.raises(InputError, match=message):
        shapes(model, shape)
