import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdl.data import balance
from jaxdl.errors import InputError

METHODS = {"under": balance.under_sample, "over": balance.over_sample, "smote": balance.smote}


def task(seed, counts=(30, 7, 12), dtype=np.float32):
    """Shuffled rows of three classes, numbered 0, 2 and 5."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 2, 5], counts)).astype(np.int32)
    return rng.normal(size=(len(labels), 3)).astype(dtype), labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", METHODS)
def test_classes_become_equal_and_the_same_draws_give_the_same_rows(name, dtype):
    inputs, labels = task(0, dtype=dtype)
    before = inputs.copy(), labels.copy()
    runs = [METHODS[name](inputs, labels, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    (rows, classes), again, other = runs
    assert (rows.dtype, classes.dtype) == (dtype, np.int32)
    each = 7 if name == "under" else 30
    assert dict(zip(*np.unique(classes, return_counts=True), strict=True)) == {0: each, 2: each, 5: each}
    np.testing.assert_array_equal(rows, again[0])
    assert not np.array_equal(rows, other[0])
    for now, then in zip((inputs, labels), before, strict=True):
        np.testing.assert_array_equal(now, then)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(6, 25), min_size=3, max_size=3), st.integers(0, 10**6))
def test_where_the_rows_come_from(counts, seed):
    inputs, labels = task(seed, counts)
    number = {(*row, label): i for i, (row, label) in enumerate(zip(inputs, labels, strict=True))}

    def origin(rows, classes):  # KeyError: a row, or a row's label, that was not there
        return [number[(*row, label)] for row, label in zip(rows, classes, strict=True)]

    kept = origin(*balance.under_sample(inputs, labels, np.random.default_rng(seed)))
    assert len(set(kept)) == len(kept) == 3 * min(counts)
    repeated = origin(*balance.over_sample(inputs, labels, np.random.default_rng(seed)))
    assert repeated[: len(labels)] == list(range(len(labels)))
    assert len(repeated) == 3 * max(counts)


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 5), st.integers(0, 10**6))
def test_invented_rows_lie_between_a_row_and_one_of_its_neighbours(neighbours, seed):
    inputs, labels = task(seed, dtype=np.float64)
    more, classes = balance.smote(inputs, labels, np.random.default_rng(seed), neighbours)
    np.testing.assert_array_equal(more[: len(labels)], inputs)
    np.testing.assert_array_equal(classes[: len(labels)], labels)
    for new, label in zip(more[len(labels) :], classes[len(labels) :], strict=True):
        points = inputs[labels == label]
        distances = np.linalg.norm(points[:, None] - points, axis=-1)
        x, y = np.argwhere(distances.argsort(1).argsort(1) <= neighbours).T
        away = points[y] - points[x]
        length = np.maximum((away**2).sum(1), 1e-30)
        gap = np.clip(((new - points[x]) * away).sum(1) / length, 0, 1)
        off = np.linalg.norm(points[x] + gap[:, None] * away - new, axis=1)
        assert off[x != y].min() < 1e-12


def test_gaps_are_uniform_and_every_pair_is_drawn():
    inputs = np.array([[0.0]] * 3003 + [[10.0], [11.0], [13.0]])
    labels = np.repeat([0, 1], [3003, 3])
    more, _ = balance.smote(inputs, labels, np.random.default_rng(0), neighbours=2)
    new = more[3006:, 0]
    # Pairs 10-11, 10-13 and 11-13, all alike; so are the places between the two.
    below = 1 / 3 * 1 + 1 / 3 * 1 / 3
    assert len(new) == 3000
    assert abs((new < 11).mean() - below) < 4 * (below * (1 - below) / 3000) ** 0.5
    assert abs(new.mean() - 34 / 3) < 4 * new.std() / 3000**0.5


def test_a_class_that_needs_nothing_is_left_alone():
    inputs, labels = task(0, (3, 3, 3))
    for name in ("over", "smote"):  # where nothing is to be invented, few rows do no harm
        rows, classes = METHODS[name](inputs, labels, np.random.default_rng(0))
        np.testing.assert_array_equal(rows, inputs)
        np.testing.assert_array_equal(classes, labels)


INPUTS, LABELS = task(0)


@pytest.mark.parametrize(
    ("inputs", "labels", "neighbours", "message"),
    [
        (INPUTS[1:], LABELS, 5, "inputs: got '48 inputs, 49 labels'"),
        (INPUTS, LABELS.astype(float), 5, "labels: got 'float64'"),
        (INPUTS, LABELS[:, None], 5, "labels: got 'shape"),
        (INPUTS, np.zeros(49, int), 5, "at least two classes"),
        (INPUTS, LABELS, 0, "neighbours: got 0"),
        (INPUTS, LABELS, 7, "fewer than the 7 rows"),
        (INPUTS[:, :, None], LABELS, 5, "flatten images"),
        ((100 * INPUTS).astype(np.int32), LABELS, 5, "inputs: got 'int32'"),
        (np.where(INPUTS[3] == INPUTS, np.nan, INPUTS), LABELS, 5, "NaN or infinity"),
    ],
)
def test_what_cannot_be_balanced_is_refused(inputs, labels, neighbours, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        balance.smote(inputs, labels, np.random.default_rng(0), neighbours)


@pytest.mark.parametrize("name", ["under", "over"])
def test_images_of_any_dtype_can_be_drawn_again(name):
    images = np.arange(4 * 6, dtype=np.uint8).reshape(4, 2, 3, 1)
    rows, labels = METHODS[name](images, np.array([0, 1, 1, 1]), np.random.default_rng(0))
    assert (rows.shape[1:], rows.dtype) == ((2, 3, 1), np.uint8)
    assert (rows[labels == 0] == images[0]).all()
