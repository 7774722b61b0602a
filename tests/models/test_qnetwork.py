"""The Q-network: sizes and names, what it does with observations, dueling, atoms and noise."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.models import NoisyDense, QNetwork

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).standard_normal((5, 4)), jnp.float32)


def shapes(network, shape, dtype=jnp.float32):
    """Shapes of the outputs and of the parameters."""
    return jax.eval_shape(network.init_with_output, KEY, jax.ShapeDtypeStruct(shape, dtype))


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_minatars_network_has_its_size():
    # 3x3 filters on 4 channels, 8x8 pixels of 16 filters, 128 units, 3 actions.
    q, variables = shapes(QNetwork(3, (128,), (16,)), (2, 10, 10, 4), bool)
    assert q.shape == (2, 3)
    assert count(variables) == (3 * 3 * 4 + 1) * 16 + (8 * 8 * 16 + 1) * 128 + (128 + 1) * 3
    assert list(variables["params"]) == ["conv1", "dense1", "q"]


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize(("dueling", "heads"), [(False, {"q": 15}), (True, {"value": 5, "advantage": 15})])
def test_outputs_and_layers_of_every_option(noisy, dueling, heads):
    network = QNetwork(3, (7,), dueling=dueling, atoms=5, noisy=noisy)
    logits, variables = shapes(network, (2, 4))
    params = variables["params"]
    assert logits.shape == (2, 3, 5)
    assert logits.dtype == jnp.float32
    assert {name: params[name]["bias"].size for name in params} == {"dense1": 7, **heads}
    assert all(("kernel_sigma" in layer) == noisy for layer in params.values())
    assert shapes(network.clone(atoms=1), (2, 4))[0].shape == (2, 3)


@pytest.mark.parametrize("atoms", [1, 3])
def test_dueling_adds_the_value_and_centred_advantages(atoms):
    network = QNetwork(4, (6,), dueling=True, atoms=atoms)
    q, variables = network.init_with_output(KEY, X)
    params = variables["params"]
    params = jax.tree.map(lambda x: x + 0.1, params)
    q = network.apply({"params": params}, X).reshape(5, 4, atoms)
    hidden = jax.nn.relu(X @ params["dense1"]["kernel"] + 0.1)
    value = hidden @ params["value"]["kernel"] + 0.1
    advantage = (hidden @ params["advantage"]["kernel"]).reshape(5, 4, atoms)
    np.testing.assert_allclose(q.mean(1), value, rtol=1e-4, atol=1e-5)  # V is the mean over actions
    np.testing.assert_allclose(q[:, 1] - q[:, 0], advantage[:, 1] - advantage[:, 0], rtol=1e-4, atol=1e-5)


def test_observations_of_any_type_become_floats():
    network = QNetwork(2, (3,))
    ones = jnp.ones((1, 2))
    q, variables = network.init_with_output(KEY, ones)
    for dtype in (bool, jnp.int32):
        np.testing.assert_array_equal(network.apply(variables, ones.astype(dtype)), q)
    np.testing.assert_array_equal(network.apply(variables, jnp.full((1, 2), 255, jnp.uint8)), q)


def test_scale_multiplies_each_number_observed():
    network = QNetwork(2, (3,), scale=(0.5, 2.0, 1.0, 0.0))
    variables = network.init(KEY, X)
    expected = QNetwork(2, (3,)).apply(variables, X * jnp.array([[0.5, 2, 1, 0]]))
    np.testing.assert_array_equal(network.apply(variables, X), expected)
    images = jnp.ones((2, 5, 5, 4), jnp.uint8)
    assert shapes(network.clone(features=(2,)), images.shape, jnp.uint8)[0].shape == (2, 2)


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (QNetwork(2), (4,), "missing batch axis"),
        (QNetwork(2, scale=(1.0,)), (1, 4), r"scale: got \(1.0,\), expected 4 numbers"),
        (QNetwork(0), (1, 4), "actions: got 0"),
        (QNetwork(2, atoms=0), (1, 4), "atoms: got 0"),
        (QNetwork(2, features=(4,)), (1, 4), "images: got"),
        (QNetwork(2, features=(4, 4)), (1, 4, 4, 1), "size of the images"),
    ],
)
def test_bad_input_is_refused(network, shape, message):
    with pytest.raises(InputError, match=message):
        shapes(network, shape)


def test_noisy_layer_starts_as_in_the_paper():
    params = NoisyDense(300).init(KEY, jnp.zeros((1, 100)))["params"]
    assert (params["kernel_sigma"] == jnp.float32(0.5 / 10)).all()
    assert (params["bias_sigma"] == jnp.float32(0.5 / 10)).all()
    for name in ("kernel", "bias"):
        assert jnp.abs(params[name]).max() <= 0.1
        assert jnp.abs(params[name]).max() > 0.098
    assert abs(params["kernel"].mean()) < 0.002


def test_noise_has_the_mean_and_the_variance_of_the_formula():
    layer = NoisyDense(2, sigma=0.7)
    variables = layer.init(KEY, X)
    apply = jax.jit(jax.vmap(lambda key: layer.apply(variables, X, rngs={"noise": key})))
    outputs = np.asarray(apply(jax.random.split(KEY, 40_000)))
    # E |e| = sqrt(2 / pi) is the variance of f(e); the terms are not correlated.
    half, sigma = math.sqrt(2 / math.pi), 0.7 / 2
    variance = sigma**2 * (half**2 * np.square(X).sum(1) + half)
    np.testing.assert_allclose(outputs.var(0), np.stack([variance] * 2, 1), rtol=0.05)
    error = np.abs(outputs.mean(0) - layer.apply(variables, X)) / np.sqrt(variance[:, None] / 40_000)
    assert error.max() < 5


def test_noise_is_drawn_once_per_call_and_differs_between_layers_and_keys():
    network = QNetwork(2, (3, 3), noisy=True)
    variables = network.init(KEY, X)
    same = jnp.broadcast_to(X[:1], X.shape)
    apply = jax.jit(lambda x, seed: network.apply(variables, x, rngs={"noise": jax.random.key(seed)}))
    one = apply(same, 1)
    np.testing.assert_allclose(one, jnp.broadcast_to(one[:1], one.shape), rtol=1e-6)
    np.testing.assert_array_equal(one, apply(same, 1))
    assert (one != apply(same, 2)).any()
    mean = network.apply(variables, same)
    assert (one != mean).any()
    np.testing.assert_array_equal(mean, network.apply(variables, same))

    # Equal layers in a row get noise of their own.
    wide = QNetwork(4, (4, 4), noisy=True)
    zeros = jax.tree.map(jnp.zeros_like, wide.init(KEY, X)["params"])
    for layer in zeros.values():
        layer["bias_sigma"] = jnp.ones(4)  # then the output of a layer is its noise
    _, captured = wide.apply(
        {"params": zeros}, X, rngs={"noise": KEY}, capture_intermediates=True, mutable=["intermediates"]
    )
    dense1, dense2 = (captured["intermediates"][f"dense{i}"]["__call__"][0][0] for i in (1, 2))
    assert (dense1 != dense2).all()


def test_the_noise_is_learned():
    network = QNetwork(2, (3,), noisy=True)
    variables = network.init(KEY, X)

    def loss(params):
        return jnp.square(network.apply({"params": params}, X, rngs={"noise": KEY})).sum()

    gradients = jax.grad(loss)(variables["params"])
    assert all(jnp.abs(layer[name]).sum() > 0 for layer in gradients.values() for name in layer)
