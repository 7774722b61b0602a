"""The slides' worked numbers, digit by digit, where the scripts' own claims do not say it all."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.foundations import (
    _boxes,
    _networks,
    _triplets,
    curve_detector,
    divergence,
    filters,
    lasso,
    outliers,
    regression,
)
from jaxdl import losses, models
from jaxdl.errors import InputError
from jaxdl.models.vgg import TABLE


@pytest.fixture(scope="module")
def trajectory():
    with jax.enable_x64(True):
        return regression.descend(1.0, 0.01, 100)


def test_the_printed_numbers_to_the_last_digit(trajectory):
    gradients, weights, losses = trajectory
    assert [repr(float(each)) for each in gradients[0]] == ["-2.0", "-7.84", "-16.2288"]
    assert repr(float(losses[0])) == "4.919240100095999"
    assert weights[0] == pytest.approx(1.260688, abs=1e-12)


def test_the_whole_trajectory(trajectory):
    _, weights, losses = trajectory
    expected = {1: (1.453417766656, 2.688769240265834), 2: (1.5959051959, 1.46963349629),
                9: (1.9512159835, 0.0214189224), 19: (1.9976201197, 5.0974e-05),
                49: (1.99999972370, 6.87e-13), 99: (1.9999999999999236, 5.25e-26)}  # fmt: skip
    for epoch, (weight, loss) in expected.items():
        assert weights[epoch] == pytest.approx(weight, abs=1e-10)
        assert losses[epoch] == pytest.approx(loss, rel=1e-2 if epoch > 9 else 1e-8)
    # Every pass leaves 0.98 * 0.92 * 0.82 of the error.
    np.testing.assert_allclose(np.diff(np.log(2 - weights[:50])), np.log(0.98 * 0.92 * 0.82), rtol=1e-6)


def test_float32_does_not_print_the_slides_digits_and_float64_does_not_leak(trajectory):
    assert jnp.zeros(()).dtype == jnp.float32
    w = jnp.float32(1.0)
    for x, y in zip((1.0, 2.0, 3.0), (2.0, 4.0, 6.0), strict=True):
        w = w - jnp.float32(0.01) * jax.grad(regression.cost)(w, x, y)
    assert float(regression.cost(w, 3.0, 6.0)) != trajectory[2][0]


def test_the_largest_rate_of_one_example_is_the_textbook_one():
    # |1 - 2 rate x^2| = 1 at rate = 1 / x^2.
    assert divergence.largest_rate(np.array([4.0])) == pytest.approx(0.25)


@pytest.mark.parametrize("weight", [3.0, 30.0])
def test_lasso_and_ridge_equal_scikit_learn(weight):
    from sklearn.linear_model import Lasso, Ridge

    config = dataclasses.replace(lasso.Config(), seeds=1, rows=40)
    x, y = (np.asarray(each[0], np.float64) for each in lasso.data(config))
    with jax.enable_x64(True):
        ours = [solve(jnp.array(x), jnp.array(y), weight) for solve in (lasso.lasso, lasso.ridge)]
    # scikit-learn halves the mean of the squares: alpha = p / (2 n).
    theirs = Lasso(alpha=weight / (2 * len(x)), fit_intercept=False, tol=1e-12).fit(x, y).coef_
    np.testing.assert_allclose(ours[0], theirs, atol=1e-8)
    theirs = Ridge(alpha=weight, fit_intercept=False).fit(x, y).coef_
    np.testing.assert_allclose(ours[1], theirs, atol=1e-10)


def test_the_feature_map_is_the_sum_of_products_at_every_place():
    generator = np.random.default_rng(0)
    image, kernel = generator.normal(size=(9, 8)).astype("f"), generator.normal(size=(3, 3)).astype("f")
    expected = [[(image[i : i + 3, j : j + 3] * kernel).sum() for j in range(6)] for i in range(7)]
    np.testing.assert_allclose(curve_detector.feature_map(image, kernel), expected, rtol=1e-4, atol=1e-5)


def test_the_photograph_is_read_without_a_network():
    image = filters.photograph(filters.Config(size=32))
    assert image.shape == (32, 32)
    assert image.dtype == np.float32
    assert 0 <= image.min() < image.max() <= 1


def size(model, *shape):
    return _networks.count(_networks.weights(model, *shape))


def test_the_parameters_of_every_vgg():
    counts = {column: size(models.VGG(column), 224, 224, 3) for column in TABLE}
    assert counts == {"A": 132_863_336, "A-LRN": 132_863_336, "B": 133_047_848, "C": 133_638_952,
                      "D": 138_357_544, "E": 143_667_240}  # fmt: skip


def test_the_parameters_of_the_other_networks():
    assert size(_networks.AlexNet(), 227, 227, 3) == 60_965_224
    assert size(_networks.AlexNet(grouped=False), 227, 227, 3) == 62_378_344
    assert size(_networks.ResNet50(), 224, 224, 3) == 25_557_032  # as torchvision's
    assert size(_networks.Decoder(), 100) == 18_868_483


def test_the_maps_inside_of_the_networks():
    shapes = _networks.maps(_networks.AlexNet(), "conv", 227, 227, 3)
    assert shapes == [(55, 55, 96), (27, 27, 256), (13, 13, 384), (13, 13, 384), (13, 13, 256)]
    shapes = _networks.maps(_networks.ResNet50(), "block", 224, 224, 3)
    assert [shapes[i] for i in (2, 6, 12, 15)] == [(56, 56, 256), (28, 28, 512), (14, 14, 1024), (7, 7, 2048)]
    shapes = _networks.maps(_networks.Decoder(), "deconv", 100)
    assert shapes == [(8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]


def test_a_box_that_is_coded_comes_back():
    boxes = [_boxes.Box(0.31, 0.52, 0.12, 0.04, 0), _boxes.Box(0.33, 0.49, 0.05, 0.12, 2),
             _boxes.Box(0.9, 0.1, 0.1, 0.2, 1)]  # fmt: skip
    grid = _boxes.encode_grid(boxes, 5, [(0.12, 0.04), (0.05, 0.12)])
    assert grid.shape == (5, 5, 16)
    assert np.count_nonzero(grid.reshape(25, 16).any(1)) == 2
    found = _boxes.decode_grid(grid)
    np.testing.assert_allclose(sorted(found), sorted(boxes), atol=1e-12)
    with pytest.raises(InputError, match="one box of each kind"):
        _boxes.encode([boxes[0], boxes[0]])


def test_what_overlaps():
    assert _boxes.overlap((2.0, 1.0), (2.0, 1.0)) == 1
    assert _boxes.overlap((2.0, 1.0), (1.0, 2.0)) == pytest.approx(1 / 3)


def test_the_line_of_least_squares_is_polyfits_and_that_of_l1_ignores_outliers():
    x = np.linspace(-1, 1, 20).astype("f")
    y = (0.5 + x).astype("f")
    spoiled = y.copy()
    spoiled[-3:] += 10
    least = outliers.fit(losses.squared_error, jnp.array(x), jnp.array(spoiled), 3000)
    np.testing.assert_allclose(least, np.polyfit(x, spoiled, 1)[::-1], atol=1e-2)
    robust = outliers.fit(losses.absolute_error, jnp.array(x), jnp.array(spoiled), 3000)
    np.testing.assert_allclose(robust, [0.5, 1.0], atol=1e-2)


def test_the_gradient_of_a_triplet():
    anchor, positive, negative = jnp.array([0.0, 0.0]), jnp.array([1.0, 0.0]), jnp.array([0.0, 0.5])
    slope = jax.grad(_triplets.loss, argnums=(0, 1, 2))
    # 2 (x- - x+), 2 (x+ - x) and 2 (x - x-): the positive comes nearer, the negative goes away.
    np.testing.assert_allclose(slope(anchor, positive, negative, 0.5), [[-2, 1], [2, 0], [0, -1]])
    assert not np.any(slope(anchor, positive, 3 * negative, 0.5))
    assert _triplets.valid(12, 4) == 12 * 3 * 8
