"""The figures of the first principles: graphs, ways down, maps, fields of filters, bars."""

import matplotlib.image
import numpy as np
import pytest

from jaxdl import graph, plots

RNG = np.random.default_rng(0)
AXIS = np.linspace(-1, 1, 11)
BOWL = AXIS[:, None] ** 2 + AXIS**2
POINTS = {"map": (RNG.normal(size=(5, 2)), np.array([0, 1, 0, 1, 1]))}
FIGURES = {
    "computational_graphs": lambda: plots.computational_graphs(
        {"one": graph.trace(lambda x: x * x + x, 2.0), "other": graph.trace(lambda x, y: x - y, 2.0, 1.0)}),
    "descent_on_a_curve": lambda: plots.descent_on_a_curve(
        (AXIS, AXIS**2), {"way": (AXIS[:3], AXIS[:3] ** 2)}, {"minimum": (0, 0)}, {"way": 2 * AXIS[:2]}),
    "error_surface": lambda: plots.error_surface(
        AXIS, AXIS, BOWL, {"way": np.array([[-1, -1], [0, 0.5]])}, (-np.ones(2), np.ones(2) / 2)),
    "decision_maps": lambda: plots.decision_maps({"map": (AXIS, AXIS, BOWL / 2)}, POINTS),
    "decision_maps without a border": lambda: plots.decision_maps({"map": (AXIS, AXIS, 0 * BOWL)}, POINTS),
    "image_panels": lambda: plots.image_panels(
        {"field": BOWL, "photograph": RNG.random((8, 8, 3))}, {"field": [(0, 0, 3, 3)]}),
    "stacked_bars": lambda: plots.stacked_bars({"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 0}}, "millions"),
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_written_and_are_not_blank(name, tmp_path):
    pixels = matplotlib.image.imread(plots.save(FIGURES[name](), tmp_path / "figure.png"))
    assert min(pixels.shape[:2]) > 50
    assert pixels[..., :3].std() > 0.01


def test_a_graph_shows_names_values_gradients_and_local_gradients():
    nodes = graph.trace(lambda x, w: x * w, 2.0, 3.0, upstream=5.0)
    shown = [text.get_text() for text in plots.computational_graphs({"z": nodes}).axes[0].texts]
    assert {"x", "w", "×", "2", "3", "6", "15", "10", "5"} <= set(shown)


def test_numbers_are_printed_into_the_pixels():
    figure = plots.image_panels({"field": np.array([[0, 30], [50, 20]])}, numbers=True)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "30", "50", "20"]


def test_the_sum_stands_above_a_bar():
    figure = plots.stacked_bars({"a": {"x": 1, "y": 2.5}})
    assert [text.get_text() for text in figure.axes[0].texts] == ["3.5"]
