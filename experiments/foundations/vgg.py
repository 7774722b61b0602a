"""The six VGG networks counted: layers, parameters, sizes (003:621-734).

Reproduces: the table of 003:629-658, the listing of VGG19 of 003:662-698, "140M" of 003:734 (F24, F25).
Paper: Simonyan, Zisserman 2014, Very deep convolutional networks for large-scale image recognition.
Command: python -m experiments vgg
Expected: 11, 11, 13, 16, 16, 19 layers with weights; 138 to 144 million parameters for D and E, "140M".
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import models, plots
from jaxdl.models.vgg import TABLE
from jaxdl.run import Output, Report, claim

LAYERS = {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}  # 003:632
# Channels of the convolutions of 003:662-698 between poolings ("M").
LISTING = "3-64 64-64 M 64-128 128-128 M 128-256 256-256 256-256 256-256 M 256-512 512-512"


@dataclasses.dataclass(frozen=True)
class Config:
    """The images and the classes, of ImageNet on the slide."""

    side: int = 224  # height and width, pixels; a multiple of 32
    classes: int = 1000  # outputs


def weights(column: str, config: Config) -> dict[str, Any]:
    """Shapes of the parameters by layer; nothing is computed or allocated."""
    image = jax.ShapeDtypeStruct((1, config.side, config.side, 3), jnp.float32)
    model = models.VGG(column, config.classes)
    return dict(jax.eval_shape(model.init, jax.random.key(0), image)["params"])


def count(layers: Any) -> int:
    """Numbers in all arrays of a tree."""
    return sum(leaf.size for leaf in jax.tree.leaves(layers))


def listing(layers: dict[str, Any]) -> list[str]:
    """The convolutions as channels in and out, with an "M" for the max pooling behind every block."""
    said, block = [], "1"
    for name in sorted(name for name in layers if name.startswith("conv")):
        if name[4] != block:
            said.append("M")
            block = name[4]
        said.append("{2}-{3}".format(*layers[name]["kernel"].shape))
    return said


def run(config: Config, out: Output) -> Report:
    """Count every column of the table, and compare the listing with column E."""
    found = {column: weights(column, config) for column in TABLE}
    totals = {column: count(layers) for column, layers in found.items()}
    dense = {column: sum(count(layers[name]) for name in ("dense1", "dense2", "logits"))
             for column, layers in found.items()}  # fmt: skip
    out.figure("parameters", plots.stacked_bars(
        {column: {"convolutions": (totals[column] - dense[column]) / 1e6, "dense layers": dense[column] / 1e6}
         for column in totals}, "parameters, millions"))  # fmt: skip
    first = LISTING.split()
    shown = listing(found["E"])[: len(first)]
    kernels = {layer["kernel"].shape[:2] for name, layer in found["E"].items() if name.startswith("conv")}
    ends = "dense layers' share of the parameters, D"
    return Report([
        *(claim(f"layers with weights, {column}", "003:629-658", f"= {LAYERS[column]} +- 0", len(layers))
          for column, layers in found.items()),
        claim("layers listed for VGG19 that column E has otherwise", "003:662-698", "= 0 +- 0",
              sum(a != b for a, b in zip(shown, first, strict=True))),
        claim("sizes of kernels in column E, all 3x3", "003:662-698", "= 1 +- 0", len(kernels)),
        claim("millions of parameters, D", "003:734", "= 140 +- 5", totals["D"] / 1e6),
        claim("millions of parameters, E", "003:734", "= 140 +- 5", totals["E"] / 1e6),
        claim(ends, "003:654-658", "> 0.5", dense["D"] / totals["D"]),
    ], {"parameters": totals, "parameters of the dense layers": dense})  # fmt: skip
