"""2-d point clouds from a seed, for the demonstration of an auto-encoder on points (003:1114-1130)."""

from collections.abc import Callable

import numpy as np

from jaxdl.errors import require_choice, require_number

Curve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # position 0..1 -> x, y in -1..1

CURVES: dict[str, Curve] = {
    "line": lambda t: (2 * t - 1, 0.6 * (2 * t - 1)),
    "parabola": lambda t: (2 * t - 1, 2 * (2 * t - 1) ** 2 - 1),
    "wave": lambda t: (2 * t - 1, 0.7 * np.sin(2 * np.pi * t)),
    "arc": lambda t: (np.cos(1.5 * np.pi * t), np.sin(1.5 * np.pi * t)),
}
NAMES = tuple(CURVES)


def cloud(name: str, seed: int, n: int = 500, noise: float = 0.05) -> np.ndarray:
    """Points scattered about a curve: two numbers each, of which one would nearly do.

    Args:
        name: one of `NAMES`.
        seed: of NumPy's generator; the same seed gives the same points.
        n: number of points, >= 1.
        noise: standard deviation about the curve, >= 0, where the curve spans -1..1.

    Returns:
        float32 [n, 2].

    Raises:
        InputError: for an unknown name or a number out of range.

    >>> cloud("wave", seed=0).shape
    (500, 2)
    """
    require_choice("cloud", name, NAMES)
    require_number("seed", seed, 0, whole=True, remedy="0 is as good as any")
    require_number("n", n, 1, whole=True, remedy="500 make a clear picture")
    require_number("noise", noise, 0, remedy="0 puts all points on the curve")
    generator = np.random.default_rng(seed)
    place = np.stack(CURVES[name](generator.uniform(0, 1, n)), axis=1)
    return (place + noise * generator.normal(size=(n, 2))).astype(np.float32)
