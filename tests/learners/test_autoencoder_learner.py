"""Learning to give the input back: the loss as on the slide, noise, sparsity, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import InputError
from jaxdl.data import pointcloud
from jaxdl.learners import autoencoder
from jaxdl.models import Autoencoder, relu
from jaxdl.transforms import many_steps, over_settings

X = jnp.asarray(np.random.default_rng(0).uniform(size=(6, 5)), jnp.float32)
BATCH = {"input": X, "target": jnp.zeros(6, jnp.int32)}
MODEL = Autoencoder((5,), 4, (7,), code_activation=relu)
SGD = optax.sgd(0.1)


def one_step(batch=BATCH, seed=0, **options):
    learner = autoencoder.learner(MODEL, SGD, **options)
    state = jax.jit(learner.init)(jax.random.key(seed), batch)
    after, measured = jax.jit(learner.step)(state, batch)
    return state, after, measured


def test_the_loss_is_that_of_the_slide():
    """003:1143: Obj = L(x, x^) + lambda sum_i |a_i|."""
    state, _, measured = one_step(sparsity=0.5)
    code = MODEL.apply({"params": state.net.params}, X, method="encode")
    output = MODEL.apply({"params": state.net.params}, X)
    squares = np.square(output - X)
    expected = squares.sum(1).mean() + 0.5 * np.abs(code).sum(1).mean()
    np.testing.assert_allclose(measured["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(measured["error"], squares.mean(), rtol=1e-5)
    np.testing.assert_allclose(measured["active"], (code > 0.001).sum(1).mean(), rtol=1e-6)


def test_active_units_are_counted_per_example():
    code = jnp.array([[0.0, 0.001, 0.002], [-1.0, 0.5, 0.5]])
    np.testing.assert_array_equal(autoencoder.active(code), [1.0, 2.0])


def test_noise_is_on_the_input_only_and_new_at_each_step():
    state, after, measured = one_step(noise=0.3)
    # The target stays clean: with the decoder's weights gone, the loss is |x - bias|^2 in any noise.
    silent = jax.tree.map(jnp.zeros_like, state.net.params)
    learner = autoencoder.learner(MODEL, SGD, noise=0.3)
    _, blind = jax.jit(learner.step)(state.replace(net=state.net.replace(params=silent)), BATCH)
    np.testing.assert_allclose(blind["loss"], np.square(X).sum(1).mean(), rtol=1e-6)
    assert measured["loss"] != one_step()[2]["loss"]
    _, again = jax.jit(learner.step)(state.replace(step=after.step), BATCH)
    assert measured["loss"] != again["loss"]


def test_corrupt_has_the_deviation_that_was_asked_for():
    noisy = autoencoder.corrupt(jax.random.key(0), jnp.full((100, 100), 0.5), 0.3)
    np.testing.assert_allclose(noisy.std(), 0.3, rtol=0.02)
    assert noisy.min() < 0, "not clipped"


def test_bytes_are_scaled_and_augmented():
    levels = jnp.asarray(np.random.default_rng(1).integers(0, 256, (6, 5)), jnp.uint8)
    state, _, from_bytes = one_step({"input": levels})
    _, _, from_floats = one_step({"input": levels / jnp.float32(255)})
    np.testing.assert_allclose(from_bytes["loss"], from_floats["loss"], rtol=1e-6)
    learner = autoencoder.learner(MODEL, SGD, augment=lambda key, x: 1 - x)
    _, inverted = jax.jit(learner.step)(state, {"input": 255 - levels})
    np.testing.assert_allclose(inverted["loss"], from_floats["loss"], rtol=1e-5)


def test_evaluate_takes_noisy_inputs_and_leaves_out_padding():
    learner = autoencoder.learner(MODEL, SGD)
    state = learner.init(jax.random.key(0), BATCH)
    evaluate = autoencoder.evaluate(MODEL, noise=0.1)
    noisy = X + 0.1
    sums = evaluate(state, {"input": X, "noisy": noisy, "mask": jnp.array([1.0, 1, 0, 0, 1, 0])})
    output = MODEL.apply({"params": state.net.params}, noisy)
    expected = np.square(output - X).mean(1)[np.array([0, 1, 4])].sum()
    np.testing.assert_allclose(sums["error"], expected, rtol=1e-5)
    assert sums["count"] == 3
    own = evaluate(state, {"input": X})
    assert own["count"] == 6
    assert own["error"] != autoencoder.evaluate(MODEL)(state, {"input": X})["error"]


def test_the_penalty_silences_units():
    batch = {"input": jnp.asarray(np.random.default_rng(2).uniform(size=(64, 5)), jnp.float32)}

    def make(sparsity):
        return autoencoder.learner(MODEL, optax.adam(1e-2), sparsity=sparsity)

    learner = many_steps(over_settings(make, {"sparsity": [0.0, 1.0]}, "vmap"), 200)
    stacked = jax.tree.map(lambda x: jnp.broadcast_to(x, (200, *x.shape)), batch)
    _, measured = jax.jit(learner.step)(learner.init(jax.random.key(0), stacked), stacked)
    dense, sparse = measured["active"][-1]
    assert sparse < 0.5 * dense


@pytest.mark.parametrize("name", ["noise", "sparsity"])
def test_negative_weights_are_refused(name):
    with pytest.raises(InputError, match=f"{name}: got -1"):
        autoencoder.learner(MODEL, SGD, **{name: -1})


@pytest.mark.parametrize("name", pointcloud.NAMES)
def test_point_clouds_are_about_their_curve(name):
    points = pointcloud.cloud(name, seed=3, n=50)
    assert points.dtype == np.float32
    np.testing.assert_array_equal(points, pointcloud.cloud(name, seed=3, n=50))
    assert (points != pointcloud.cloud(name, seed=4, n=50)).any()
    curve = np.stack(pointcloud.CURVES[name](np.linspace(0, 1, 2000)), 1)
    nearest = np.linalg.norm(points[:, None] - curve[None], axis=-1).min(1)
    assert nearest.max() < 0.25
    assert pointcloud.cloud(name, seed=3, n=50, noise=0.0).shape == (50, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "arch"}, "cloud: got 'arch'.*did you mean 'arc'"),
        ({"n": 0}, "n: got 0"),
        ({"noise": -0.1}, "noise: got -0.1"),
    ],
)
def test_bad_clouds_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        pointcloud.cloud(**{"name": "arc", "seed": 0, **options})
