"""Auto-encoders that compress, held against PCA with a code of the same size (003:1086-1089)."""

from typing import Any

import jax

from experiments import _autoencoder as shared
from jaxdl import models, plots
from jaxdl.run import Claim, Output, claim

SHOWN = 10  # images in the figure


def linear(config: Any, digits: shared.Digits, out: Output) -> list[Claim]:
    """Linear networks reach what PCA reaches on the rows that both were made on."""
    images, found = digits.train["input"], []
    for code in dict.fromkeys((2, config.code)):
        model = models.Autoencoder(images.shape[1:], code, widths=(), activation=models.linear)
        steps = 10 * config.epochs
        fitted = shared.train(
            f"linear-{code}", model, digits, config, out,
            batch_size=len(images), steps=steps, learning_rate=0.02,
        )  # fmt: skip
        optimum = shared.error(digits.pca(code, "train"), images)
        measured = shared.judge(model, fitted, digits.clean("train"))["error"]
        name = f"linear, code of {code}: training MSE over PCA's {optimum:.4f}"
        found.append(claim(name, "003:1088; Baldi, Hornik 1989", "<= 1.01", measured / optimum))
    return found


def nonlinear(config: Any, digits: shared.Digits, out: Output) -> list[Claim]:
    """Hidden layers, or convolutions, make more of as many numbers, on images never seen."""
    images, found = digits.test["input"], []
    reconstructed = digits.pca(config.code, "test")
    optimum = shared.error(reconstructed, images)
    rows = {"input": images[:SHOWN], f"PCA, code of {config.code}": reconstructed[:SHOWN]}
    shape, hidden = images.shape[1:], (config.hidden, config.hidden // 2)
    for name, model in {
        "dense": models.Autoencoder(shape, config.code, hidden),
        "convolutional": models.Autoencoder(shape, config.code, (), config.features),
    }.items():
        fitted = shared.train_nonlinear(name, model, digits, config, out)
        measured = shared.judge(model, fitted, digits.clean("test"))["error"]
        text = f"{name}, code of {config.code}: test MSE over PCA's {optimum:.4f}"
        found.append(claim(text, "003:1086", "< 1", measured / optimum))
        first = jax.tree.map(lambda x: x[0], fitted.state.net.params)
        rows[f"{name}, code of {config.code}"] = shared.codes_and_outputs(model, first, images[:SHOWN])[1]
    out.figure("compression", plots.image_rows(rows))
    return found
