"""Convolution and max pooling that stay fast on the CPU, also inside a `lax.scan`.

Both equal flax's own layers in value and gradient. Each has a plain form, XLA's own, and a fast
one (`jaxdl.models.canonical`), and `resolve` is the one place that decides between them, here and for
recurrent networks. The fast forms know reverse mode only, to any order; `implementation="plain"`, or
the environment variable JAXDL_LAYERS=plain for all models at once, is the way to `jax.jvp`,
`jax.jacfwd` and `jax.hessian`.
"""

import os
from collections.abc import Sequence
from numbers import Integral

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype, Initializer
from jax import lax

from jaxdl.errors import require, require_choice, require_number, require_widths
from jaxdl.models.canonical import LAYOUT, Pads, Pair, canonical_conv, tiled_max_pool

Padding = str | int | Sequence[Pair]  # "SAME", "VALID", one border on all sides, or `Pads`

IMPLEMENTATIONS = ("auto", "fast", "plain")


def resolve(implementation: str = "auto", accelerator: str = "plain") -> str:
    """The form of a layer, "fast" or "plain".

    Args:
      implementation: one of them, or "auto": what the environment variable JAXDL_LAYERS says while
        the model is traced, or else the fast form on the CPU.
      accelerator: the form on other backends, where XLA's own convolutions need no help.

    Raises:
      InputError: not one of `IMPLEMENTATIONS`.

    >>> resolve("plain")
    'plain'
    """
    require_choice("implementation", implementation, IMPLEMENTATIONS)
    if implementation == "auto":
        implementation = os.environ.get("JAXDL_LAYERS") or "auto"
        require_choice("JAXDL_LAYERS", implementation, IMPLEMENTATIONS)
    if implementation != "auto":
        return implementation
    return "fast" if jax.default_backend() == "cpu" else accelerator


