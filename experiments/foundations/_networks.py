"""Well-known networks, only to be counted: AlexNet, ResNet-50, and DCGAN's generator as it is drawn."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl import models

# Filters, size, stride, groups; 3x3 max pooling with stride 2 behind the first, second and fifth.
ALEXNET = ((96, 11, 4, 1), (256, 5, 1, 2), (384, 3, 1, 1), (384, 3, 1, 2), (256, 3, 1, 2))


class AlexNet(nn.Module):
    """Krizhevsky, Sutskever, Hinton 2012: five convolutions, three dense layers, for 227 x 227 pixels.

    It was split over two GPUs: a layer of two groups sees half of the channels in each.
    """

    classes: int = 1000
    grouped: bool = True  # False: every filter sees all channels

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, 227, 227, 3] to logits [batch, classes]."""
        for i, (filters, size, stride, groups) in enumerate(ALEXNET, start=1):
            padding: Any = "VALID" if i == 1 else "SAME"
            groups = groups if self.grouped else 1
            x = nn.relu(nn.Conv(filters, (size, size), stride, padding, feature_group_count=groups,
                                name=f"conv{i}")(x))  # fmt: skip
            x = nn.max_pool(x, (3, 3), (2, 2)) if i in (1, 2, 5) else x
        x = x.reshape(x.shape[0], -1)
        for i in (1, 2):
            x = nn.relu(nn.Dense(4096, name=f"dense{i}")(x))
        return nn.Dense(self.classes, name="logits")(x)


class Bottleneck(nn.Module):
    """Three convolutions with a way around them (He, Zhang, Ren, Sun 2015, figure 5)."""

    filters: int  # of the first two; the last has four times as many
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, height, width, channels] to [batch, height / stride, width / stride, 4 filters]."""
        y, wide = x, 4 * self.filters
        for i, (filters, size, stride) in enumerate(
            ((self.filters, 1, 1), (self.filters, 3, self.stride), (wide, 1, 1)), start=1
        ):
            y = nn.Conv(filters, (size, size), stride, use_bias=False, name=f"conv{i}")(y)
            y = nn.BatchNorm(True, name=f"norm{i}")(y)
            y = nn.relu(y) if i < 3 else y
        if x.shape != y.shape:
            x = nn.Conv(wide, (1, 1), self.stride, use_bias=False, name="conv_around")(x)
            x = nn.BatchNorm(True, name="norm_around")(x)
        return nn.relu(x + y)


class ResNet50(nn.Module):
    """Fifty layers with weights in sixteen bottlenecks (003:701-716)."""

    classes: int = 1000

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, height, width, 3] to logits [batch, classes]."""
        x = nn.Conv(64, (7, 7), 2, use_bias=False, name="conv")(x)
        x = nn.max_pool(nn.relu(nn.BatchNorm(True, name="norm")(x)), (3, 3), (2, 2), "SAME")
        for stage, blocks in enumerate((3, 4, 6, 3)):
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                x = Bottleneck(64 * 2**stage, stride, name=f"block{stage + 1}_{block + 1}")(x)
        return nn.Dense(self.classes, name="logits")(x.mean((1, 2)))


class Decoder(nn.Module):
    """The drawing of 003:1107: project and reshape, then transposed convolutions of stride 2.

    With kernels of 5 and without batch norm, as it is drawn; `models.Generator` is the one that learns.
    """

    widths: tuple[int, ...] = (1024, 512, 256, 128)  # channels of the maps, the smallest map first
    channels: int = 3  # of the image

    @nn.compact
    def __call__(self, noise: jax.Array) -> jax.Array:
        """[batch, latents] to images [batch, 64, 64, channels]."""
        x = nn.Dense(16 * self.widths[0], name="project")(noise).reshape(-1, 4, 4, self.widths[0])
        for i, width in enumerate((*self.widths[1:], self.channels), start=1):
            x = models.ConvTranspose(width, 5, strides=2, name=f"deconv{i}")(nn.relu(x))
        return jnp.tanh(x)


def weights(model: nn.Module, *shape: int) -> dict[str, Any]:
    """Shapes of a model's parameters by layer, for one input of a shape; nothing is allocated."""
    example = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    return dict(jax.eval_shape(model.init, jax.random.key(0), example)["params"])


def maps(model: nn.Module, layer: str, *shape: int) -> list[tuple[int, ...]]:
    """Shapes of what the layers put out whose names begin with `layer`, in their order."""
    example, key = jax.ShapeDtypeStruct((1, *shape), jnp.float32), jax.random.key(0)
    apply: Any = partial(model.apply, capture_intermediates=True, mutable=["intermediates"])
    _, kept = jax.eval_shape(apply, jax.eval_shape(model.init, key, example), example)
    return [x["__call__"][0].shape[1:] for name, x in kept["intermediates"].items() if name.startswith(layer)]


def count(layers: Any) -> int:
    """Numbers in all arrays of a tree.

    >>> count(weights(nn.Dense(3), 2))
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(layers))


def dense(layers: dict[str, Any]) -> int:
    """Of these, the numbers in dense layers."""
    return count([layer for name, layer in layers.items() if name.startswith(("dense", "logits"))])


def listing(layers: dict[str, Any]) -> list[str]:
    """VGG's convolutions as channels in and out, with an "M" for the max pooling behind every block."""
    said, block = [], "1"
    for name in sorted(name for name in layers if name.startswith("conv")):
        if name[4] != block:
            said.append("M")
            block = name[4]
        said.append("{2}-{3}".format(*layers[name]["kernel"].shape))
    return said
