"""The generator and the discriminator of DCGAN (003:1570; 003:1107).

Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional
generative adversarial networks", 2015: no pooling and no hidden dense layers, convolutions with
stride instead; batch norm in both networks but not at the images; ReLU in the generator, leaky
ReLU in the discriminator; weights from N(0, 0.02).

Images are in 0..1 outside. Inside the networks they are in -1..1, the range of tanh.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Initializer

from jaxdl.errors import require, require_number, require_widths
from jaxdl.models.layers import Conv, require_images
from jaxdl.models.transposed import ConvTranspose

SLOPE = 0.2  # of the leaky ReLU below 0
KERNEL_INIT = nn.initializers.normal(0.02)


def _scale_init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
    return 1 + 0.02 * jax.random.normal(key, shape, dtype)


class Generator(nn.Module):
    """Noise to images: a map of `start` x `start` pixels is doubled once per width.

    64x64: `Generator()`, 3,576,704 parameters. 28x28: `Generator((128, 64), start=7,
    channels=1)`. 8x8: `Generator((128, 64), start=2, channels=1)`.

    Layers, counted from 1: "up1", "norm1", "up2", "norm2", ..., and the last "up" without a norm.

    >>> noise = jnp.zeros((2, 100))
    >>> images, variables = Generator((8, 4), start=7, channels=1).init_with_output(jax.random.key(0), noise)
    >>> images.shape, list(variables["params"])
    ((2, 28, 28, 1), ['up1', 'norm1', 'up2', 'norm2', 'up3'])
    """

    widths: tuple[int, ...] = (512, 256, 128, 64)  # channels of each map, the smallest map first
    start: int = 4  # side of the first map, pixels
    channels: int = 3  # of the image
    batch_norm: bool = True  # without, the layers have biases
    axis_name: str | None = None  # of the devices that batch norm averages over, under `pmap`
    implementation: str = "auto"  # see `jaxdl.models.layers.resolve`

    @nn.compact
    def __call__(self, noise: jax.Array, train: bool = False) -> jax.Array:
        """[batch, latents] to images [batch, side, side, channels] in 0..1, side = start 2^len(widths).

        With `train`, batch norm uses the batch and updates "batch_stats".

        Raises:
          InputError: noise without a batch axis, or no widths.
        """
        require(noise.ndim == 2, "noise", noise.shape, "the shape [batch, latents]", "missing batch axis?")
        require(len(self.widths) >= 1, "widths", self.widths, "one width or more", "see Generator")
        _check_sizes(self)
        require_number("channels", self.channels, 1, whole=True, remedy="1 for grey images, 3 for colours")
        x = noise[:, None, None, :]
        for i, width in enumerate((*self.widths, self.channels), start=1):
            x = ConvTranspose(
                width,
                self.start if i == 1 else 4,
                strides=1 if i == 1 else 2,
                padding="VALID" if i == 1 else "SAME",
                use_bias=not self.batch_norm,
                kernel_init=KERNEL_INIT,
                implementation=self.implementation,
                name=f"up{i}",
            )(x)
            if i <= len(self.widths):
                x = nn.relu(_norm(self, train, f"norm{i}")(x))
        return (jnp.tanh(x) + 1) / 2


class Discriminator(nn.Module):
    """Images to one logit each: above 0 it takes an image for real. The mirror of the generator.

    64x64: `Discriminator()`, 2,765,568 parameters; for other sizes give the widths of the
    generator the other way round, and its `start`. A critic with a gradient penalty must judge
    each image by itself, so it has `batch_norm=False`.

    Layers, counted from 1: "conv1", "conv2", "norm2", ..., and "logit".

    >>> images = jnp.zeros((2, 28, 28, 1))
    >>> logits, variables = Discriminator((4, 8), start=7).init_with_output(jax.random.key(0), images)
    >>> logits.shape, list(variables["params"])
    ((2,), ['conv1', 'conv2', 'norm2', 'logit'])
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)  # channels of each map, the largest map first
    start: int = 4  # side of the last map, pixels
    batch_norm: bool = True  # without, the layers have biases
    axis_name: str | None = None  # of the devices that batch norm averages over, under `pmap`
    implementation: str = "auto"  # see `jaxdl.models.layers.resolve`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Images [batch, side, side, channels] in 0..1 to logits [batch], side = start 2^len(widths).

        With `train`, batch norm uses the batch and updates "batch_stats".

        Raises:
          InputError: an input that is not a batch of images, or images of another size.
        """
        require_images(x)
        _check_sizes(self)
        side = self.start * 2 ** len(self.widths)
        remedy = "change widths or start"
        require(x.shape[1:3] == (side, side), "images", x.shape, f"{side} x {side} pixels", remedy)

        def conv(width: int, size: int, strides: int, padding: int, name: str) -> Callable:
            return Conv(
                width,
                size,
                strides,
                padding,
                use_bias=not self.batch_norm,
                kernel_init=KERNEL_INIT,
                implementation=self.implementation,
                name=name,
            )

        x = 2 * x - 1
        for i, width in enumerate(self.widths, start=1):
            x = conv(width, 4, 2, 1, f"conv{i}")(x)
            if i > 1:
                x = _norm(self, train, f"norm{i}")(x)
            x = nn.leaky_relu(x, SLOPE)
        return conv(1, self.start, 1, 0, "logit")(x).reshape(len(x))


def _check_sizes(model: Generator | Discriminator) -> None:
    require_widths("widths", model.widths)
    require_number("start", model.start, 1, whole=True, remedy="4 makes 64x64 pixels of four widths")


def _norm(model: Generator | Discriminator, train: bool, name: str) -> Callable[[jax.Array], jax.Array]:
    """Batch norm as both networks use it, or nothing."""
    if not model.batch_norm:
        return lambda x: x
    scale_init: Initializer = _scale_init
    return nn.BatchNorm(not train, momentum=0.9, axis_name=model.axis_name, scale_init=scale_init, name=name)
