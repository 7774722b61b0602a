import matplotlib.image
import numpy as np
import pytest

from jaxdl import plots

RNG = np.random.default_rng(0)
ROWS = [
    {
        "kind": kind,
        "step": step,
        "loss": [1 / step, 2 / step],
        **({"accuracy": [0.9, 0.8]} if kind == "validation" else {}),
    }
    for step in range(1, 9)
    for kind in ("train", "validation")
]
FIGURES = {
    "learning_curves": lambda: plots.learning_curves(ROWS, 2.0, best=3),
    "confusion_matrix": lambda: plots.confusion_matrix(np.diag([3, 4, 5]) + 1, "abc", "test"),
    "image_grid": lambda: plots.image_grid(RNG.uniform(size=(10, 8, 8, 1)), [str(i) for i in range(10)]),
    "image_grid of bytes": lambda: plots.image_grid(RNG.integers(0, 256, (3, 8, 8, 3), np.uint8)),
    "image_grid of nothing": lambda: plots.image_grid(np.zeros((0, 8, 8, 1))),
    "filters": lambda: plots.filters(RNG.normal(size=(3, 3, 1, 20))),
    "feature_maps": lambda: plots.feature_maps(
        RNG.uniform(size=(8, 8, 1)), {"level 1": RNG.uniform(size=(8, 8, 20)), "level 2": np.zeros((4, 4, 5))}
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_written_and_are_not_blank(name, tmp_path):
    pixels = matplotlib.image.imread(plots.save(FIGURES[name](), tmp_path / "deep" / "figure.png"))
    assert min(pixels.shape[:2]) > 50
    assert (pixels[..., :3].std() > 0.01) == (name != "image_grid of nothing")


def test_the_confusion_matrix_prints_every_count_that_is_not_zero():
    figure = plots.confusion_matrix(np.array([[5, 0], [2, 7]]), "ab")
    assert sorted(text.get_text() for text in figure.axes[0].texts) == ["2", "5", "7"]


@pytest.mark.parametrize(("loss", "scale"), [(-20.0, "linear"), (2.0, "log")])
def test_a_loss_below_zero_is_seen(loss, scale):
    rows = [{"kind": "train", "step": step, "loss": [loss - step]} for step in (0, 1)]
    rows.append({"kind": "train", "step": 2, "loss": [None]})  # no number, as metrics.jsonl has it
    (axis,) = plots.learning_curves(rows, 1.0).axes
    assert axis.get_yscale() == scale