class Conv(nn.Module):
    """2-d convolution without kernel flip, `nn.Conv` with gradients that are fast on the CPU.

    Parameters "kernel" [kernel height, kernel width, in, features] and "bias" [features] have
    the names, shapes and initial values of `nn.Conv`. An integer `kernel_size` is the side of a
    square; dilation, groups and a dtype of its own are left out.

    The response of a filter is the sum of the products over its receptive field (003:426), for
    several input channels also over these (003:532).

    >>> image = jnp.ones((1, 32, 32, 3))
    >>> layer = Conv(features=1, kernel_size=5, padding="VALID")
    >>> outputs, variables = layer.init_with_output(jax.random.key(0), image)
    >>> outputs.shape, variables["params"]["kernel"].shape
    ((1, 28, 28, 1), (5, 5, 3, 1))
    """

    features: int  # filters, the channels of the output
    kernel_size: int | Pair  # pixels
    strides: int | Pair = 1  # pixels
    padding: Padding = "SAME"
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    param_dtype: Dtype = jnp.float32
    implementation: str = "auto"  # see `resolve`

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, height, width, in] to [batch, new height, new width, features]."""
        require_images(x)
        require_layer(self.features, self.kernel_size, self.strides)
        shape = (*pair(self.kernel_size), x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, self.param_dtype)
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (self.features,), self.param_dtype)
        x, kernel, bias = promote_dtype(x, kernel, bias, dtype=None)
        y = conv(x, kernel, self.strides, self.padding, self.implementation)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: int | Pair = 1,
    padding: Padding = "SAME",
    implementation: str = "auto",
) -> jax.Array:
    """2-d convolution without kernel flip, of images with given filters.

    Args:
      x: [batch, height, width, in], any float type.
      kernel: [kernel height, kernel width, in, features], of the same type.
      strides: pixels between two positions of the filter.
      padding: "SAME" (the output has the size of the input over the stride), "VALID" (none: a
        side of n pixels becomes n - k + 1, 003:531), or explicit pixels of zeros.
      implementation: see `resolve`.

    Returns:
      [batch, new height, new width, features].

    Raises:
      InputError: x is not a batch of images, the image is smaller than the kernel, or an
        unknown name.

    >>> blur = jnp.full((3, 3, 1, 1), 1 / 9)
    >>> float(conv(jnp.ones((1, 5, 5, 1)), blur, padding="VALID").mean().round(3))
    1.0
    """
    require_images(x)
    strides = pair(strides)
    pads = explicit_padding(x, (kernel.shape[0], kernel.shape[1]), strides, padding)
    if resolve(implementation) == "plain":
        return lax.conv_general_dilated(x, kernel, strides, pads, dimension_numbers=LAYOUT)
    return canonical_conv(x, kernel, strides, pads, (1, 1), (1, 1))


def max_pool(
    x: jax.Array,
    window: int | Pair = (2, 2),
    strides: int | Pair | None = None,
    padding: Padding = "VALID",
    implementation: str = "auto",
) -> jax.Array:
    """The largest value in each window: fewer pixels, the same channels (003:526-542).

    `nn.max_pool(x, window, strides or window, padding)`, with its gradient: all of it goes to
    the first pixel, row by row, that holds the maximum. Only windows side by side without a
    border have a fast form, others are plain. In it a window with a NaN gives NaN and passes
    no gradient.

    Args:
      x: [batch, height, width, channels], a float type.
      window: height and width in pixels.
      strides: pixels between two windows; None puts them side by side.
      padding: as for `conv`. With "VALID", rows and columns left over are dropped.
      implementation: see `resolve`.

    Returns:
      [batch, new height, new width, channels].

    Raises:
      InputError: as for `conv`.

    >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1)).ravel()
    Array([ 5.,  7., 13., 15.], dtype=float32)
    """
    require_images(x)
    window = pair(window)
    strides = window if strides is None else pair(strides)
    require_widths("window, strides", (*window, *strides), "1 leaves the image as it is")
    pads = explicit_padding(x, window, strides, padding)
    side_by_side = strides == window and pads == ((0, 0), (0, 0))
    if resolve(implementation) == "fast" and side_by_side:
        return tiled_max_pool(x, window)
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, *window, 1), (1, *strides, 1), ((0, 0), *pads, (0, 0)))


def pair(size: int | Pair) -> Pair:
    """Height and width; an integer stands for both.

    Raises:
      InputError: neither an integer nor two.

    >>> pair(3), pair((1, 2))
    ((3, 3), (1, 2))
    """
    sides = tuple(size) if isinstance(size, Sequence | np.ndarray) else (size, size)
    whole = len(sides) == 2 and all(isinstance(side, Integral) for side in sides)
    require(whole, "size", size, "an integer, or height and width", "give two integers")
    return int(sides[0]), int(sides[1])  # NumPy's too


def explicit_padding(x: jax.Array, window: Pair, strides: Pair, padding: Padding) -> Pads:
    """Padding in pixels of images [batch, height, width, channels].

    Raises:
      InputError: an unknown name, pixels below 0, or images that do not hold one window.
    """
    if isinstance(padding, int):
        pads = ((padding, padding), (padding, padding))
    elif isinstance(padding, str):
        require_choice("padding", padding, ("SAME", "VALID"))
        pads = lax.padtype_to_pads(x.shape[1:3], window, strides, padding)
    else:
        pads = padding
    top, bottom, left, right = (int(pixels) for side in pads for pixels in side)
    # XLA crops with negative padding, but in bfloat16 to wrong values (jaxlib 0.10.2).
    require(min(top, bottom, left, right) >= 0, "padding", padding, "pixels >= 0", "crop by slicing")
    size = (x.shape[1] + top + bottom, x.shape[2] + left + right)
    require(
        size[0] >= window[0] and size[1] >= window[1],
        "size of the images that reach this layer",
        size,
        f"at least the window {window}",
        "use larger images, fewer layers or more padding",
    )
    return (top, bottom), (left, right)


def require_layer(features: int, kernel_size: int | Pair, strides: int | Pair) -> None:
    """Raise `InputError` unless a convolution has filters, a kernel and steps of at least 1."""
    require_number("features", features, 1, whole=True, remedy="leave the layer out instead")
    require_widths("kernel_size", pair(kernel_size), "3 is the usual choice")
    require_widths("strides", pair(strides), "1 visits every pixel")


def require_images(x: jax.Array) -> None:
    """Raise `InputError` unless x has the rank of [batch, height, width, channels]."""
    remedy = "missing batch or channel axis?"
    require(x.ndim == 4, "images", x.shape, "the shape [batch, height, width, channels]", remedy)
