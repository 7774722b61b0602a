"""A CNN with two convolution levels reads handwritten digits (003:986).

Reproduces: 003:550, "taux de bonne reco > 99 %", and the feature maps of 003:598-618.
Paper: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition.
Command: python -m experiments cnn [--dataset mnist --data-dir FOLDER]
Expected: test accuracy > 0.994 on digits (5 seeds), >= 0.9945 on mnist (3 seeds).
Time: 1.5 minutes on 2 CPU cores (mnist: 20 minutes)
"""

import dataclasses
from functools import partial
from typing import Any

import numpy as np

from experiments import _classification
from jaxdl import models, plots
from jaxdl.run import Output, Report

EXPECTED = {
    "digits": [("accuracy", "003:550", "> 0.99"), ("accuracy", "a tuned RBF SVM on this split", "> 0.994")],
    "mnist": [("accuracy", "003:550", "> 0.99"), ("accuracy", "official flax example 0.9917", ">= 0.9945")],
}


@dataclasses.dataclass(frozen=True)
class Config(_classification.Config):
    """Two levels of convolution, ReLU and 2x2 max pooling, then two dense layers."""

    epochs: int = 80  # passes over the training rows
    degrees: float = 10.0  # augmentation: largest rotation
    scale: float = 0.1  # augmentation: largest relative change of size
    translate: float = 0.8  # augmentation: largest shift, pixels
    noise: float = 0.05  # augmentation: standard deviation, of a pixel range of 0..1
    features: tuple[int, int] = (32, 64)  # filters of the two levels
    hidden: int = 256  # units of the dense layer
    kernel_size: int = 3  # pixels
    dropout: float = 0.3  # share of the dense layer's units that are dropped
    batch_norm: bool = True  # after each convolution


PRESETS = {
    "mnist": Config(
        dataset="mnist",
        epochs=16,
        batch_size=128,
        weight_decay=1e-2,
        translate=2.0,
        noise=0.0,
        dropout=0.4,
        seeds=3,
    ),
}


def run(config: Config, out: Output) -> Report:
    """Train, test, draw."""

    def make(classes: int) -> models.CNN:
        return models.CNN(
            config.features,
            config.hidden,
            classes,
            kernel_size=config.kernel_size,
            dropout=config.dropout,
            batch_norm=config.batch_norm,
        )

    return _classification.train_and_test(make, config, out, EXPECTED, partial(inside, out))


def inside(out: Output, model: Any, variables: dict[str, Any], image: np.ndarray) -> None:
    """The learned filters of the first level, and what both levels make of one image."""
    scale = 255 if image.dtype == np.uint8 else 1
    _, captured = model.apply(
        variables, image[None] / np.float32(scale), capture_intermediates=True, mutable=["intermediates"]
    )
    last = "norm" if model.batch_norm else "conv"  # before the ReLU
    layers: Any = captured["intermediates"]
    levels = {f"level {i}": np.maximum(layers[f"{last}{i}"]["__call__"][0][0], 0) for i in (1, 2)}
    out.figure("filters", plots.filters(variables["params"]["conv1"]["kernel"]))
    out.figure("feature_maps", plots.feature_maps(image, levels))
