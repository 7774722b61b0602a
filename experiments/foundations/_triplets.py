"""The loss of a triplet, how many triplets there are, and the figure of both."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.plots import nth_colour, subplots


def loss(anchor: jax.Array, positive: jax.Array, negative: jax.Array, margin: float) -> jax.Array:
    """max(0, |f(x) - f(x+)|^2 - |f(x) - f(x-)|^2 + alpha) of one triplet of embeddings [dimensions].

    >>> print(loss(jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.0, 2.0]), 0.5))
    0.0
    """
    near, far = (jnp.sum((anchor - other) ** 2) for other in (positive, negative))
    return jnp.maximum(0.0, near - far + margin)


def valid(faces: int, per_person: int) -> int:
    """Triplets with two different faces of one person and one of another."""
    return faces * (per_person - 1) * (faces - per_person)


def draw(
    axis_values: np.ndarray, loss: np.ndarray, positive: float, margin: float, paths: Mapping[str, np.ndarray]
) -> Any:
    """The loss by the place of the negative with its three regions, and triplets before and after.

    Args:
      axis_values: of both coordinates of the negative, [n]; the anchor is at 0.
      loss: [n, n].
      positive: distance of the positive from the anchor, drawn to the right.
      margin: alpha.
      paths: "anchor", "positive" and "negative" through the descent, [steps, triplets, 2].
    """
    figure, axes = subplots(1, 3, (14, 4.4))
    place, before, after = axes[0]
    shown = place.imshow(loss, origin="lower", cmap="viridis", extent=(*axis_values[[0, -1]],) * 2)
    figure.colorbar(shown, ax=place, label="loss", shrink=0.85)
    angle = np.linspace(0, 2 * np.pi, 200)
    for radius, style in ((positive, "-"), (np.sqrt(positive**2 + margin), "--")):
        place.plot(radius * np.cos(angle), radius * np.sin(angle), style, color="white")
    middle = (positive + np.sqrt(positive**2 + margin)) / 2
    for height, word in ((-0.55 * positive, "hard"), (-middle, "semi-hard"), (-1.75 * middle, "loss 0")):
        place.text(0, height, word, color="white", ha="center", va="center", fontsize=10)
    place.plot(0, 0, "o", color="white")
    place.plot(positive, 0, "^", color="white")
    place.annotate("anchor", (0, 0), xytext=(-8, 6), textcoords="offset points", color="white", ha="right")
    place.annotate("positive", (positive, 0), xytext=(8, 4), textcoords="offset points", color="white")
    place.set(title="loss by the place of the negative")
    for axis, title, at in ((before, "triplets before", 0), (after, "triplets after", -1)):
        for i, (marker, (name, path)) in enumerate(zip("o^X", paths.items(), strict=True)):
            axis.plot(*path[at].T, marker, color=nth_colour(i), ms=8, mec="white", label=name)
        for anchor, near, far in zip(*(path[at] for path in paths.values()), strict=True):
            axis.plot(*np.stack([anchor, near]).T, color=nth_colour(1), lw=0.8)
            axis.plot(*np.stack([anchor, far]).T, ":", color=nth_colour(2), lw=0.8)
        axis.set(title=title, aspect="equal")
        axis.grid(alpha=0.3)
    ends = [np.stack([path[at] for path in paths.values()]) for at in (0, -1)]
    low, high = (edge(np.concatenate(ends).reshape(-1, 2)) for edge in (np.min, np.max))
    for axis in (before, after):
        axis.set(xlim=(low - 0.1, high + 0.1), ylim=(low - 0.1, high + 0.1))
    before.legend(fontsize=8)
    return figure
