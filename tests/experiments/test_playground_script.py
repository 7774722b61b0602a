"""The playground's networks share nothing, its loss is the slide's, its pictures stand upright."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import _playground
from jaxdl.data import order, playground
from jaxdl.learner import Net, TrainState
from jaxdl.learners import supervised
from jaxdl.transforms import resident

ALL_TRAIN, ALL_TEST = _playground.points(noise=0.0, drawings=3)
TRAIN, TEST = (jax.tree.map(lambda x: x[0], split) for split in (ALL_TRAIN, ALL_TEST))


def test_all_sets_as_the_slide_has_them():
    assert TRAIN["input"].shape == TEST["input"].shape == (250, 4, 2)
    assert set(np.unique(TRAIN["target"])) == {-1.0, 1.0}
    for seed, (i, name) in itertools.product(range(3), enumerate(playground.NAMES)):
        for split, drawn in zip((ALL_TRAIN, ALL_TEST), playground.points(name, seed), strict=True):
            np.testing.assert_array_equal(split["input"][seed, :, i], drawn["input"])
            np.testing.assert_array_equal(split["target"][seed, :, i] > 0, drawn["target"] == 1)


def test_a_seed_keeps_to_its_own_points():
    """Spoiling the drawings of the others changes nothing; spoiling its own does."""
    kept = _playground.own({"target": jnp.arange(3)}, jax.random.key(5))["target"]
    learner = supervised.learner(_playground.Network(()), optax.sgd(0.1), loss=_playground.half_squared_error)
    learner = _playground.on_its_own_points(resident(learner, 10, order.rows))
    step = jax.jit(lambda data: learner.step(learner.init(jax.random.key(5), data), data)[1]["loss"])

    def spoiled(chosen):
        return step({**ALL_TRAIN, "target": np.where(chosen[:, None, None], np.nan, ALL_TRAIN["target"])})

    assert spoiled(np.arange(3) != kept) == step(ALL_TRAIN)
    assert np.isnan(spoiled(np.arange(3) == kept))
    chosen = {int(_playground.own({"target": np.arange(3)}, jax.random.key(i))["target"]) for i in range(20)}
    assert chosen == {0, 1, 2}


@pytest.fixture(scope="module")
def network():
    model = _playground.Network((3, 2))
    return model, model.init(jax.random.key(0), TRAIN["input"][:1])["params"]


def test_a_network_starts_and_answers_as_in_the_playground(network):
    model, params = network
    kernels = np.concatenate([np.ravel(params[f"kernel{i}"]) for i in range(3)])
    assert -0.5 <= kernels.min() < -0.3
    assert 0.3 < kernels.max() <= 0.5
    for i in range(4):
        x = TRAIN["input"][:, i]
        for layer in range(3):
            assert (params[f"bias{layer}"] == 0.1).all()
            x = np.tanh(x @ params[f"kernel{layer}"][i] + 0.1)
        np.testing.assert_allclose(model.apply({"params": params}, TRAIN["input"])[:, i], x[:, 0], atol=1e-5)


def test_the_gradient_of_a_set_is_that_of_its_own_loss(network):
    model, params = network

    def loss(params, target, kept):
        answers = model.apply({"params": params}, TRAIN["input"][:10])[:, kept]
        return jax.vmap(_playground.half_squared_error)(answers, target[:10, kept]).mean()

    together = jax.grad(loss)(params, TRAIN["target"], slice(0, 4))
    alone = jax.grad(loss)(params, TRAIN["target"], slice(2, 3))
    for name in ("kernel0", "kernel1", "kernel2"):
        np.testing.assert_allclose(together[name][2], alone[name][2], atol=1e-6)
        assert not alone[name][jnp.array([0, 1, 3])].any()


def test_an_answer_of_zero_costs_half():
    assert _playground.half_squared_error(jnp.zeros(1), -jnp.ones(1)) == 0.5


def test_the_maps_of_a_resumed_run_are_all_there(network, tmp_path):
    model, params = network
    one = [jax.tree.map(lambda x: x[:1], split) for split in (ALL_TRAIN, ALL_TEST)]
    net = Net(jax.tree.map(lambda x: x[None], params), {}, None)
    watch = _playground.Watch(model, *one, tmp_path)
    before = watch(0, TrainState(jnp.zeros(1, jnp.int32), jax.random.key(0)[None], net))
    later = _playground.Watch(model, *one, tmp_path)
    later.maps[25] = -watch.maps[0]
    film = later.film()
    assert list(film) == [0, 25]
    np.testing.assert_array_equal(film[0], -film[25])
    answers = model.apply({"params": params}, TEST["input"])
    expected = 0.5 * ((answers - TEST["target"]) ** 2).mean(0)
    np.testing.assert_allclose(before["spiral/test_loss"], expected[3:], rtol=1e-4)
    np.testing.assert_allclose(
        before["circle/test_accuracy"], [((answers > 0) == (TEST["target"] > 0))[:, 0].mean()], atol=1e-6
    )


def test_a_frame_stands_upright():
    """Answers and one point of class 1 at the top right; a point of class -1 at the bottom left."""
    x, y = np.meshgrid(_playground.AXIS, _playground.AXIS)
    film = {0: np.array([np.where((x > 0) & (y > 0), 1.0, -1.0)])}
    rows = {"input": np.array([[[3.0, 3.0]], [[-3.0, -3.0]]]), "target": np.array([[1.0], [-1.0]])}
    frame = _playground.frames(film, rows, size=120)[0, 0].astype(int)
    assert frame.shape == (120, 120, 3)
    blue = frame[..., 2] > frame[..., 0] + 20
    assert blue[5:55, 65:115].mean() > 0.95
    assert blue[65:].mean() == 0
    dark = {label: _playground.COLOURS[label].lstrip("#") for label in (-1, 1)}
    assert frame[30, 89].tolist() == list(bytes.fromhex(dark[1]))
    assert frame[89, 30].tolist() == list(bytes.fromhex(dark[-1]))
