"""Sequences of numbers: they are what they are called, stay in range, and come from their seed."""

import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.data import sequences


def shown(rows, i):
    return rows["input"][i, : rows["length"][i], 0].astype(np.float64), float(rows["target"][i, 0])


def test_progressions_go_on_as_they_began():
    rows = sequences.progressions(0, 400)
    for i in range(400):
        values, target = shown(rows, i)
        whole = np.append(values, target)
        assert whole.min() >= 0
        assert whole.max() <= 100.001
        if i % 2 == 0:
            np.testing.assert_allclose(np.diff(whole), whole[1] - whole[0], atol=1e-3)
        else:
            np.testing.assert_allclose(whole[1:] / whole[:-1], whole[1] / whole[0], rtol=1e-3)
            assert 0.33 < whole[1] / whole[0] < 3.01
        assert not rows["input"][i, len(values) :].any()
    assert set(rows["length"]) == {3, 4, 5, 6}


def test_slide_pair():
    rows = sequences.slide_pair()
    assert shown(rows, 0)[0].tolist() == [6, 7, 8]
    assert shown(rows, 1)[0].tolist() == [2, 4, 8]
    assert rows["target"].tolist() == [[9], [16]]
    assert sequences.memoryless_error(rows, bins=1) == pytest.approx(12.25)


def test_memoryless_error_is_a_bound_that_memory_breaks():
    rows = sequences.progressions(1, 4000)
    bound = sequences.memoryless_error(rows)
    last = np.take_along_axis(rows["input"][..., 0], rows["length"][:, None] - 1, axis=1)
    assert bound < np.square(rows["target"] - last).mean()
    assert bound > 50  # far from what a model with memory can do
    knows = {**rows, "target": last}
    assert sequences.memoryless_error(knows) < 1e-6


def test_unit():
    rows = sequences.unit(sequences.slide_pair())
    np.testing.assert_allclose(rows["target"], [[0.09], [0.16]], rtol=1e-6)
    assert rows["length"].tolist() == [3, 3]
    assert rows["input"].dtype == np.float32


def test_adding():
    rows = sequences.adding(0, 2000, length=100)
    numbers, marks = rows["input"][..., 0], rows["input"][..., 1]
    assert (marks.sum(1) == 2).all()
    assert (marks[:, :50].sum(1) == 1).all()
    np.testing.assert_allclose((numbers * marks).sum(1), rows["target"][:, 0], rtol=1e-6)
    assert rows["target"].var() == pytest.approx(1 / 6, rel=0.1)
    assert marks.mean(0).max() < 0.05


@pytest.mark.parametrize("draw", [sequences.progressions, sequences.adding])
def test_seeds(draw):
    one, again, other = (draw(seed, 5)["input"] for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: sequences.progressions(0, 0), "n: got 0"),
        (lambda: sequences.progressions(0, 1, 2, 5), r"shortest\.\.longest: got '2\.\.5'"),
        (lambda: sequences.progressions(0, 1, 5, 4), r"shortest\.\.longest: got '5\.\.4'"),
        (lambda: sequences.adding(0, 0), "n: got 0"),
        (lambda: sequences.adding(0, 1, 1), "length: got 1"),
    ],
)
def test_bad_input_is_refused(call, field):
    with pytest.raises(InputError, match=field):
        call()
