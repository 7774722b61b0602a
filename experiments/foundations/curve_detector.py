"""A filter that looks for a curve: 6600 where it is, 0 elsewhere (003:388-462).

Reproduces: 003:402-426 and 003:434-459, receptive fields, filter and both responses; a feature map (F20).
Paper: Hubel, Wiesel 1962, Receptive fields in the cat's visual cortex; Fukushima 1980, Neocognitron.
Command: python -m experiments curve_detector
Expected: 6600 and 0, by a convolution layer that does not flip its kernel.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxdl import models, plots
from jaxdl.errors import require
from jaxdl.run import Output, Report, claim

FILTER = np.array([[0, 0, 0, 0, 0, 30, 0],
                   [0, 0, 0, 0, 30, 0, 0],
                   [0, 0, 0, 30, 0, 0, 0],
                   [0, 0, 0, 30, 0, 0, 0],
                   [0, 0, 0, 30, 0, 0, 0],
                   [0, 0, 0, 30, 0, 0, 0],
                   [0, 0, 0, 0, 0, 0, 0]], np.float32)  # fmt: skip
THERE = np.array([[0, 0, 0, 0, 0, 0, 30],
                  [0, 0, 0, 0, 50, 50, 50],
                  [0, 0, 0, 20, 50, 0, 0],
                  [0, 0, 0, 50, 50, 0, 0],
                  [0, 0, 0, 50, 50, 0, 0],
                  [0, 0, 0, 50, 50, 0, 0],
                  [0, 0, 0, 50, 50, 0, 0]], np.float32)  # fmt: skip
ELSEWHERE = np.array([[0, 0, 0, 0, 0, 0, 0],
                      [0, 40, 0, 0, 0, 0, 0],
                      [40, 0, 40, 0, 0, 0, 0],
                      [40, 20, 0, 0, 0, 0, 0],
                      [0, 50, 0, 0, 0, 0, 0],
                      [0, 0, 50, 0, 0, 0, 0],
                      [25, 25, 0, 50, 0, 0, 0]], np.float32)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """Where the two fields lie in a dark image."""

    there: tuple[int, int] = (2, 3)  # row and column of the field with the curve
    elsewhere: tuple[int, int] = (13, 18)  # row and column of the other
    size: tuple[int, int] = (22, 28)  # of the image, pixels


def feature_map(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The responses [height - k + 1, width - k + 1] of a filter [k, k] all over an image."""
    x, w = jnp.asarray(image)[None, ..., None], jnp.asarray(kernel)[..., None, None]
    return np.asarray(models.conv(x, w, padding="VALID")[0, ..., 0])


def run(config: Config, out: Output) -> Report:
    """Convolve the whole image, and read the two responses off the feature map."""
    image = np.zeros(config.size, np.float32)
    places = {"there": (config.there, THERE), "elsewhere": (config.elsewhere, ELSEWHERE)}
    for (top, left), field in places.values():
        inside = 0 <= top <= config.size[0] - 7 and 0 <= left <= config.size[1] - 7
        require(inside, "--there or --elsewhere", (top, left), "a 7x7 field inside the image", "see --size")
        image[top : top + 7, left : left + 7] = field
    responses, flipped = feature_map(image, FILTER), feature_map(image, FILTER[::-1, ::-1])
    boxes = [(*place, 7, 7) for place, _ in places.values()]
    points = [(*place, 1, 1) for place, _ in places.values()]
    out.figure(
        "fields",
        plots.image_panels(
            {"field with the curve": THERE, "filter": FILTER, "field elsewhere": ELSEWHERE}, numbers=True
        ),
    )
    out.figure("feature_map", plots.image_panels(
        {"image and two fields": image, "feature map": responses},
        {"image and two fields": boxes, "feature map": points}, size=4))  # fmt: skip
    there, elsewhere = config.there, config.elsewhere
    return Report([
        claim("response to the field with the curve", "003:426", "= 6600 +- 0", responses[there]),
        claim("response elsewhere", "003:459", "= 0 +- 0", responses[elsewhere]),
        claim("the first with a flipped kernel, not meant", "003:426", "= 3600 +- 0", flipped[there]),
        claim("the second with a flipped kernel, not meant", "003:459", "= 2250 +- 0", flipped[elsewhere]),
    ], {"strongest response": float(responses.max())})  # fmt: skip
