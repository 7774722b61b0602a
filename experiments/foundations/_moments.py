"""Where what is bright in an image lies, and which way."""

import jax
import jax.numpy as jnp
import numpy as np


def shifts(images: jax.Array, grid: np.ndarray) -> jax.Array:
    """Where the centre of what is bright is, down and right, [images, 2]."""
    places = jnp.asarray(grid, jnp.float32)
    sums = [jnp.einsum(way, images, places) for way in ("nyxc,y->n", "nyxc,x->n")]
    return jnp.stack(sums, 1) / images.sum((1, 2, 3))[:, None]


def angles(images: jax.Array, grid: np.ndarray) -> jax.Array:
    """Degrees between the long axis of what is bright and the rows, by its second moments, [images]."""
    y, x = jnp.asarray(grid, jnp.float32)[:, None], jnp.asarray(grid, jnp.float32)[None]
    across, along, both = (jnp.einsum("nyxc,yx->n", images, way) for way in (y * y, x * x, x * y))
    return jnp.rad2deg(jnp.arctan2(2 * both, along - across) / 2)
