"""Networks of the families benchmark that are not in `jaxdl.models`.

`ResNet` (He et al., 2015) is made of `jaxdl.models.layers`. The others are what a user of flax writes
by hand for the models of ours with which they share names and parameters: the naive side.
"""

import math
from typing import Any

import flax.linen as nn
import jax

from jaxdl.models import layers, vgg


class ResNet(nn.Module):
    """Residual network for images; layers "stem", "block1_1/conv1", ..., "logits".

    With `bottleneck` a block is 1x1, 3x3, 1x1 with four times the filters at its end, and the stem a
    7x7 convolution and a 3x3 pooling, both with stride 2 (ResNet-50); without, two 3x3 (ResNet-18 as
    it is used for 32x32 images).
    """

    width: int
    depths: tuple[int, ...]
    classes: int
    bottleneck: bool = False
    implementation: str = "auto"

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, height, width, channels] to logits [batch, classes]."""
        size, stride, border = (7, 2, 3) if self.bottleneck else (3, 1, 1)
        x = self.conv(self.width, size, stride, border, "stem")(x)
        x = nn.relu(self.norm(train, "stem_norm")(x))
        if self.bottleneck:
            x = layers.max_pool(x, 3, 2, 1, implementation=self.implementation)
        for i, depth in enumerate(self.depths):
            for j in range(depth):
                stride = 2 if i and not j else 1
                x = self.block(x, self.width * 2**i, stride, train, f"block{i + 1}_{j + 1}")
        return nn.Dense(self.classes, name="logits")(x.mean((1, 2)))

    def block(self, x: jax.Array, width: int, stride: int, train: bool, name: str) -> jax.Array:
        """Convolutions with batch norm, and the input added to what they give."""
        if self.bottleneck:
            parts = [(width, 1, 1, 0), (width, 3, stride, 1), (4 * width, 1, 1, 0)]
        else:
            parts = [(width, 3, stride, 1), (width, 3, 1, 1)]
        y = x
        for k, part in enumerate(parts, start=1):
            y = nn.relu(y) if k > 1 else y
            y = self.norm(train, f"{name}_norm{k}")(self.conv(*part, f"{name}_conv{k}")(y))
        if x.shape != y.shape:
            x = self.conv(parts[-1][0], 1, stride, 0, f"{name}_short")(x)
            x = self.norm(train, f"{name}_short_norm")(x)
        return nn.relu(x + y)

    def conv(self, width: int, size: int, stride: int, border: int, name: str) -> Any:
        """A convolution without bias, which the batch norm behind it has."""
        form = self.implementation
        return layers.Conv(width, size, stride, border, use_bias=False, implementation=form, name=name)

    def norm(self, train: bool, name: str) -> Any:
        """Batch norm."""
        return nn.BatchNorm(not train, momentum=0.9, name=name)


class NaiveCNN(nn.Module):
    """The CNN of flax's own MNIST example, with max pooling."""

    features: tuple[int, ...]
    hidden: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, height, width, channels] to logits [batch, 10]."""
        for i, features in enumerate(self.features, start=1):
            x = nn.relu(nn.Conv(features, (3, 3), name=f"conv{i}")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = x.reshape(len(x), -1)
        x = nn.relu(nn.Dense(self.hidden, name="dense1")(x))
        return nn.Dense(10, name="logits")(x)


class NaiveLSTM(nn.Module):
    """Embedding, `nn.RNN` over flax's own cell, and a dense layer on every step."""

    vocabulary: int
    features: int
    layers: int

    @nn.compact
    def __call__(self, x: jax.Array, carry: Any = None, length: Any = None, train: bool = False) -> Any:
        """int [batch, time] to logits [batch, time, vocabulary], and no carry."""
        y: Any = nn.Embed(self.vocabulary, self.features)(x)
        for _ in range(self.layers):
            y = nn.RNN(nn.OptimizedLSTMCell(self.features))(y)
        return nn.Dense(self.vocabulary, name="logits")(y), ()


class NaiveEncoder(nn.Module):
    """Convolutions with stride 2, dense layers, linear outputs."""

    outputs: int
    widths: tuple[int, ...]
    features: tuple[int, ...]
    activation: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, ...] to [batch, outputs]."""
        for i, features in enumerate(self.features, start=1):
            x = self.activation(nn.Conv(features, (4, 4), 2, name=f"conv{i}")(x))
        x = x.reshape(len(x), -1)
        for i, width in enumerate(self.widths, start=1):
            x = self.activation(nn.Dense(width, name=f"dense{i}")(x))
        return nn.Dense(self.outputs, name="outputs")(x)


class NaiveDecoder(nn.Module):
    """Its mirror."""

    shape: tuple[int, ...]
    widths: tuple[int, ...]
    features: tuple[int, ...]
    activation: Any

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """[samples, batch, latent] to [samples, batch, *shape]."""
        x, leading = z.reshape(-1, z.shape[-1]), z.shape[:-1]
        for i, width in enumerate(reversed(self.widths), start=1):
            x = self.activation(nn.Dense(width, name=f"dense{i}")(x))
        if not self.features:
            return nn.Dense(math.prod(self.shape), name="outputs")(x).reshape(*leading, *self.shape)
        side = self.shape[0] // 2 ** len(self.features)
        x = self.activation(nn.Dense(side * side * self.features[-1], name="project")(x))
        x = x.reshape(-1, side, side, self.features[-1])
        for i, features in enumerate(reversed(self.features[:-1]), start=1):
            x = self.activation(nn.ConvTranspose(features, (4, 4), (2, 2), name=f"deconv{i}")(x))
        x = nn.ConvTranspose(self.shape[-1], (4, 4), (2, 2), name="outputs")(x)
        return x.reshape(*leading, *self.shape)


class NaiveVAE(nn.Module):
    """Encoder and decoder of flax's own layers."""

    shape: tuple[int, ...]
    latent: int
    widths: tuple[int, ...]
    features: tuple[int, ...]
    activation: Any = nn.relu
    likelihood: str = "bernoulli"

    def setup(self) -> None:
        """Two networks."""
        form = (self.widths, self.features, self.activation)
        self.encoder = NaiveEncoder(2 * self.latent, *form)
        self.decoder = NaiveDecoder(self.shape, *form)

    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Makes all parameters."""
        return self.decode(self.encode(x)[0])[0]

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Inputs to mean and log variance of q(z|x)."""
        both = self.encoder(x)
        return both[:, : self.latent], both[:, self.latent :]

    def decode(self, z: jax.Array) -> tuple[jax.Array, None]:
        """z [..., latent] to logits."""
        return self.decoder(z), None


class NaiveVGG(nn.Module):
    """VGG of flax's own layers."""

    column: str
    hidden: int
    classes: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, height, width, channels] to logits [batch, classes]."""
        for i, block in enumerate(vgg.TABLE[self.column], start=1):
            for j, layer in enumerate(block, start=1):
                kernel, filters = map(int, layer)  # no column with a local response norm
                x = nn.relu(nn.Conv(filters, (kernel, kernel), name=f"conv{i}_{j}")(x))
            x = nn.max_pool(x, (2, 2), (2, 2))
        x = x.reshape(len(x), -1)
        for i in (1, 2):
            x = nn.relu(nn.Dense(self.hidden, name=f"dense{i}")(x))
        return nn.Dense(self.classes, name="logits")(x)
