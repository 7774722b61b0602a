"""The residual perceptron: the scan is a loop over its blocks, and the program does not grow."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import InputError
from jaxdl.learners import supervised
from jaxdl.models import Residual

KEY = jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3, 2)), jnp.float32)
MODEL = Residual(width=5, depth=3, outputs=2)


def by_hand(params, x):
    """The same network as a Python loop over the blocks."""

    def norm(p, x):
        x = x - x.mean(-1, keepdims=True)
        return x / jnp.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p["scale"][None] + p["bias"][None]

    def dense(p, x):
        return x @ p["kernel"] + p["bias"][None]

    x = dense(params["dense"], x.reshape(len(x), -1))
    for i in range(3):
        block = jax.tree.map(lambda leaf, i=i: leaf[i], params["blocks"])
        x = x + dense(block["dense2"], jnp.maximum(dense(block["dense1"], norm(block["norm"], x)), 0))
    return dense(params["logits"], norm(params["norm"], x))


def test_the_scan_is_a_loop_over_the_blocks():
    def both(key):
        params = MODEL.init(key, X)["params"]
        # Biases and scales away from their first values, so that each has to be at its place.
        params = jax.tree.map(lambda p: p + 0.1 * jnp.cos(jnp.arange(p.size)).reshape(p.shape), params)
        ways = [lambda p: MODEL.apply({"params": p}, X), lambda p: by_hand(p, X)]
        return [(way(params), jax.grad(lambda p, way=way: (way(p) ** 2).sum())(params)) for way in ways]

    scanned, looped = jax.jit(both)(KEY)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), scanned, looped)


def test_every_block_begins_with_weights_of_its_own():
    kernels = jax.jit(MODEL.init)(KEY, X)["params"]["blocks"]["dense1"]["kernel"]
    assert kernels.shape == (3, 5, 5)
    assert not np.allclose(kernels[0], kernels[1])


def test_a_deep_one_learns_and_compiles_to_the_same_program():
    batch = {"input": X, "target": jnp.arange(4) % 2}
    learner = supervised.learner(MODEL.clone(depth=16), optax.adam(1e-2))
    state, step = jax.jit(learner.init)(KEY, batch), jax.jit(learner.step)
    losses = []
    for _ in range(30):
        state, metrics = step(state, batch)
        losses.append(float(metrics["loss"]))
    assert losses[-1] < 0.05 * losses[0]
    # The text of the traced step names shapes only: with 4 blocks it has as many equations as with 64.
    sizes = []
    for depth in (4, 64):
        deep = supervised.learner(MODEL.clone(depth=depth), optax.sgd(0.1))
        abstract = jax.eval_shape(deep.init, KEY, batch)
        sizes.append(jax.jit(deep.step).lower(abstract, batch).as_text().count("\n"))
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("model", "x", "message"),
    [
        (MODEL.clone(depth=0), X, "depth: got 0"),
        (MODEL.clone(width=2.5), X, "width: got 2.5"),
        (MODEL, X[0, 0], "missing batch axis"),
    ],
)
def test_bad_input_is_refused(model, x, message):
    with pytest.raises(InputError, match=message):
        model.init(KEY, x)
