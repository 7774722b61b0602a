"""Scenes are labelled as they are put together, and what is measured of them is what it says."""

import jax.numpy as jnp
import numpy as np
import pytest

from experiments import _segmentation
from jaxdl import data
from jaxdl.errors import InputError

DIGITS = data.load("digits").validation
SCENES = _segmentation.scenes(DIGITS, 30, seed=0)


def test_every_pixel_has_the_label_of_the_digit_that_lies_there():
    images, labels = SCENES["input"], SCENES["target"]
    assert images.shape == (30, 24, 24, 1)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels > 0, images[..., 0] > _segmentation.INK)
    quarters = labels.reshape(30, 2, 12, 2, 12).transpose(0, 1, 3, 2, 4).reshape(-1, 144)
    several = [set(quarter) - {0} for quarter in quarters]
    assert max(map(len, several)) == 1
    assert 0.7 < np.mean([len(each) for each in several]) < 0.9
    # The first digit is one of the split, at a place where it is whole.
    top, left = (int(each) for each in np.argwhere(labels[0, :12, :12] > 0).min(0))
    found = [image for image, label in zip(DIGITS["input"], DIGITS["target"], strict=True)
             if label + 1 == quarters[0].max()]  # fmt: skip
    corners = [(y, x) for y in range(max(0, top - 7), 5) for x in range(max(0, left - 7), 5)]
    assert any((images[0, y : y + 8, x : x + 8] == image).all() for image in found for y, x in corners)


def test_scenes_hang_on_the_seed_alone():
    again, other = (_segmentation.scenes(DIGITS, 30, seed) for seed in (0, 1))
    np.testing.assert_array_equal(again["input"], SCENES["input"])
    assert (other["input"] != SCENES["input"]).any()
    with pytest.raises(InputError, match="rows"):
        _segmentation.scenes(DIGITS, 0, 0)


def test_right_answers_have_overlap_1_and_every_digit_named():
    truth = SCENES["target"]
    logits = 20 * jnp.eye(11)[truth]
    pixels = np.asarray(sum(_segmentation.confusion(*each) for each in zip(logits, truth, strict=True)))
    assert pixels.sum() == truth.size
    np.testing.assert_allclose(_segmentation.overlaps(pixels), 1)
    assert _segmentation.regions_named(truth, truth) == 1
    assert _segmentation.loss(logits[0], truth[0]) < 1e-6


def test_wrong_answers_are_counted():
    truth = np.zeros((1, 24, 24), np.int32)
    truth[0, 2:6, 2:6], truth[0, 14:18, 2:6] = 3, 5
    answers = truth.copy()
    answers[0, 2:6, 2:5] = 4  # of the digit 2 most, of the digit 4 nothing
    assert _segmentation.regions_named(answers, truth) == 0.5
    pixels = np.asarray(_segmentation.confusion(jnp.eye(11)[answers[0]], truth[0]))
    assert (pixels[3, 3], pixels[3, 4], pixels[5, 5], pixels[0, 0]) == (4, 12, 16, 576 - 32)
    overlap = _segmentation.overlaps(pixels)
    assert (overlap[3], overlap[4], overlap[5]) == (pytest.approx(0.25), 0, 1)
