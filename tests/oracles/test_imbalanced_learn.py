"""Balancing against imbalanced-learn, which gets the very draws that ours takes."""

import warnings

import numpy as np
import pytest

from jaxdl.data import balance

pytestmark = pytest.mark.oracle
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of its imports: nothing of ours
    over_sampling = pytest.importorskip("imblearn.over_sampling")
    under_sampling = pytest.importorskip("imblearn.under_sampling")


class Draws(np.random.RandomState):
    """What scikit-learn takes for a `RandomState`, drawing from a `Generator`."""

    def __init__(self, seed):
        super().__init__(0)
        self.generator = np.random.default_rng(seed)

    def randint(self, low, high, size):
        return self.generator.integers(low, high, size=size)

    def uniform(self, size):
        return self.generator.uniform(size=size)

    def choice(self, a, size, replace):
        return self.generator.choice(np.asarray(a), size, replace=replace)


def task(seed, dtype):
    """Five classes, two the commonest and two the rarest; equal rows, and equal distances."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1, 3, 4, 7], [40, 9, 40, 9, 17]))
    inputs = rng.normal(size=(len(labels), 6)).round(rng.integers(1, 4)).astype(dtype)
    inputs[labels == 1] = inputs[rng.choice(np.flatnonzero(labels == 1), 9)]
    return inputs, labels


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (balance.under_sample, under_sampling.RandomUnderSampler, {}),
        (balance.over_sample, over_sampling.RandomOverSampler, {}),
        (balance.smote, over_sampling.SMOTE, {}),
        (balance.smote, over_sampling.SMOTE, {"neighbours": 3}),
    ],
)
def test_equal_to_imbalanced_learn_given_the_same_draws(ours, theirs, options, seed, dtype):
    inputs, labels = task(seed, dtype)
    names = {"neighbours": "k_neighbors"}
    sampler = theirs(random_state=Draws(seed + 100), **{names[key]: v for key, v in options.items()})
    expected = sampler.fit_resample(inputs, labels)
    rows, classes = ours(inputs, labels, np.random.default_rng(seed + 100), **options)
    np.testing.assert_array_equal(rows, expected[0])
    np.testing.assert_array_equal(classes, expected[1])
    assert (rows.dtype, classes.dtype) == (expected[0].dtype, expected[1].dtype)
