"""Six ways to make more images of one: flip, rotate, scale, crop, shift, noise (003:758-770).

Reproduces: the list and the pictures of 003:758-770 (F26).
Paper: Simard, Steinkraus, Platt 2003, Best practices for convolutional neural networks.
Command: python -m experiments augmentation
Expected: each leaves size and range of the image as they are, and does what its name says.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from experiments.foundations._moments import angles, shifts
from experiments.foundations.filters import Config as Part
from experiments.foundations.filters import photograph
from jaxdl import plots
from jaxdl.data import augment
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """How much is changed at most."""

    size: int = 160  # rows and columns of the part of a photograph that is changed
    degrees: float = 25.0  # of the rotation
    scale: float = 0.3  # relative change of size
    pixels: int = 24  # of the shift, and of the border that is cropped
    sigma: float = 0.1  # standard deviation of the noise, of a range of 0..1
    shown: int = 4  # images made in each way
    seed: int = 0  # of the draws


def run(config: Config, out: Output) -> Report:
    """Change a photograph in each way, draw, and measure each change on an image made for it."""
    ways = {
        "flip": augment.flip,
        "rotation": partial(augment.rotate, degrees=config.degrees),
        "scale": partial(augment.scale, share=config.scale),
        "crop": partial(augment.crop, padding=config.pixels),
        "translation": partial(augment.translate, pixels=config.pixels),
        "Gaussian noise": partial(augment.noise, sigma=config.sigma),
    }
    image = jnp.asarray(photograph(Part(size=config.size)))[..., None]
    keys = jax.random.split(jax.random.key(config.seed), 200)
    made = {name: np.asarray(jax.vmap(way, (0, None))(keys[: config.shown], image))
            for name, way in ways.items()}  # fmt: skip
    original = np.asarray(image)[None].repeat(config.shown, 0)
    out.figure("ways", plots.image_rows({"original": original, **made}, cmap="gray"))
    outside = max(float(np.maximum(-x, x - 1).max()) for x in made.values())

    def many(name: str, x: jax.Array) -> jax.Array:
        return jax.vmap(ways[name], (0, None))(keys, x)

    grid = np.arange(config.size) - (config.size - 1) / 2
    disc = jnp.asarray((np.hypot(*np.meshgrid(grid, grid)) < config.size / 5).astype(np.float32))[..., None]
    area, bounds = disc.sum(), [(1 + sign * config.scale) ** 2 for sign in (-1, 1)]
    mirrored = jnp.all(many("flip", image) == image[None, :, ::-1], axis=(1, 2, 3))
    grows = many("scale", disc).sum((1, 2, 3)) / area
    moved, crops = (shifts(many(way, disc), grid) for way in ("translation", "crop"))
    bar = jnp.asarray((abs(grid) < config.size / 40)[:, None] & (abs(grid) < config.size / 3)[None])
    tilts = angles(many("rotation", bar.astype(jnp.float32)[..., None]), grid)
    return Report([
        claim("ways that change the size of the image", "003:758-770", "= 0 +- 0",
              sum(x.shape != original.shape for x in made.values())),
        claim("how far a pixel leaves 0..1", "003:758-770", "<= 1e-6", outside),
        claim("share of images that the flip mirrors", "003:758-770", "= 0.5 +- 0.1", mirrored.mean()),
        claim("a disc rotated: largest change of its area", "003:758-770", "< 0.01",
              jnp.abs(many("rotation", disc).sum((1, 2, 3)) / area - 1).max()),
        claim("a bar rotated: largest angle over the largest allowed", "003:758-770", "= 0.98 +- 0.03",
              jnp.abs(tilts).max() / config.degrees),
        claim("a disc scaled: least area over the least allowed", "003:758-770", "= 1 +- 0.05",
              grows.min() / bounds[0]),
        claim("a disc scaled: largest area over the largest allowed", "003:758-770", "= 1 +- 0.05",
              grows.max() / bounds[1]),
        claim("a disc shifted: largest shift over the largest allowed", "003:758-770", "= 0.98 +- 0.03",
              jnp.abs(moved).max() / config.pixels),
        claim("a disc cropped: largest shift over the largest allowed", "003:758-770", "= 1 +- 0.03",
              jnp.abs(crops).max() / config.pixels),
        claim("a disc cropped: how far a shift is from whole pixels", "003:758-770", "< 1e-3",
              jnp.abs(crops - crops.round()).max()),
        claim("standard deviation of the noise over the one asked for", "003:758-770", "= 1 +- 0.02",
              many("Gaussian noise", jnp.full((16, 16, 1), 0.5)).std() / config.sigma),
    ])  # fmt: skip
