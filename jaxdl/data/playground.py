"""The four point sets of TensorFlow Playground (001:555-621), drawn from a seed.

Two inputs, two classes. A linear classifier does well on `gauss` only; `circle` and `xor` need a
hidden layer (or the product of the inputs), `spiral` more than one. Geometry after TensorFlow
Playground (Smilkov and Carter, 2016; playground.tensorflow.org).
"""

from collections.abc import Callable

import numpy as np

from jaxdl.errors import require, require_choice, require_number

RADIUS = 5.0  # half the width of the drawing, whose axes end at 6
Draw = Callable[[np.random.Generator, int, float], tuple[np.ndarray, np.ndarray]]


def points(
    name: str, seed: int, noise: float = 0.0, n: int = 500, train_share: float = 0.5
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw a point set and split it.

    The defaults are those on the slide (001:566): 500 points, no noise, half for training.

    Args:
        name: one of `NAMES`.
        seed: of NumPy's generator; the same seed gives the same points.
        noise: 0..0.5. In `gauss` and `spiral` it moves the points; in `circle` and `xor` it moves
            them for the labelling only, so that some labels are wrong.
        n: number of points, >= 4, half of them in either class (for `xor` about half).
        train_share: share for training, with at least one point on either side.

    Returns:
        (train, test), each {"input": float32 [n, 2], about -6..6; "target": int32 [n], 0 or 1}.

    Raises:
        InputError: for an unknown name or a number out of range.

    >>> train, test = points("gauss", seed=0)
    >>> train["input"].shape, test["target"].shape
    ((250, 2), (250,))
    """
    require_choice("dataset", name, NAMES)
    require_number("seed", seed, 0, whole=True, remedy="0 is as good as any")
    require_number("noise", noise, 0, 0.5, remedy="the slides use 0")
    require_number("n", n, 4, whole=True, remedy="the slides use 500")
    count = round(n * train_share) if 0 < train_share < 1 else 0
    require(
        0 < count < n,
        "train_share",
        train_share,
        "a share that leaves points on both sides",
        "the slides use 0.5",
    )
    generator = np.random.default_rng(seed)
    inputs, targets = _DRAW[name](generator, n, noise)
    order = generator.permutation(n)
    inputs, targets = inputs[order].astype(np.float32), targets[order].astype(np.int32)
    train = {"input": inputs[:count], "target": targets[:count]}
    return train, {"input": inputs[count:], "target": targets[count:]}


def _circle(generator: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """A disc of radius 2.5 (class 1) inside a ring from 3.5 to 5."""
    inner = n // 2
    radius = np.concatenate(
        [
            generator.uniform(0, 0.5 * RADIUS, inner),
            generator.uniform(0.7 * RADIUS, RADIUS, n - inner),
        ]
    )
    angle = generator.uniform(0, 2 * np.pi, n)
    place = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    moved = place + noise * generator.uniform(-RADIUS, RADIUS, (n, 2))
    return place, np.linalg.norm(moved, axis=1) < 0.5 * RADIUS


def _xor(generator: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Four squares around an empty cross; class 1 where both coordinates have the same sign."""
    place = generator.uniform(-RADIUS, RADIUS, (n, 2))
    place += np.where(place > 0, 0.3, -0.3)
    moved = place + noise * generator.uniform(-RADIUS, RADIUS, (n, 2))
    return place, moved.prod(axis=1) >= 0


def _gauss(generator: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two normal clouds at (2, 2), class 1, and (-2, -2); `noise` 0..0.5 is variance 0.5..4."""
    label = np.arange(n) < n // 2
    spread = np.sqrt(0.5 + 7 * noise)
    return np.where(label, 2.0, -2.0)[:, None] + spread * generator.normal(size=(n, 2)), label


def _spiral(generator: np.random.Generator, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Two arms of 1.75 turns, half a turn apart, points evenly spaced in radius."""
    label = np.arange(n) < n // 2
    along = np.concatenate([np.arange(count) / count for count in (n // 2, n - n // 2)])
    angle = 1.75 * 2 * np.pi * along + np.where(label, 0.0, np.pi)
    place = RADIUS * along[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return place + noise * generator.uniform(-1, 1, (n, 2)), label


_DRAW: dict[str, Draw] = {"circle": _circle, "xor": _xor, "gauss": _gauss, "spiral": _spiral}
NAMES = tuple(_DRAW)
