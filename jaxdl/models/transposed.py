"""Transposed convolution that is fast on the CPU: one matrix product, then overlapping sums.

It equals flax's own layer in value and gradient. XLA computes a transposed convolution as a
convolution of the input with zeros put between its pixels, and multiplies all those zeros. The
fast form multiplies each pixel by the whole kernel, which is one large matrix product, and adds
the patches up where they overlap. Its gradients are a matrix product and slices again, to any
order and in both modes, and as fast inside a `lax.scan` as outside.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype
from flax.typing import Dtype, Initializer
from jax import lax

from jaxdl.errors import require, require_choice
from jaxdl.models.canonical import LAYOUT, Pads, Pair, canonical_conv
from jaxdl.models.layers import Padding, pair, require_images, require_layer, resolve


class ConvTranspose(nn.Module):
    """2-d transposed convolution, the step up in size of decoders and generators (003:1104-1112).

    Parameters "kernel" [kernel height, kernel width, in, features] and "bias" [features] have
    the names, shapes and initial values of `nn.ConvTranspose`. One thing differs: an integer
    `kernel_size` is the side of a square.

    `torch.nn.ConvTranspose2d(kernel_size=4, stride=2, padding=1)` is `kernel_size=4, strides=2,
    padding="SAME"` with the kernel flipped in height and width.

    >>> layer = ConvTranspose(features=1, kernel_size=4, strides=2)
    >>> outputs, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 8, 8, 3)))
    >>> outputs.shape, variables["params"]["kernel"].shape
    ((1, 16, 16, 1), (4, 4, 3, 1))
    """

    features: int  # channels of the output
    kernel_size: int | Pair  # pixels
    strides: int | Pair = 1  # how many times larger the output is
    padding: Padding = "SAME"
    use_bias: bool = True
    kernel_init: Initializer = nn.initializers.lecun_normal()
    bias_init: Initializer = nn.initializers.zeros_init()
    param_dtype: Dtype = jnp.float32
    implementation: str = "auto"  # see `jaxdl.models.layers.resolve`

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
        y = conv_transpose(x, kernel, self.strides, self.padding, self.implementation)
        return y if bias is None else y + bias.reshape(1, 1, 1, -1)


def conv_transpose(
    x: jax.Array,
    kernel: jax.Array,
    strides: int | Pair = 1,
    padding: Padding = "SAME",
    implementation: str = "auto",
) -> jax.Array:
    """2-d transposed convolution of images with given filters: `lax.conv_transpose` on NHWC.

    Args:
      x: [batch, height, width, in], any float type.
      kernel: [kernel height, kernel width, in, features], of the same type.
      strides: pixels of the output from one pixel of the input to the next.
      padding: "SAME" (the output is `strides` times as large as the input), "VALID" (it holds
        every patch in full: (n - 1) stride + max(k, stride) pixels), or explicit pixels of zeros
        around the spread input, as in `lax.conv_transpose`: k - 1 - p where torch says p.
      implementation: see `jaxdl.models.layers.resolve`.

    Returns:
      [batch, new height, new width, features].

    Raises:
      InputError: x is not a batch of images, an output without pixels, or an unknown name.

    >>> spread = conv_transpose(jnp.ones((1, 2, 2, 1)), jnp.ones((1, 1, 1, 1)), strides=2)
    >>> spread[0, :, :, 0]
    Array([[1., 0., 1., 0.],
           [0., 0., 0., 0.],
           [1., 0., 1., 0.],
           [0., 0., 0., 0.]], dtype=float32)
    """
    require_images(x)
    strides = pair(strides)
    window = (kernel.shape[0], kernel.shape[1])
    pads = transposed_padding(x, window, strides, padding)
    if resolve(implementation) == "plain":
        return lax.conv_general_dilated(x, kernel, (1, 1), pads, strides, dimension_numbers=LAYOUT)
    if strides == (1, 1) and x.shape[1:3] != (1, 1):
        # An ordinary convolution: patches that overlap in every pixel would only cost memory.
        return canonical_conv(x, kernel, (1, 1), pads, (1, 1), (1, 1))
    return _overlap_add(x, kernel, strides, pads)


def transposed_padding(x: jax.Array, window: Pair, strides: Pair, padding: Padding) -> Pads:
    """Pixels of zeros around the spread input, as `lax.conv_transpose` counts them.

    Raises:
      InputError: an unknown name, pixels below 0, or an output without a pixel.
    """
    if isinstance(padding, int):
        pads = ((padding, padding), (padding, padding))
    elif isinstance(padding, str):
        require_choice("padding", padding, ("SAME", "VALID"))
        pads = tuple(_named_padding(k, s, padding) for k, s in zip(window, strides, strict=True))
    else:
        pads = padding
    top, bottom, left, right = (int(pixels) for side in pads for pixels in side)
    require(min(top, bottom, left, right) >= 0, "padding", padding, "pixels >= 0", "crop by slicing")
    pads = ((top, bottom), (left, right))
    size = _output_size(x, window, strides, pads)
    require(min(size) >= 1, "padding", padding, "an output of at least one pixel", "use more padding")
    return pads


def _named_padding(k: int, stride: int, padding: str) -> Pair:
    """The borders of "SAME" and "VALID" for a kernel side and a stride."""
    total = k + stride - 2 + (max(k - stride, 0) if padding == "VALID" else 0)
    before = k - 1 if padding == "VALID" or stride > k - 1 else -(-total // 2)
    return before, total - before


def _output_size(x: jax.Array, window: Pair, strides: Pair, pads: Pads) -> Pair:
    sizes = [(x.shape[1 + i] - 1) * strides[i] + sum(pads[i]) - window[i] + 2 for i in (0, 1)]
    return sizes[0], sizes[1]


def _overlap_add(x: jax.Array, kernel: jax.Array, strides: Pair, pads: Pads) -> jax.Array:
    """Every pixel times the flipped kernel is a patch; patches lie `strides` apart and are added."""
    (batch, height, width, channels), (rows, columns, _, features) = x.shape, kernel.shape
    matrix = jnp.flip(kernel, (0, 1)).transpose(2, 0, 1, 3).reshape(channels, -1)
    patches = (x.reshape(-1, channels) @ matrix).reshape(batch, height, width, rows, columns, features)
    y = _add_up(_add_up(patches, 1, 3, strides[0]), 2, 4, strides[1])
    y = y.transpose(0, 1, 3, 2, 4, 5)
    y = y.reshape(batch, y.shape[1] * y.shape[2], y.shape[3] * y.shape[4], features)
    edges = [(0, 0, 0)]
    for i, size in enumerate(_output_size(x, (rows, columns), strides, pads)):
        before = pads[i][0] - (kernel.shape[i] - 1)  # a negative edge crops
        edges.append((before, size - before - y.shape[1 + i], 0))
    return lax.pad(y, jnp.zeros((), y.dtype), [*edges, (0, 0, 0)])


def _add_up(patches: jax.Array, axis: int, taps: int, stride: int) -> jax.Array:
    """Add patches up along one side: n places of k taps become n - 1 + ceil(k / stride) of `stride`.

    Places lie along `axis`, taps along `taps`. Tap q * stride + r of place i falls on pixel r of
    place i + q, so the sum is over few shifted copies and nothing is scattered.
    """
    k = patches.shape[taps]
    blocks = -(-k // stride)
    total = None
    for q in range(blocks):
        piece = lax.slice_in_dim(patches, q * stride, min((q + 1) * stride, k), axis=taps)
        edges = [(0, 0)] * patches.ndim
        edges[axis] = (q, blocks - 1 - q)
        edges[taps] = (0, stride - piece.shape[taps])
        piece = jnp.pad(piece, edges)
        total = piece if total is None else total + piece
    assert total is not None  # a kernel has at least one tap
    return total
