"""The two-level convolutional network: its sizes, its modes, and that it learns."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdl import InputError
from jaxdl.models import CNN

X = jnp.asarray(np.random.default_rng(0).standard_normal((6, 8, 8, 1)), jnp.float32)
SMALL = {"features": (3, 4), "hidden": 6, "outputs": 5}


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def initial(model, shape):
    return jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))


@pytest.mark.parametrize(
    ("model", "shape", "features", "pixels"),
    [
        (CNN(), (28, 28, 1), (32, 64), 7 * 7),
        (CNN(), (8, 8, 1), (32, 64), 2 * 2),
        (CNN(), (31, 29, 3), (32, 64), 7 * 7),
        (CNN(kernel_size=5, padding="VALID"), (32, 32, 3), (32, 64), 5 * 5),
        (CNN(features=(8,)), (10, 6, 2), (8,), 5 * 3),
    ],
)
def test_number_of_parameters(model, shape, features, pixels):
    taps = model.kernel_size**2
    channels = (shape[-1], *features)
    weights = sum(taps * a * b for a, b in pairwise(channels))
    dense = pixels * features[-1] * 256 + 256 + 256 * 10 + 10
    assert count(initial(model, (1, *shape))) == weights + sum(features) + dense
    # Batch norm takes the bias of a convolution and brings a scale, a bias and two statistics.
    normed = initial(model.clone(batch_norm=True), (1, *shape))
    assert count(normed["params"]) == weights + 2 * sum(features) + dense
    assert count(normed["batch_stats"]) == 2 * sum(features)


def test_the_default_on_mnist_has_824458_parameters():
    assert count(initial(CNN(), (1, 28, 28, 1))) == 824_458


def test_names_and_sizes_of_layers():
    model = CNN(batch_norm=True, dropout=0.5, kernel_size=5, padding="VALID", features=(6, 16))
    _, variables = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, capture_intermediates=True),
        jnp.zeros((2, 32, 32, 1)),
    )
    shapes = {
        name: out["__call__"][0].shape
        for name, out in variables["intermediates"].items()
        if name != "__call__"
    }
    assert shapes == {
        "conv1": (2, 28, 28, 6),  # 003:531
        "norm1": (2, 28, 28, 6),
        "conv2": (2, 10, 10, 16),
        "norm2": (2, 10, 10, 16),
        "dense1": (2, 256),
        "dropout1": (2, 256),
        "logits": (2, 10),
    }
    assert set(variables["params"]["conv1"]) == {"kernel"}


def test_fast_and_plain_layers_give_the_same_network():
    fast, plain = (CNN(**SMALL, implementation=form) for form in ("fast", "plain"))
    params = jax.jit(fast.init)(jax.random.key(0), X)

    @jax.jit
    def gradients(params):
        return [jax.grad(lambda p, m=m: jnp.square(m.apply(p, X) - 1).sum())(params) for m in (fast, plain)]

    for got, want in zip(*map(jax.tree.leaves, gradients(params)), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * float(jnp.abs(want).max()))


def test_batch_norm_uses_the_batch_in_training_and_running_statistics_after():
    model = CNN(**SMALL, batch_norm=True)
    variables = jax.jit(model.init)(jax.random.key(0), X)
    train = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))
    evaluate = jax.jit(model.apply)
    _, updated = train(variables, X)
    kernel = variables["params"]["conv1"]["kernel"]
    pixels = lax.conv_general_dilated(X, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    stats = updated["batch_stats"]["norm1"]
    np.testing.assert_allclose(stats["mean"], 0.1 * pixels.mean((0, 1, 2)), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * pixels.var((0, 1, 2)), rtol=1e-4)
    state = {"params": variables["params"], **updated}
    np.testing.assert_allclose(evaluate(state, X[:2])[0], evaluate(state, X)[0], rtol=1e-4, atol=1e-6)


def test_batch_norm_over_an_axis_equals_the_whole_batch():
    whole, over = (CNN(**SMALL, batch_norm=True, axis_name=name) for name in (None, "devices"))
    variables = jax.jit(over.init)(jax.random.key(0), X)

    def train(model, x):
        return model.apply(variables, x, train=True, mutable=["batch_stats"])

    expected, statistics = jax.jit(lambda x: train(whole, x))(X)
    parts_of = jax.jit(jax.vmap(lambda x: train(over, x), axis_name="devices"))
    logits, parts = parts_of(X.reshape(2, 3, 8, 8, 1))
    np.testing.assert_allclose(logits.reshape(6, 5), expected, rtol=1e-3, atol=1e-5)
    for got, want in zip(jax.tree.leaves(parts), jax.tree.leaves(statistics), strict=True):
        np.testing.assert_allclose(got, jnp.stack([want, want]), rtol=1e-3, atol=1e-6)


def test_dropout_is_random_in_training_only():
    model = CNN(**SMALL, dropout=0.5)
    variables = jax.jit(model.init)(jax.random.key(0), X)

    @jax.jit
    def train(seed):
        return model.apply(variables, X, train=True, rngs={"dropout": jax.random.key(seed)})

    assert jnp.array_equal(train(0), train(0))
    assert not jnp.array_equal(train(0), train(1))
    without = jax.jit(lambda v: CNN(**SMALL).apply(v, X, train=True))(variables)
    assert jnp.array_equal(jax.jit(model.apply)(variables, X), without)


def test_it_learns_one_batch_by_heart():
    model, labels = CNN(**SMALL), jnp.array([0, 1, 2, 3, 4, 0])
    params = jax.jit(model.init)(jax.random.key(1), X)["params"]

    def loss(params):
        return -jnp.take_along_axis(
            nn_log_softmax(model.apply({"params": params}, X)), labels[:, None], 1
        ).mean()

    def nn_log_softmax(logits):
        return jax.nn.log_softmax(logits)

    def step(params, _):
        value, grads = jax.value_and_grad(loss)(params)
        return jax.tree.map(lambda w, g: w - 0.3 * g, params, grads), value

    params, losses = jax.jit(lambda params: lax.scan(step, params, length=300))(params)
    assert losses[0] > 1
    assert losses[-1] < 0.05
    assert jnp.array_equal(model.apply({"params": params}, X).argmax(-1), labels)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (CNN(), (28, 28, 1), "missing batch or channel axis"),
        (CNN(), (8, 28, 28), "missing batch or channel axis"),
        (CNN(features=(4, 4, 4)), (1, 7, 7, 1), r"got \(1, 1\), expected at least the window \(2, 2\)"),
        (
            CNN(kernel_size=5, padding="VALID"),
            (1, 8, 8, 1),
            r"got \(2, 2\), expected at least the window \(5, 5\)",
        ),
        (CNN(dropout=1.0), (1, 8, 8, 1), "dropout: got 1.0"),
        (CNN(implementation="slow"), (1, 8, 8, 1), "implementation: got 'slow'"),
    ],
)
def test_bad_input_is_refused(model, shape, message):
    with pytest.raises(InputError, match=message):
        initial(model, shape)
