# The peers are installed by who runs the benchmark.
# pyright: reportMissingImports=false
"""The Keras side of the families benchmark, on its JAX backend: `Model.fit` and `Model.predict_on_batch`.

Keras has the plain classifiers, the LSTM, and the large networks of `keras.applications`, whose ResNet-50
has biases before batch norm, and halves the image in the first convolution of a block, not in the second,
which is less work. Rows are NumPy arrays, as in its guides.
"""

import os

os.environ["KERAS_BACKEND"] = "jax"  # read once, when it is imported

import keras
import numpy as np

from experiments.benchmarks._cases import Case
from experiments.benchmarks._ours import Way, arrays


def way(case: Case) -> Way:
    """Training with `fit`, a call per round; predictions batch by batch."""
    rows, net = arrays(case), model(case)
    parameters = int(sum(np.prod(v.shape) for v in net.trainable_variables))
    if not case.trains:
        images = rows["input"].astype(np.float32) / 255
        starts = range(0, case.rows - case.batch + 1, case.batch)

        def predict(steps: int) -> float:
            logits = np.zeros(1)
            for i in range(steps):
                start = starts[i % len(starts)]
                logits = net.predict_on_batch(images[start : start + case.batch])
            return float(np.square(logits).mean())

        return Way(parameters, predict)
    name, rate, momentum = case.optimizer
    optimizers = keras.optimizers
    optimizer = optimizers.Adam(rate, momentum) if name == "adam" else optimizers.SGD(rate, momentum)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(optimizer, loss, jit_compile=True)

    def train(steps: int) -> float:
        taken = np.arange(steps * case.batch) % case.rows
        history = net.fit(rows["input"][taken], rows["target"][taken], case.batch, verbose=0)
        return history.history["loss"][-1]

    return Way(parameters, train)


def model(case: Case) -> keras.Model:
    """The network of a case, one of `_cases.KERAS`."""
    layers, sizes = keras.layers, case.sizes
    if case.network in ("resnet50", "vgg"):
        known = keras.applications
        make = known.ResNet50 if case.network == "resnet50" else known.VGG16
        return make(
            weights=None, input_shape=case.shape, classes=sizes["classes"], classifier_activation=None
        )
    if case.network == "lstm":
        words, width = sizes["vocabulary"], sizes["features"]
        deep = [layers.LSTM(width, return_sequences=True) for _ in range(sizes["layers"])]
        return keras.Sequential([keras.Input(case.shape), layers.Embedding(words, width), *deep,
                                 layers.Dense(words)])  # fmt: skip
    parts = [keras.Input(case.shape), layers.Rescaling(1 / 255)]
    for filters in sizes.get("features", ()):
        parts += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
    dense = [layers.Dense(width, activation="relu") for width in sizes.get("widths", (sizes.get("hidden"),))]
    return keras.Sequential([*parts, layers.Flatten(), *dense, layers.Dense(10)])
