"""What models refuse. They are only traced (`jax.eval_shape`): nothing is compiled."""

import jax
import jax.numpy as jnp
import pytest

from jaxdl import models
from jaxdl.models import layers

KEY, NAN = jax.random.key(0), float("nan")


def model(module, *shape, dtype=jnp.float32):
    """Trace a module on inputs of this shape."""
    return lambda: jax.eval_shape(module.init, KEY, jax.ShapeDtypeStruct(shape, dtype))


IMAGE = (2, 8, 8, 1)
recurrent, generator, judge = models.RecurrentNet, models.Generator, models.Discriminator

# name: (call, field, words of the message)
MODELS = {
    "MLP without a batch axis": (model(models.MLP(), 8), "input",
        ["(8,)", "[batch, ...]", "missing batch axis?"]),
    "MLP of width 0": (model(models.MLP((10, 0)), 2, 3), "widths", ["(10, 0)", ">= 1"]),
    "MLP of half a unit": (model(models.MLP((0.5,)), 2, 3), "widths", ["(0.5,)", "integers"]),
    "MLP without outputs": (model(models.MLP(outputs=0), 2, 3), "outputs", ["0", ">= 1", "class"]),
    "MLP with a named activation": (model(models.MLP(activation="relu"), 2, 3), "activation",
        ["jax.nn.relu"]),
    "MLP that drops everything": (model(models.MLP(dropout=1.0), 2, 3), "dropout", ["1.0", "[0, 1)"]),
    "MLP with dropout NaN": (model(models.MLP(dropout=NAN), 2, 3), "dropout", ["nan", "[0, 1)"]),
    "CNN without a batch axis": (model(models.CNN(), 8, 8, 1), "images", ["(8, 8, 1)", "batch or channel"]),
    "CNN without a channel axis": (model(models.CNN(), 2, 8, 8), "images", ["(2, 8, 8)", "channel axis?"]),
    "CNN of 0 filters": (model(models.CNN((8, 0)), *IMAGE), "features", ["(8, 0)", ">= 1"]),
    "CNN with a kernel of 0": (model(models.CNN(kernel_size=0), *IMAGE), "kernel_size", ["(0, 0)", "3 is"]),
    "CNN without hidden units": (model(models.CNN(hidden=0), *IMAGE), "hidden", ["0", ">= 1"]),
    "CNN on too small images": (model(models.CNN((4, 4, 4, 4)), *IMAGE), "images",
        ["(1, 1)", "fewer layers"]),
    "CNN that drops -0.1": (model(models.CNN(dropout=-0.1), *IMAGE), "dropout", ["-0.1", "[0, 1)"]),
    "convolution of stride 0": (model(layers.Conv(4, 3, strides=0), *IMAGE), "strides",
        ["(0, 0)", "every pixel"]),
    "unknown padding": (model(layers.Conv(4, 3, padding="SAEM"), *IMAGE), "padding",
        ["did you mean 'SAME'?"]),
    "unknown implementation": (model(layers.Conv(4, 3, implementation="fats"), *IMAGE), "implementation",
        ["did you mean 'fast'?"]),
    "pooling by 0": (lambda: layers.max_pool(jnp.zeros(IMAGE), 0), "window", ["(0, 0, 0, 0)", ">= 1"]),
    "unknown column of VGG": (model(models.VGG("F"), 1, 32, 32, 3), "column", ["'F'", "A, A-LRN, B"]),
    "VGG on odd images": (model(models.VGG("A"), 1, 33, 32, 3), "images",
        ["33", "multiples of 32", "resize"]),
    "unknown cell": (model(recurrent(cell="ltsm"), 2, 5, 1), "cell", ["did you mean 'lstm'?"]),
    "recurrent without layers": (model(recurrent(layers=0), 2, 5, 1), "layers", ["0", ">= 1"]),
    "tokens as real numbers": (model(recurrent(vocabulary=5), 2, 5), "input", ["float32[2, 5]", "tokens"]),
    "numbers as tokens": (model(recurrent(), 2, 5, dtype=jnp.int32), "input",
        ["int32[2, 5]", "real numbers"]),
    "auto-encoder without code": (model(models.Autoencoder((8, 8, 1), code=0), *IMAGE), "code",
        ["0", ">= 1"]),
    "auto-encoder of other images": (model(models.Autoencoder((9, 9, 1)), *IMAGE), "input", ["(2, 8, 8, 1)"]),
    "auto-encoder of odd images": (model(models.Autoencoder((9, 9, 1), features=(4,)), 2, 9, 9, 1), "shape",
        ["(9, 9, 1)", "divisible by 2"]),
    "VAE without latent numbers": (model(models.VAE((8, 8, 1), latent=0), *IMAGE), "latent", ["0", ">= 1"]),
    "unknown likelihood": (model(models.VAE((8, 8, 1), likelihood="gaussain"), *IMAGE), "likelihood",
        ["did you mean 'gaussian'?"]),
    "generator without a batch axis": (model(generator(), 100), "noise", ["(100,)", "missing batch axis?"]),
    "generator of nothing": (model(generator((4,), channels=0), 2, 9), "channels", ["0", "1 for grey"]),
    "generator from nothing": (model(generator((4,), start=0), 2, 9), "start", ["0", ">= 1"]),
    "discriminator of other images": (model(judge((4,)), *IMAGE[:1], 9, 9, 1), "images", ["8 x 8 pixels"]),
    "Q-network without actions": (model(models.QNetwork(0), 2, 4), "actions", ["0", ">= 1"]),
    "Q-network without atoms": (model(models.QNetwork(2, atoms=0), 2, 4), "atoms", ["0", "51"]),
    "Q-network of width 0": (model(models.QNetwork(2, widths=(0,)), 2, 4), "widths", ["(0,)", ">= 1"]),
    "Q-network on one number": (model(models.QNetwork(2), 4), "observation", ["(4,)", "batch axis?"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_bad_models_are_refused(case, refused):
    call, field, words = MODELS[case]
    refused(lambda folder: call(), field, words)
