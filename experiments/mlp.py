"""A multi-layer perceptron reads handwritten digits (001:458-548).

Reproduces: the MLP of 001:288 with ReLU (001:539) and dropout (003:303), beside the CNN of 003:550.
Paper: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition.
Command: python -m experiments mlp [--dataset mnist --data-dir FOLDER]
Expected: digits: test accuracy > 0.970, the linear model's; mnist: test error <= 1.6 %.
Time: 1 minute on 2 CPU cores (mnist: 3 minutes)
"""

import dataclasses

from experiments import _classification
from jaxdl import models
from jaxdl.run import Output, Report

EXPECTED = {
    "digits": [("accuracy", "001:288; a linear model on this split", "> 0.970")],
    "mnist": [("error", "LeCun et al. 1998, without augmentation", "<= 0.016")],
}


@dataclasses.dataclass(frozen=True)
class Config(_classification.Config):
    """Two hidden layers."""

    widths: tuple[int, ...] = (300, 100)  # units of the hidden layers
    dropout: float = 0.2  # share of the hidden units that are dropped


PRESETS = {
    "mnist": Config(
        dataset="mnist",
        widths=(512, 512),
        epochs=12,
        batch_size=128,
        learning_rate=2e-3,
        dropout=0.3,
        seeds=3,
    ),
}


def run(config: Config, out: Output) -> Report:
    """Train, test, draw."""

    def make(classes: int) -> models.MLP:
        return models.MLP(config.widths, classes, dropout=config.dropout)

    return _classification.train_and_test(make, config, out, EXPECTED)
