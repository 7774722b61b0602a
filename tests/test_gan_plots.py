"""The figures of the GAN experiment: curves of several runs, and a film."""

import numpy as np
from PIL import Image

from jaxdl import plots


def test_series_draws_a_line_and_a_band_per_run(tmp_path):
    x = np.arange(4)
    values = np.stack([x + 1.0, x + 3.0], 1)
    figure = plots.series({"distance": {"a": (x, values), "b": (x, values[:, :1])}}, "updates", ["distance"])
    axis = figure.axes[0]
    assert axis.get_yscale() == "log"
    assert [line.get_label() for line in axis.lines] == ["a", "b"]
    np.testing.assert_allclose(axis.lines[0].get_ydata(), x + 2)
    assert plots.save(figure, tmp_path / "series.png").stat().st_size > 0


def test_animation_is_a_film_of_tiles(tmp_path):
    frames = np.zeros((3, 5, 8, 8, 1), np.uint8)
    frames[1, 3] = 255  # the second tile of the second row, dark
    path = plots.animation(tmp_path / "deep" / "film.gif", frames, columns=2, milliseconds=50)
    with Image.open(path) as film:
        assert film.n_frames == 3 or film.n_frames == 2  # equal neighbours may be joined
        zoom = film.size[0] // 20
        assert film.size == (20 * zoom, 20 * zoom)  # two rows of two; the fifth image is left over
        film.seek(1)
        page = np.asarray(film.convert("L"))
        assert page[15 * zoom, 15 * zoom] == 0
        assert page[5 * zoom, 5 * zoom] == 255
