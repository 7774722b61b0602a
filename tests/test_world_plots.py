"""Environments drawn from observations: things are where the numbers say; and the library's colours."""

import re
from pathlib import Path

import numpy as np

from jaxdl import plots

ROOT = Path(__file__).parents[1]


def places(image):
    """Rows and columns of what is drawn, as shares of height and width."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return rows / image.shape[0], columns / image.shape[1]


def test_the_pole_stands_on_the_cart_and_falls_to_the_right():
    upright, right, moved = plots.cart_pole(
        np.array([[0.0, 0, 0, 0], [0.0, 0, np.pi / 2, 0], [1.2, 0, 0, 0]])
    )
    assert upright.dtype == np.uint8
    np.testing.assert_array_equal(upright, upright[:, ::-1], "a mirror image of itself")
    assert places(upright)[0].min() < places(right)[0].min() - 0.3, "a pole that lies is lower"
    tip = places(upright)[0] < 0.5
    assert abs(places(upright)[1][tip].mean() - 0.5) < 0.02
    tip = places(moved)[0] < 0.5
    assert abs(places(moved)[1][tip].mean() - 0.75) < 0.02, "half of the way to the border"


def test_the_links_hang_and_stretch_up_to_the_goal():
    hanging = plots.acrobot(np.array([1.0, 0, 1, 0, 0, 0]))
    raised = plots.acrobot(np.array([-1.0, 0, 1, 0, 0, 0]))
    folded = plots.acrobot(np.array([1.0, 0, -1, 0, 0, 0]))
    below = [(places(image)[0] > 0.55).sum() for image in (hanging, raised, folded)]
    assert below[1] == 0 < below[2] < below[0]
    goal = int(64 * (2.2 - 1.0) / 4.4)
    for image in (hanging, raised):
        assert (image[goal - 1 : goal + 2].max(0) > 60).mean() > 0.85, "a line from side to side"


def test_many_are_drawn_at_once():
    observations = np.random.default_rng(0).uniform(-1, 1, (2, 3, 4))
    many = plots.cart_pole(observations)
    assert many.shape == (2, 3, 48, 96, 1)
    np.testing.assert_array_equal(many[1, 2], plots.cart_pole(observations[1, 2]))


def test_a_stroke_is_as_wide_as_asked():
    (image,) = plots.strokes(
        [(np.array([[0.2, 0.5]]), np.array([[0.8, 0.5]]), 0.1)], (0, 1), (0, 1), (100, 100)
    )
    rows, columns = places(image)
    assert abs(np.ptp(rows) - 0.2) < 0.03
    assert abs(np.ptp(columns) - 0.8) < 0.03


def test_the_colours_asked_for_are_those_that_lines_get_by_themselves():
    figure, axes = plots.subplots(1, 1, (1, 1))
    lines = [axes[0, 0].plot([0, 1])[0] for _ in range(12)]
    plots.pixels(figure)
    assert [line.get_color() for line in lines] == [plots.nth_colour(i) for i in range(12)]
    assert len({plots.nth_colour(i) for i in range(10)}) == 10


def test_no_figure_asks_for_colours_that_depend_on_the_style_of_the_moment():
    for folder in ("jaxdl/plots", "experiments"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"""f?["']C(\d|\{[^"']*\})["']""", path.read_text()), path
