"""Environments as images, drawn from what an agent observes of them: arrays in, arrays out.

The observations are those of gymnasium, and so are the proportions of what is drawn.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np


def cart_pole(observations: np.ndarray) -> np.ndarray:
    """The cart on its rail and the pole on the cart.

    Args:
      observations: [..., 4], of which the position (-2.4 to 2.4) and the angle (radians, 0 is
        upright, positive to the right) are drawn.

    Returns:
      uint8 [..., 48, 96, 1], 255 where something is.

    >>> cart_pole(np.zeros((3, 4))).shape
    (3, 48, 96, 1)
    """
    position, angle = observations[..., 0], observations[..., 2]
    zero = np.zeros_like(position)
    tip = np.stack([position + np.sin(angle), np.cos(angle)], -1)
    foot = np.stack([position, zero], -1)
    left, right = np.stack([position - 0.25, zero], -1), np.stack([position + 0.25, zero], -1)
    ground = np.stack([zero - 2.4, zero - 0.1], -1), np.stack([zero + 2.4, zero - 0.1], -1)
    return strokes(
        [(left, right, 0.08), (foot, tip, 0.04), (*ground, 0.01)], (-2.4, 2.4), (-0.6, 1.8), (48, 96)
    )


def acrobot(observations: np.ndarray) -> np.ndarray:
    """The two links, hung up in the middle, and the height that is to be reached.

    Args:
      observations: [..., 6], of which the first four are drawn: cosine and sine of the first
        joint's angle (0 is downwards) and of the second one's, relative to the first.

    Returns:
      uint8 [..., 64, 64, 1], 255 where something is.
    """
    cos1, sin1, cos2, sin2 = np.moveaxis(observations[..., :4], -1, 0)
    elbow = np.stack([sin1, -cos1], -1)
    hand = elbow + np.stack([sin1 * cos2 + cos1 * sin2, -(cos1 * cos2 - sin1 * sin2)], -1)
    goal = [np.broadcast_to((x, 1.0), elbow.shape) for x in (-2.0, 2.0)]
    links = [(np.zeros_like(elbow), elbow, 0.06), (elbow, hand, 0.06), (*goal, 0.015)]
    return strokes(links, (-2.2, 2.2), (-2.2, 2.2), (64, 64))


def strokes(
    lines: Sequence[tuple[np.ndarray, np.ndarray, float]],
    across: tuple[float, float],
    up: tuple[float, float],
    size: tuple[int, int],
) -> np.ndarray:
    """Straight strokes with round ends, smooth at their edges.

    Args:
      lines: (from [..., 2], to [..., 2], half width) of each, as x and y; no two ends alike.
      across: x of the left and of the right border.
      up: y of the lower and of the upper border.
      size: height and width in pixels.

    Returns:
      uint8 [..., height, width, 1], 255 in the middle of a stroke.
    """
    y, x = np.meshgrid(np.linspace(up[1], up[0], size[0]), np.linspace(*across, size[1]), indexing="ij")
    pixel = (across[1] - across[0]) / size[1]
    image: Any = 0.0
    for start, end, width in lines:
        a, along = start[..., None, None, :], (end - start)[..., None, None, :]
        point = np.stack([x, y], -1)
        share = ((point - a) * along).sum(-1) / (along**2).sum(-1)
        distance = np.linalg.norm(point - a - np.clip(share, 0, 1)[..., None] * along, axis=-1)
        image = np.maximum(image, np.clip((width - distance) / pixel + 0.5, 0, 1))
    return (255 * image).astype(np.uint8)[..., None]
