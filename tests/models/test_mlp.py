"""The multi-layer perceptron: its size, its layers in order, and its two modes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.models import MLP, heaviside

X = jnp.asarray(np.random.default_rng(0).standard_normal((6, 4, 3)), jnp.float32)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def shapes(model, shape):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))


@pytest.mark.parametrize(
    ("widths", "outputs", "parameters"),
    [
        ((300, 100), 10, 784 * 300 + 300 + 300 * 100 + 100 + 100 * 10 + 10),
        ((), 10, 784 * 10 + 10),
        ((5,), 1, 784 * 5 + 5 + 5 + 1),
    ],
)
def test_number_of_parameters(widths, outputs, parameters):
    variables = shapes(MLP(widths, outputs), (1, 28, 28, 1))
    assert count(variables) == parameters
    # Batch norm takes the bias of a hidden layer and brings a scale, a bias and two statistics.
    normed = shapes(MLP(widths, outputs, batch_norm=True), (1, 28, 28, 1))
    assert count(normed["params"]) == parameters + sum(widths)
    assert count(normed.get("batch_stats", {})) == 2 * sum(widths)


def test_names_of_layers():
    params = shapes(MLP((5, 4), batch_norm=True, dropout=0.5), X.shape)["params"]
    assert set(params) == {"dense1", "norm1", "dense2", "norm2", "logits"}
    assert set(params["dense1"]) == {"kernel"}
    assert set(params["logits"]) == {"kernel", "bias"}


def test_without_hidden_layers_it_is_linear():
    model = MLP((), 5)
    logits, variables = model.init_with_output(jax.random.key(0), X)
    layer = variables["params"]["logits"]
    np.testing.assert_allclose(logits, X.reshape(6, 12) @ layer["kernel"], rtol=1e-5, atol=1e-6)


def test_layers_are_composed_in_order():
    model = MLP((5, 4), 3, activation=jnp.tanh)
    logits, variables = model.init_with_output(jax.random.key(1), X)
    y = np.asarray(X).reshape(6, 12)
    for name in ("dense1", "dense2"):
        y = np.tanh(y @ variables["params"][name]["kernel"])
    np.testing.assert_allclose(logits, y @ variables["params"]["logits"]["kernel"], rtol=1e-4, atol=1e-5)


def test_two_hidden_neurons_solve_the_exclusive_or():
    # "or" and "and" in the hidden layer, "or but not and" after it.
    params = {
        "dense1": {"kernel": jnp.ones((2, 2)), "bias": jnp.array([-0.5, -1.5])},
        "logits": {"kernel": jnp.array([[1.0], [-1.0]]), "bias": jnp.array([-0.5])},
    }
    inputs = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    logits = MLP((2,), 1, activation=heaviside).apply({"params": params}, inputs)
    np.testing.assert_array_equal(heaviside(logits).ravel(), [0, 1, 1, 0])


def test_batch_norm_uses_the_batch_in_training_and_running_statistics_after():
    model = MLP((5,), 3, activation=lambda x: x, batch_norm=True)
    variables = model.init(jax.random.key(0), X)
    hidden = X.reshape(6, 12) @ variables["params"]["dense1"]["kernel"]
    _, updated = model.apply(variables, X, train=True, mutable=["batch_stats"])
    stats = updated["batch_stats"]["norm1"]
    np.testing.assert_allclose(stats["mean"], 0.1 * hidden.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * hidden.var(0), rtol=1e-4)

    params = {"params": variables["params"]}
    one = model.apply(params | updated, X[:1])
    np.testing.assert_allclose(one[0], model.apply(params | updated, X)[0], rtol=1e-5, atol=1e-6)
    trained, _ = model.apply(variables, X, train=True, mutable=["batch_stats"])
    assert float(jnp.abs(trained - model.apply(variables, X)).max()) > 0.01


def test_batch_norm_over_an_axis_equals_the_whole_batch():
    x = X.reshape(6, 12)
    whole, over = MLP((5,), 3, batch_norm=True), MLP((5,), 3, batch_norm=True, axis_name="devices")
    variables = over.init(jax.random.key(0), x)
    expected, statistics = whole.apply(variables, x, train=True, mutable=["batch_stats"])

    def part(x):
        return over.apply(variables, x, train=True, mutable=["batch_stats"])

    logits, parts = jax.vmap(part, axis_name="devices")(x.reshape(2, 3, 12))
    np.testing.assert_allclose(logits.reshape(6, 3), expected, rtol=1e-4, atol=1e-5)
    for got, want in zip(jax.tree.leaves(parts), jax.tree.leaves(statistics), strict=True):
        np.testing.assert_allclose(got, jnp.stack([want, want]), rtol=1e-4, atol=1e-6)


def test_dropout_zeroes_that_share_of_the_hidden_units_in_training_only():
    ones = jnp.ones((1, 4000))
    model = MLP((4000,), 1, activation=jnp.ones_like, dropout=0.25)
    params = {"params": {"dense1": {"kernel": jnp.zeros((1, 4000)), "bias": jnp.zeros(4000)}}}
    params["params"]["logits"] = {"kernel": ones.T, "bias": jnp.zeros(1)}
    x = jnp.ones((1, 1))
    assert float(model.apply(params, x).squeeze()) == 4000

    def dropped(seed):
        y = model.apply(params, x, train=True, rngs={"dropout": jax.random.key(seed)}).squeeze()
        return 1 - float(y) * 0.75 / 4000  # what is kept is divided by 0.75

    assert abs(dropped(0) - 0.25) < 0.03
    assert dropped(0) != dropped(1)
    assert dropped(0) == dropped(0)


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (MLP(), X[0, 0], "missing batch axis"),
        (MLP(dropout=1.0), X, r"dropout: got 1.0, expected a number in \[0, 1\)"),
        (MLP(dropout=-0.1), X, "dropout: got -0.1"),
    ],
)
def test_bad_input_is_refused(model, x, message):
    with pytest.raises(InputError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), x)
