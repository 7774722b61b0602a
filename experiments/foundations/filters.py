"""Filters made by hand on a photograph, and the shapes of convolution and pooling (003:464-542).

Reproduces: blur, sharpening and edges of 003:464-498 (F21); the shapes and windows of 003:526-542 (F22).
Paper: Sobel, Feldman 1968 (edges); LeCun et al. 1998 (convolution and sub-sampling layers).
Command: python -m experiments filters
Expected: 32x32x1 and 32x32x3 become 28x28x1; nine 1s are a box, not a Gauss, and need a division by 9.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from experiments.foundations.curve_detector import feature_map
from jaxdl import models, plots
from jaxdl.errors import require
from jaxdl.run import Output, Report, claim

ONES = np.ones((3, 3), np.float32)  # 003:473
FILTERS = {
    "blurred: nine 1s over 9": ONES / 9,
    "blurred: 5x5 Gauss": np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32) / 256,
    "sharpened": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], np.float32),
    "edges": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32),
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The part of the photograph that is shown."""

    top: int = 20  # first row
    left: int = 80  # first column
    size: int = 240  # rows and columns


def photograph(config: Config) -> np.ndarray:
    """Grey levels [size, size] in 0..1 of a photograph that comes with scikit-learn, of a pagoda."""
    from sklearn.datasets import load_sample_image

    ok = 0 <= config.top <= 427 - config.size and 0 <= config.left <= 640 - config.size and config.size > 7
    part = dataclasses.astuple(config)
    require(ok, "--top, --left, --size", part, "a square inside of 427 x 640 pixels", "see --help")
    rows = slice(config.top, config.top + config.size)
    colour = load_sample_image("china.jpg")[rows, config.left : config.left + config.size]
    return (colour @ np.array([0.299, 0.587, 0.114]) / 255).astype(np.float32)


def run(config: Config, out: Output) -> Report:
    """Filter the photograph, run the layers of the slide, measure both."""
    image = photograph(config)
    shown = {"original": image} | {name: feature_map(image, kernel) for name, kernel in FILTERS.items()}
    out.figure("photograph", plots.image_panels({n: each.clip(0, 1) for n, each in shown.items()}, size=3))
    small = np.random.default_rng(0).integers(0, 10, (6, 6)).astype(np.float32)
    responses = feature_map(small, ONES)
    pooled = np.asarray(models.max_pool(jnp.asarray(responses)[None, ..., None]))[0, ..., 0]
    title = "3x3 filter of 1s: 4x4 responses"
    out.figure("windows", plots.image_panels(
        {"image": small, title: responses, "2x2 max pooling": pooled},
        {"image": [(0, 0, 3, 3)], title: [(0, 0, 2, 2)]}, numbers=True))  # fmt: skip
    claims = []
    for channels, weights in ((1, 25), (3, 75)):
        layer = models.Conv(1, 5, padding="VALID", use_bias=False)
        maps, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 32, 32, channels)))
        shape, count = np.shape(maps), sum(leaf.size for leaf in jax.tree.leaves(variables))
        name, source = f"32x32x{channels} through Conv(5,5)", "003:531-533"
        claims += [claim(f"{name}: side", source, "= 28 +- 0", shape[1]),
                   claim(f"{name}: channels", source, "= 1 +- 0", shape[3]),
                   claim(f"{name}: weights", source, f"= {weights} +- 0", count)]  # fmt: skip
    contrast = {name: float(np.std(np.diff(each))) for name, each in shown.items()}
    box, gauss, sharp = (contrast[name] / contrast["original"] for name in list(shown)[1:4])
    stripes = np.tile(np.array([1, -1], np.float32), (8, 4))
    inverted = feature_map(stripes, ONES / 9) / stripes[1:-1, 1:-1]
    brighter = feature_map(image, ONES).mean() / image[1:-1, 1:-1].mean()
    return Report([
        *claims,
        claim("contrast between neighbours, nine 1s over 9", "003:471-486", "< 1", box),
        claim("contrast between neighbours, Gauss", "003:471-486", "< 1", gauss),
        claim("contrast between neighbours, sharpened", "003:488", "> 1", sharp),
        claim("brightness after nine 1s as printed (not divided by 9)", "003:473", "= 9 +- 0.1", brighter),
        claim("1-pixel stripes after nine 1s (a Gauss turns none over)", "003:471", "< 0", inverted.mean()),
    ])  # fmt: skip
