"""Well-known networks counted: AlexNet, six VGG networks, ResNet-50, a decoder (000:198, 003:621-738).

Reproduces: 000:198 (AlexNet), the tables and "140M" of 003:629-734 (VGG), F24, F25; 003:1107 (decoder).
Paper: Krizhevsky et al. 2012; Simonyan, Zisserman 2014; He et al. 2015; Radford et al. 2015.
Command: python -m experiments network_sizes
Expected: 60 million parameters (AlexNet), "140M" (VGG D, E), 25,557,032 (ResNet-50); maps up to 64x64x3.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses

from experiments.foundations._networks import AlexNet, Decoder, ResNet50, count, dense, listing, maps, weights
from jaxdl import models, plots
from jaxdl.models.vgg import TABLE
from jaxdl.run import Output, Report, claim

LAYERS = {"A": 11, "A-LRN": 11, "B": 13, "C": 16, "D": 16, "E": 19}  # 003:632
# Channels of the convolutions of 003:662-698 between poolings ("M").
LISTING = "3-64 64-64 M 64-128 128-128 M 128-256 256-256 256-256 256-256 M 256-512 512-512"
MAPS = [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 3)]  # 003:1107; Radford et al.
SHOWN = {"A": "VGG11", "B": "VGG13", "D": "VGG16", "E": "VGG19"}  # of the table, by their usual names


@dataclasses.dataclass(frozen=True)
class Config:
    """The images and the classes, of ImageNet on the slides."""

    side: int = 224  # height and width of the images of VGG, pixels; a multiple of 32
    classes: int = 1000  # outputs
    latents: int = 100  # random numbers that the decoder gets


def run(config: Config, out: Output) -> Report:
    """Count every network, and compare layers and maps with those of the slides."""
    image = config.side, config.side, 3
    found = {column: weights(models.VGG(column, config.classes), *image) for column in TABLE}
    networks = {
        "AlexNet": weights(AlexNet(config.classes), 227, 227, 3),
        **{name: found[column] for column, name in SHOWN.items()},
        "ResNet-50": weights(ResNet50(config.classes), *image),
    }
    generator = maps(models.Generator(Decoder.widths), "up", config.latents)
    parts = {name: {"convolutions": (count(layers) - dense(layers)) / 1e6,
                    "dense layers": dense(layers) / 1e6} for name, layers in networks.items()}  # fmt: skip
    out.figure("parameters", plots.stacked_bars(parts, "parameters, millions"))
    shown, source = listing(found["E"])[: len(LISTING.split())], "003:662-698"
    kernels = {layer["kernel"].shape[:2] for name, layer in found["E"].items() if name.startswith("conv")}
    alexnet, resnet, d, e = (count(networks[name]) for name in ("AlexNet", "ResNet-50", "VGG16", "VGG19"))
    return Report([
        claim("millions of parameters, AlexNet", "000:198", "= 60 +- 1", alexnet / 1e6),
        *(claim(f"layers with weights, {column}", "003:629-658", f"= {LAYERS[column]} +- 0", len(layers))
          for column, layers in found.items()),
        claim("layers listed for VGG19 that column E has otherwise", source, "= 0 +- 0",
              sum(a != b for a, b in zip(shown, LISTING.split(), strict=True))),
        claim("sizes of kernels in column E other than 3x3", source, "= 0 +- 0", len(kernels ^ {(3, 3)})),
        claim("millions of parameters, D", "003:734", "= 140 +- 5", d / 1e6),
        claim("millions of parameters, E", "003:734", "= 140 +- 5", e / 1e6),
        claim("dense layers' share of the parameters, D", "003:654-658", "> 0.5", dense(found["D"]) / d),
        claim("parameters, ResNet-50", "003:738; torchvision", "= 25557032 +- 0", resnet),
        claim("maps of DCGAN's generator that are not those of the slide", "003:1107", "= 0 +- 0",
              sum(a != b for a, b in zip(generator, MAPS, strict=True))),
    ], {
        "parameters": {"AlexNet": alexnet, "AlexNet, every filter on all channels": count(
            weights(AlexNet(config.classes, grouped=False), 227, 227, 3)), "ResNet-50": resnet,
            **{f"VGG {column}": count(layers) for column, layers in found.items()},
            "decoder, kernels of 5, no batch norm": count(weights(Decoder(), config.latents))},
    })  # fmt: skip
