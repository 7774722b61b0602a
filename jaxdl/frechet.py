"""The Fréchet distance between two sets of examples, in the features of a network that knows them.

Both sets are taken for normal distributions, of which only mean and covariance are compared. With
the features of Inception v3 this is the FID of Heusel et al., "GANs trained by a two time-scale
update rule converge to a local Nash equilibrium", 2017; here the features are those of a network
of your own, so distances compare with each other, not with a published FID.
"""

from typing import NamedTuple

import numpy as np

from jaxdl.errors import require


class Moments(NamedTuple):
    """What the distance sees of a set: mean float64 [features], covariance [features, features]."""

    mean: np.ndarray
    covariance: np.ndarray


def moments(features: np.ndarray) -> Moments:
    """Mean and unbiased covariance of features [n, ...], the rest flattened, in float64.

    Raises:
      InputError: fewer than two rows, or numbers that are not finite.

    >>> moments(np.array([[0.0], [2.0]]))
    Moments(mean=array([1.]), covariance=array([[2.]]))
    """
    rows = np.asarray(features, np.float64)
    require(rows.ndim >= 2 and len(rows) >= 2, "features", rows.shape, "[n >= 2, ...]", "give more examples")
    finite = bool(np.isfinite(rows).all())
    require(finite, "features", "NaN or infinity", "finite numbers", "the network or its input is broken")
    rows = rows.reshape(len(rows), -1)
    mean = rows.mean(0)
    centred = rows - mean
    return Moments(mean, centred.T @ centred / (len(rows) - 1))


def distance(one: Moments, other: Moments) -> float:
    """|m - n|^2 + tr(S + T - 2 (S T)^(1/2)) (Dowson and Landau, 1982), >= 0.

    The trace of (S T)^(1/2) is the sum of the singular values of S^(1/2) T^(1/2). Square roots
    of symmetric matrices exist whatever their rank, unlike that of the product S T, so
    features that never vary, or fewer examples than features, do no harm.

    Raises:
      InputError: moments of different numbers of features.

    >>> distance(Moments(np.zeros(1), np.eye(1)), Moments(np.array([3.0]), 4 * np.eye(1)))
    10.0
    """
    sizes = one.mean.shape, other.mean.shape
    require(sizes[0] == sizes[1], "features", sizes, "the same number for both sets", "use one network")
    overlap = np.linalg.svd(_root(one.covariance) @ _root(other.covariance), compute_uv=False).sum()
    spread = np.trace(one.covariance) + np.trace(other.covariance) - 2 * overlap
    return float(max(np.square(one.mean - other.mean).sum() + spread, 0.0))


def _root(covariance: np.ndarray) -> np.ndarray:
    """The square root of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
