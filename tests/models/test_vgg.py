"""VGG: the table of the slides as a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.errors import InputError
from jaxdl.models import VGG
from jaxdl.models.vgg import TABLE, local_response_norm


@pytest.mark.parametrize("column", ["A-LRN", "C"])
def test_the_layers_are_those_of_the_table(column):
    model = VGG(column, classes=3, hidden=8)
    images = jax.random.normal(jax.random.key(0), (2, 32, 32, 3))
    variables = jax.eval_shape(model.init, jax.random.key(0), images)
    logits = jax.eval_shape(model.apply, variables, images)
    assert logits.shape == (2, 3)
    convolutions = [layer for block in TABLE[column] for layer in block if layer != "LRN"]
    assert len(variables["params"]) == len(convolutions) + 3


def test_one_computes():
    model = VGG("A-LRN", classes=3, hidden=8)
    images = jax.random.normal(jax.random.key(0), (1, 32, 32, 1))
    logits, variables = model.init_with_output(jax.random.key(1), images)
    assert np.isfinite(logits).all()
    dropped = model.apply(variables, images, train=True, rngs={"dropout": jax.random.key(2)})
    assert not np.array_equal(dropped, logits)


def test_local_response_norm_is_the_papers_sum():
    x = np.random.default_rng(0).normal(size=(2, 3, 7)).astype(np.float32)
    expected = np.empty_like(x)
    for i in range(7):
        total = (x[..., max(0, i - 2) : i + 3] ** 2).sum(-1)
        expected[..., i] = x[..., i] / (2 + 0.1 * total) ** 0.75
    np.testing.assert_allclose(local_response_norm(jnp.array(x), alpha=0.1), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("model", "shape", "word"),
    [(VGG("F"), (1, 32, 32, 3), "column"), (VGG(), (1, 30, 32, 3), "images"), (VGG(), (32, 32), "images")],
)
def test_bad_input_is_refused(model, shape, word):
    with pytest.raises(InputError, match=word):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))
