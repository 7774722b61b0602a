"""The Fréchet distance against scipy's matrix root, a formula without roots, and known answers."""

import numpy as np
import pytest
import scipy.linalg

from jaxdl import InputError
from jaxdl.frechet import Moments, distance, moments


def features(seed, n=300, d=7):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d)) @ generator.standard_normal((d, d)) + generator.standard_normal(
        d
    )


@pytest.mark.parametrize("seed", range(4))
def test_it_equals_the_definition_with_scipy(seed):
    one, other = moments(features(seed)), moments(features(seed + 100))
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance).real
    expected = np.square(one.mean - other.mean).sum() + np.trace(one.covariance + other.covariance - 2 * root)
    assert distance(one, other) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(300, 7), (5, 20)], ids=["full rank", "fewer rows than features"])
def test_it_equals_the_optimal_transport_of_the_rows(n, d):
    """tr (S T)^(1/2) is the nuclear norm of X Y^T for centred rows X, Y: no covariance, no root."""
    x, y = features(1, n, d), features(2, n, d)
    cx, cy = x - x.mean(0), y - y.mean(0)
    overlap = np.linalg.norm(cx @ cy.T, "nuc") / (n - 1)
    expected = (
        np.square(x.mean(0) - y.mean(0)).sum()
        + (np.square(cx).sum() + np.square(cy).sum()) / (n - 1)
        - 2 * overlap
    )
    # Half of the digits is all that the root of a rounded zero can keep.
    assert distance(moments(x), moments(y)) == pytest.approx(expected, rel=1e-6)


def test_known_answers():
    x = features(0)
    assert distance(moments(x), moments(x)) < 1e-10
    assert distance(moments(x), moments(x + 2)) == pytest.approx(4 * 7)  # a shift
    scaled = moments(3 * (x - x.mean(0)))
    assert distance(moments(x - x.mean(0)), scaled) == pytest.approx(4 * np.trace(moments(x).covariance))
    diagonal = [Moments(np.zeros(2), np.diag(np.square(s))) for s in ([1.0, 5.0], [4.0, 2.0])]
    assert distance(*diagonal) == pytest.approx(3**2 + 3**2)


def test_it_is_symmetric_and_a_rotation_changes_nothing():
    x, y = features(0), features(1)
    rotation, _ = np.linalg.qr(features(2, 7, 7))
    there = distance(moments(x), moments(y))
    assert there == pytest.approx(distance(moments(y), moments(x)))
    assert there == pytest.approx(distance(moments(x @ rotation), moments(y @ rotation)))
    assert there > 1


def test_moments_are_those_of_numpy_and_flatten_maps():
    x = features(3, 50, 12).astype(np.float32)
    found = moments(x.reshape(50, 2, 3, 2))
    np.testing.assert_allclose(found.covariance, np.cov(x.astype(np.float64), rowvar=False), rtol=1e-12)
    np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(0), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: moments(np.zeros((1, 3))), r"features: got \(1, 3\)"),
        (lambda: moments(np.full((3, 3), np.nan)), "NaN or infinity"),
        (lambda: distance(moments(np.eye(3)), moments(np.eye(4))), "the same number"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
