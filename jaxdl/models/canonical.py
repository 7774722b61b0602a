"""The fast forms on the CPU of convolution and max pooling: the same values, other gradients' code.

On the CPU XLA compiles the gradients that autodiff writes for these two badly:

- It brings a convolution into the form that its fast kernels know only outside of loops. The
  gradients written by autodiff are in another form, so inside a scan over training steps they
  fall to naive loops, tens of times slower. Here they are written in the known form.
- The gradient of max pooling is a scatter; here it is a comparison.

What users call is in `jaxdl.models.layers`.
"""

from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax

Pair = tuple[int, int]  # along height and width
Pads = tuple[Pair, Pair]  # pixels of zeros (top, bottom), (left, right)

LAYOUT = ("NHWC", "HWIO", "NHWC")


def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: Pair,
    pads: Pads,
    x_dilation: Pair,
    kernel_dilation: Pair,
) -> jax.Array:
    """`lax.conv_general_dilated` whose gradients of every order have its own NHWC x HWIO form.

    Both gradients of a convolution are convolutions, with stride and dilation exchanged. So the
    backward pass calls this very function and a gradient penalty is as fast as a gradient.
    """
    return lax.conv_general_dilated(
        x, kernel, strides, pads, x_dilation, kernel_dilation, dimension_numbers=LAYOUT
    )


canonical_conv = jax.custom_vjp(_convolve, nondiff_argnums=(2, 3, 4, 5))


def _conv_forward(x, kernel, *geometry):
    return canonical_conv(x, kernel, *geometry), (x, kernel)


def _conv_backward(strides, pads, x_dilation, kernel_dilation, residuals, g):
    x, kernel = residuals
    dx_pads, dk_pads = [], []
    for axis, (low, _) in enumerate(pads):
        # Sides in pixels once zeros have been put between their elements.
        spread = (x.shape[1 + axis] - 1) * x_dilation[axis] + 1
        window = (kernel.shape[axis] - 1) * kernel_dilation[axis] + 1
        out = (g.shape[1 + axis] - 1) * strides[axis] + 1
        # The border before is what puts g in line with x; the one after gives the right size.
        dx_pads.append((window - 1 - low, spread - out + low))
        dk_pads.append((low, window - 1 - spread + out - low))
    flipped = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    dx = canonical_conv(g, flipped, x_dilation, tuple(dx_pads), strides, kernel_dilation)
    # The batch is what the sum runs over, so it takes the place of the input channels.
    images, filters = x.transpose(3, 1, 2, 0), g.transpose(1, 2, 0, 3)
    dk = canonical_conv(images, filters, kernel_dilation, tuple(dk_pads), x_dilation, strides)
    return dx, lax.transpose(dk, (1, 2, 0, 3))


canonical_conv.defvjp(_conv_forward, _conv_backward)


def _phases(x: jax.Array, window: Pair) -> list[jax.Array]:
    """For each place in the window, row by row, the pixels in it: [batch, rows, columns, channels]."""
    rows, columns = x.shape[1] // window[0], x.shape[2] // window[1]
    x = x[:, : rows * window[0], : columns * window[1]]
    return [x[:, i :: window[0], j :: window[1]] for i in range(window[0]) for j in range(window[1])]


def _pool(x: jax.Array, window: Pair) -> jax.Array:
    """Max pooling over windows side by side, by slices."""
    return reduce(jnp.maximum, _phases(x, window))


tiled_max_pool = jax.custom_vjp(_pool, nondiff_argnums=(1,))


def _pool_forward(x, window):
    # The function itself, so that the second derivative sees the same rule for ties.
    y = tiled_max_pool(x, window)
    return y, (x, y)


def _pool_backward(window, residuals, g):
    x, y = residuals
    (height, width), (batch, rows, columns, channels) = window, y.shape
    first = jnp.full(y.shape, height * width)
    for place, pixels in reversed(list(enumerate(_phases(x, window)))):
        first = jnp.where(pixels == y, place, first)
    tiles = (batch, rows, height, columns, width, channels)
    places = lax.broadcast_in_dim(jnp.arange(height * width).reshape(height, width), tiles, (2, 4))
    spread = partial(lax.broadcast_in_dim, shape=tiles, broadcast_dimensions=(0, 1, 3, 5))
    dx = jnp.where(places == spread(first), spread(g), 0)
    dx = dx.reshape(batch, rows * height, columns * width, channels)
    left_over = (x.shape[1] - dx.shape[1], x.shape[2] - dx.shape[2])
    return (jnp.pad(dx, ((0, 0), (0, left_over[0]), (0, left_over[1]), (0, 0))),)


tiled_max_pool.defvjp(_pool_forward, _pool_backward)
