"""Scenes of several digits with a label for every pixel, a network for them, and the figure."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import data, losses, metrics, models, plots
from jaxdl.errors import require

SIDE, CELL = 24, 12  # pixels of a scene, and of each of its four quarters
INK = 0.2  # a pixel as dark as this belongs to its digit
CLASSES = 11  # background, then the digits 0 to 9
COLOURS = ("blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "olive", "cyan")


def scenes(digits: data.Split, n: int, seed: int) -> data.Split:
    """Up to four digits in each scene, one to a quarter at a random place in it.

    Args:
      digits: images [rows, 8, 8, 1] in 0..1 and their labels.
      n: scenes.
      seed: of what is put where.

    Returns:
      "input" float32 [n, 24, 24, 1], "target" int32 [n, 24, 24]: 0, or 1 + the digit.
    """
    require(n >= 1, "rows", n, "an integer >= 1", "make some scenes")
    generator = np.random.default_rng(seed)
    inputs = np.zeros((n, SIDE, SIDE, 1), np.float32)
    targets = np.zeros((n, SIDE, SIDE), np.int32)
    for i, quarter in np.ndindex(n, 4):
        if generator.random() < 0.8:
            row = generator.integers(len(digits["target"]))
            top, left = CELL * np.array(divmod(quarter, 2)) + generator.integers(0, CELL - 7, 2)
            place = i, slice(top, top + 8), slice(left, left + 8)
            inputs[place] = digits["input"][row]
            targets[place] = np.where(inputs[place][..., 0] > INK, 1 + digits["target"][row], 0)
    return {"input": inputs, "target": targets}


class Segmenter(nn.Module):
    """Down by convolutions and pooling, up again, with the finer maps beside (Ronneberger et al. 2015).

    >>> answers, _ = Segmenter((4, 8)).init_with_output(jax.random.key(0), jnp.zeros((2, 24, 24, 1)))
    >>> answers.shape
    (2, 24, 24, 11)
    """

    widths: tuple[int, ...] = (16, 32, 64)  # channels of the maps, the finest first

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Images [batch, height, width, 1] to logits of every pixel, [batch, height, width, 11]."""
        finer = []
        for i, width in enumerate(self.widths, start=1):
            x = self.layer(x, width, f"down{i}", train)
            if i < len(self.widths):
                finer.append(x)
                x = models.max_pool(x)
        for i in range(len(self.widths) - 1, 0, -1):
            x = models.ConvTranspose(self.widths[i - 1], 2, strides=2, name=f"up{i}")(x)
            x = self.layer(jnp.concatenate([x, finer[i - 1]], -1), self.widths[i - 1], f"joined{i}", train)
        return nn.Dense(CLASSES, name="logits")(x)

    def layer(self, x: jax.Array, width: int, name: str, train: bool) -> jax.Array:
        """Convolution, batch norm, ReLU."""
        x = models.Conv(width, 3, use_bias=False, name=name)(x)
        return nn.relu(nn.BatchNorm(not train, momentum=0.9, name=f"{name}_norm")(x))


def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean cross-entropy over the pixels of one scene, [height, width, 11] and [height, width]."""
    return jax.vmap(losses.cross_entropy)(logits.reshape(-1, CLASSES), labels.ravel()).mean()


def confusion(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Pixels of one scene by truth and answer, [11, 11]."""
    return jax.vmap(metrics.confusion)(logits.reshape(-1, CLASSES), labels.ravel()).sum(0)


def overlaps(pixels: np.ndarray) -> np.ndarray:
    """Common over total area (IoU) of every class, [..., 11], from `confusion` [..., 11, 11]."""
    right = np.diagonal(pixels, axis1=-2, axis2=-1)
    return right / np.maximum(pixels.sum(-1) + pixels.sum(-2) - right, 1e-9)


def regions_named(answers: np.ndarray, truth: np.ndarray) -> float:
    """The share of the digits whose commonest answer is the right one.

    Args:
      answers, truth: labels [n, height, width].
    """
    right = []
    for i, quarter in np.ndindex(len(truth), 4):
        top, left = CELL * np.array(divmod(quarter, 2))
        place = i, slice(top, top + CELL), slice(left, left + CELL)
        label, inside = truth[place].max(), truth[place] > 0
        if label:
            right.append(np.bincount(answers[place][inside], minlength=CLASSES).argmax() == label)
    return float(np.mean(right))


def draw(images: np.ndarray, truth: np.ndarray, answers: np.ndarray) -> Any:
    """Scenes, their labels, and the answers, a colour and a number for each label.

    Args:
      images: [n, height, width, 1].
      truth, answers: labels [n, height, width].
    """
    from matplotlib.colors import ListedColormap

    colours = ListedColormap(["white", *(f"tab:{name}" for name in COLOURS)])
    rows = {"scene": images[..., 0], "labels": truth, "answers": answers}
    figure, axes = plots.subplots(3, len(images), (1.7 * len(images) + 0.8, 5.2))
    for line, (name, shown) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=11)
        for axis, each in zip(line, shown, strict=True):
            style = {"cmap": "gray_r"} if name == "scene" else {"cmap": colours, "vmin": 0, "vmax": CLASSES}
            axis.imshow(each, interpolation="nearest", **style)
            axis.set(xticks=[], yticks=[])
            for label in () if name == "scene" else np.flatnonzero(np.bincount(each.ravel()) > 5)[1:]:
                place = np.argwhere(each == label)
                middle = place[np.linalg.norm(place - np.median(place, 0), axis=1).argmin()]
                box = {"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "black", "lw": 0.6}
                axis.text(*middle[::-1], str(label - 1), ha="center", va="center", fontsize=9, bbox=box)
    return figure
