import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from jaxdl import metrics

MEASURES = {"accuracy": metrics.accuracy, "confusion": metrics.confusion}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 10**6))
def test_any_split_into_batches_gives_scikit_learns_figures(n, batch_size, seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(n, 4)).astype(np.float32), rng.integers(0, 4, n)
    batches = metrics.masked_batches({"logits": logits, "target": labels}, batch_size)

    def evaluate(_, batch):
        return metrics.sums(MEASURES, batch["logits"], batch["target"], batch["mask"])

    total = metrics.over_batches(evaluate)(None, batches)
    assert total["count"] == n
    predicted = logits.argmax(1)
    np.testing.assert_allclose(
        metrics.mean(total)["accuracy"], reference.accuracy_score(labels, predicted), rtol=1e-6
    )
    np.testing.assert_array_equal(
        total["confusion"], reference.confusion_matrix(labels, predicted, labels=range(4))
    )
    _equals_scikit_learns(metrics.precision_recall_f1(total["confusion"]), labels, predicted)


def _equals_scikit_learns(ours, labels, predicted):
    theirs = reference.precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
    for name, expected in zip(("precision", "recall", "f1"), theirs, strict=False):
        np.testing.assert_allclose(ours[name], expected, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_any_uneven_cut_gives_scikit_learns_figures(seed):
    """Batches of any lengths, empty ones included, in any order; one class never occurs."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)
    mask = np.ones(50, np.float32)
    batches = np.split(rng.permutation(50), np.sort(rng.integers(0, 51, 4)))
    parts = [metrics.sums(MEASURES, logits[rows], labels[rows], mask[rows]) for rows in batches]
    total = jax.tree.map(lambda *each: sum(each), *parts)
    predicted = logits.argmax(1)
    mean = metrics.mean(total)
    np.testing.assert_allclose(mean["accuracy"], reference.accuracy_score(labels, predicted), rtol=1e-6)
    counts = reference.confusion_matrix(labels, predicted, labels=range(4))
    np.testing.assert_array_equal(total["confusion"], counts)
    for confusion in (total["confusion"], mean["confusion"]):  # of counts or of shares
        _equals_scikit_learns(metrics.precision_recall_f1(confusion), labels, predicted)


def test_padding_counts_nothing_even_where_it_is_not_finite():
    predictions = jnp.array([[1.0, 0.0], [jnp.nan, jnp.nan]])
    loss = {"loss": lambda p, t: p.sum()}
    total = metrics.sums(loss, predictions, jnp.array([0, 0]), jnp.array([1.0, 0.0]))
    assert total == {"count": 1, "loss": 1}


def test_nan_logits_are_wrong():
    assert float(metrics.confusion(jnp.full(3, jnp.nan), 0).sum()) == 0
    assert metrics.accuracy(jnp.array([jnp.nan, jnp.nan]), jnp.array(0)) == 0


@pytest.mark.parametrize(("n", "batch_size", "shape"), [(10, 4, (3, 4)), (10, 5, (2, 5)), (3, 512, (1, 3))])
def test_masked_batches_cover_the_data_once(n, batch_size, shape):
    batches = metrics.masked_batches({"x": np.arange(n)}, batch_size)
    assert batches["mask"].shape == shape
    assert batches["x"][batches["mask"] == 1].tolist() == list(range(n))


def test_sums_add_up_over_seeds():
    logits = jax.random.normal(jax.random.key(0), (3, 8, 4))
    labels, mask = jnp.arange(8) % 4, jnp.ones(8)
    stacked = jax.vmap(lambda x: metrics.sums(MEASURES, x, labels, mask))(logits)
    assert stacked["confusion"].shape == (3, 4, 4)
    assert (stacked["confusion"].sum((1, 2)) == 8).all()
