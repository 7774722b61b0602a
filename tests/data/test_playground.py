import numpy as np
import pytest

from jaxdl.data import playground
from jaxdl.errors import InputError


def all_points(name, seed=0, **options):
    train, test = playground.points(name, seed, **options)
    return (np.concatenate([part[field] for part in (train, test)]) for field in ("input", "target"))


@pytest.mark.parametrize("name", playground.NAMES)
def test_shapes_dtypes_balance_and_range(name):
    train, test = playground.points(name, seed=0)
    assert train["input"].shape == test["input"].shape == (250, 2)
    assert train["input"].dtype == np.float32
    assert train["target"].dtype == np.int32
    inputs, targets = all_points(name)
    assert np.abs(inputs).max() < 6
    assert set(targets) == {0, 1}
    assert abs(int(targets.sum()) - 250) <= (45 if name == "xor" else 0)
    assert 90 < train["target"].sum() < 160  # mixed before the split


@pytest.mark.parametrize("name", playground.NAMES)
def test_seed_decides(name):
    first, again, other = (playground.points(name, seed, noise=0.1)[0]["input"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_circle_is_a_disc_in_a_ring():
    inputs, targets = all_points("circle")
    radius = np.linalg.norm(inputs, axis=1)
    assert radius[targets == 1].max() <= 2.5
    assert radius[targets == 0].min() >= 3.5 - 1e-5
    assert radius.max() <= 5 + 1e-5


def test_xor_is_the_sign_of_the_product_with_a_gap():
    inputs, targets = all_points("xor")
    np.testing.assert_array_equal(targets == 1, inputs.prod(axis=1) >= 0)
    assert np.abs(inputs).min() >= 0.3 - 1e-6
    assert np.abs(inputs).max() <= 5.3 + 1e-6


@pytest.mark.parametrize(("noise", "variance"), [(0.0, 0.5), (0.5, 4.0)])
def test_gauss_has_the_centres_and_the_variance(noise, variance):
    inputs, targets = all_points("gauss", noise=noise, n=4000)
    for label, centre in ((1, 2.0), (0, -2.0)):
        cloud = inputs[targets == label]
        np.testing.assert_allclose(cloud.mean(axis=0), centre, atol=0.15)
        np.testing.assert_allclose(cloud.var(axis=0), variance, rtol=0.12)


def test_spiral_arms_are_half_a_turn_apart():
    inputs, targets = all_points("spiral")
    arms = [inputs[targets == label] for label in (0, 1)]
    arms = [arm[np.argsort(np.linalg.norm(arm, axis=1))] for arm in arms]
    np.testing.assert_allclose(arms[0], -arms[1], atol=1e-5)
    radius = np.linalg.norm(arms[1], axis=1)
    np.testing.assert_allclose(radius, np.arange(250) / 50, atol=1e-5)
    angle = np.unwrap(np.arctan2(arms[1][1:, 0], arms[1][1:, 1]))
    assert abs((angle[-1] - angle[0]) / (2 * np.pi) - 1.75 * 248 / 250) < 1e-4


@pytest.mark.parametrize("name", ["circle", "xor"])
def test_noise_mislabels_some_points(name):
    inputs, targets = all_points(name, noise=0.3, n=2000)
    clean = np.linalg.norm(inputs, axis=1) < 2.5 if name == "circle" else inputs.prod(axis=1) >= 0
    assert 0.02 < (clean != targets).mean() < 0.4


def test_train_share_divides():
    train, test = playground.points("circle", seed=0, n=100, train_share=0.8)
    assert (len(train["target"]), len(test["target"])) == (80, 20)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("dataset", {"name": "cirlce"}),
        ("noise", {"noise": 0.6}),
        ("noise", {"noise": float("nan")}),
        ("n", {"n": 3}),
        ("train_share", {"train_share": 0.0}),
        ("train_share", {"train_share": 0.999}),
    ],
)
def test_refuses_what_is_out_of_range(field, options):
    with pytest.raises(InputError) as caught:
        playground.points(**{"name": "circle", "seed": 0, **options})
    assert caught.value.field == field
