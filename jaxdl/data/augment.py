"""Augmentation (003:758-787): more training images by moving the ones there are.

Every function is pure, takes one image with a key of its own and returns an image of the same
shape; `jax.vmap` makes a batch of it. Images are float [height, width, channels] in 0..1, and
what comes in from outside the image is 0. Training composes `flip`, `affine` and `noise`:
`affine` resamples once for rotation, scale and translation together, which is quicker than one
after the other and blurs less.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from jaxdl.errors import require, require_number

Augment = Callable[[jax.Array, jax.Array], jax.Array]  # (key, image) -> image


def flip(key: jax.Array, image: jax.Array) -> jax.Array:
    """Mirror left and right with probability 1/2.

    Args:
        key: typed key [].
        image: float [height, width, channels].
    """
    _check_image(image)
    return jnp.where(jax.random.bernoulli(key), image[:, ::-1], image)


def rotate(key: jax.Array, image: jax.Array, degrees: float) -> jax.Array:
    """Rotate about the centre by an angle drawn from -degrees..degrees.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        degrees: 0..180.

    Raises:
        InputError: if `degrees` is out of range.
    """
    return affine(key, image, degrees=degrees)


def scale(key: jax.Array, image: jax.Array, share: float) -> jax.Array:
    """Zoom about the centre by a factor drawn from 1-share..1+share.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        share: 0..0.9.

    Raises:
        InputError: if `share` is out of range.
    """
    return affine(key, image, scale=share)


def translate(key: jax.Array, image: jax.Array, pixels: float) -> jax.Array:
    """Shift by real numbers of pixels, down and right, each drawn from -pixels..pixels.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        pixels: >= 0.

    Raises:
        InputError: if `pixels` is negative.
    """
    return affine(key, image, translate=pixels)


def crop(key: jax.Array, image: jax.Array, padding: int) -> jax.Array:
    """Add `padding` zeros on every side, then cut out the old size at a random whole pixel.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        padding: >= 0 (a Python int: it is a shape).

    Raises:
        InputError: if `padding` is negative.
    """
    _check_image(image)
    require_number("padding", padding, 0, whole=True, remedy="0 leaves the image as it is")
    padded = jnp.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    top, left = jax.random.randint(key, (2,), 0, 2 * padding + 1)
    return jax.lax.dynamic_slice(padded, (top, left, jnp.zeros_like(top)), image.shape)


def noise(key: jax.Array, image: jax.Array, sigma: float) -> jax.Array:
    """Add Gaussian noise, then clip to 0..1.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        sigma: standard deviation of the noise before clipping, >= 0.

    Raises:
        InputError: if `sigma` is negative.
    """
    _check_image(image)
    require_number("sigma", sigma, 0, remedy="0 switches it off")
    return jnp.clip(image + sigma * jax.random.normal(key, image.shape, image.dtype), 0, 1)


def affine(
    key: jax.Array,
    image: jax.Array,
    *,
    degrees: float = 0.0,
    scale: float = 0.0,
    translate: float = 0.0,
) -> jax.Array:
    """Random rotation, scale and translation in one bilinear resampling.

    Args:
        key: typed key [].
        image: float [height, width, channels].
        degrees: the angle is drawn from -degrees..degrees; 0..180.
        scale: the factor is drawn from 1-scale..1+scale; 0..0.9.
        translate: the shifts down and right are drawn from -translate..translate pixels; >= 0.

    Returns:
        float [height, width, channels]; the image itself if all three are 0.

    Raises:
        InputError: if a range is out of bounds (where it is not traced).

    >>> import functools
    >>> import jax
    >>> images, keys = jnp.ones([128, 28, 28, 1]), jax.random.split(jax.random.key(0), 128)
    >>> moved = jax.vmap(functools.partial(affine, degrees=10, translate=2))(keys, images)
    >>> moved.shape
    (128, 28, 28, 1)
    """
    require_number("degrees", degrees, 0, 180, remedy="0 switches it off")
    require_number("scale", scale, 0, 0.9, remedy="0 switches it off")
    require_number("translate", translate, 0, remedy="0 switches it off")
    draw = jax.random.uniform(key, (4,), minval=-1, maxval=1)
    angle = jnp.deg2rad(degrees * draw[0])
    return warp(image, angle=angle, factor=1 + scale * draw[1], shift=translate * draw[2:])


def warp(
    image: jax.Array,
    angle: jax.Array | float = 0.0,
    factor: jax.Array | float = 1.0,
    shift: jax.Array | tuple[float, float] = (0.0, 0.0),
) -> jax.Array:
    """Rotate and scale an image about its centre, then shift it: bilinear, 0 outside.

    Each pixel of the result looks up where it came from, and mixes the four pixels around.

    Args:
        image: float [height, width, channels].
        angle: radians, anticlockwise.
        factor: > 0; above 1 enlarges what is seen.
        shift: pixels down and right.

    Returns:
        float [height, width, channels].
    """
    _check_image(image)
    height, width, _ = image.shape
    wide = jnp.promote_types(image.dtype, jnp.float32)  # half precision cannot count the pixels of a side
    centre = (height - 1) / 2, (width - 1) / 2
    cos, sin = jnp.cos(angle) / factor, jnp.sin(angle) / factor
    y = jnp.arange(height, dtype=wide)[:, None] - centre[0] - shift[0]
    x = jnp.arange(width, dtype=wide)[None, :] - centre[1] - shift[1]
    places = [cos * y + sin * x + centre[0], cos * x - sin * y + centre[1]]
    # Four gathers that XLA fuses into one loop: on CPU four times faster than products with
    # matrices of weights, and than padding the image first to spare the tests at its edge.
    sample = functools.partial(map_coordinates, coordinates=places, order=1, mode="constant", cval=0.0)
    return jax.vmap(sample, in_axes=-1, out_axes=-1)(image.astype(wide)).astype(image.dtype)


def compose(*functions: Augment) -> Augment:
    """One augmentation that applies several, left to right, each with a key of its own.

    >>> import functools
    >>> import jax
    >>> augment = compose(flip, functools.partial(noise, sigma=0.1))
    >>> augment(jax.random.key(0), jnp.zeros([28, 28, 1])).shape
    (28, 28, 1)
    """

    def augment(key: jax.Array, image: jax.Array) -> jax.Array:
        for i, function in enumerate(functions):
            image = function(jax.random.fold_in(key, i), image)
        return image

    return augment


def _check_image(image: jax.Array) -> None:
    """Shapes and dtypes are known even inside jit, so this costs nothing at run time."""
    require(
        image.ndim == 3,
        "image",
        f"shape {image.shape}",
        "one image [height, width, channels]",
        "use jax.vmap for a batch",
    )
    require(
        jnp.issubdtype(image.dtype, jnp.floating),
        "image",
        str(image.dtype),
        "float in 0..1",
        "scale uint8 images first: image / 255",
    )
