"""VGG: many small convolutions behind each other, in six sizes (003:621-698).

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl.errors import require, require_choice, require_number
from jaxdl.models.layers import Conv, max_pool

# The table of 003:629-658: five blocks of convolutions, (kernel, filters) each or "LRN"; after every
# block a max pooling, after the last the dense layers.
Block = tuple[tuple[int, int] | str, ...]


def _blocks(*counts: int) -> tuple[Block, ...]:
    return tuple(((3, filters),) * n for n, filters in zip(counts, (64, 128, 256, 512, 512), strict=True))


TABLE: dict[str, tuple[Block, ...]] = {
    "A": _blocks(1, 1, 2, 2, 2),
    "A-LRN": (((3, 64), "LRN"), *_blocks(1, 1, 2, 2, 2)[1:]),
    "B": _blocks(2, 2, 2, 2, 2),
    "C": (*_blocks(2, 2, 2, 2, 2)[:2], *(((3, n), (3, n), (1, n)) for n in (256, 512, 512))),
    "D": _blocks(2, 2, 3, 3, 3),
    "E": _blocks(2, 2, 4, 4, 4),
}


class VGG(nn.Module):
    """A column of the table: convolutions with ReLU and max pooling, then two dense layers and the logits.

    D is VGG16 and E is VGG19, by their layers with weights. Images of 224 x 224 pixels reach the
    dense layers as 7 x 7; other multiples of 32 do too, with as many weights as that takes.

    Layers: "conv1_1", "conv1_2", ..., "dense1", "dense2", "logits".

    >>> image = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    >>> variables = jax.eval_shape(VGG("D").init, jax.random.key(0), image)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables))
    138357544
    """

    column: str = "D"  # of the table: A, A-LRN, B, C, D or E
    classes: int = 1000
    hidden: int = 4096  # units of the two dense layers
    dropout: float = 0.5  # probability that a unit of these is set to zero

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, height, width, channels] to logits [batch, classes].

        With `train`, dropout needs the key "dropout".

        Raises:
          InputError: an unknown column, or images whose sides are no multiples of 32.
        """
        require_choice("column", self.column, TABLE)
        for name, count in {"classes": self.classes, "hidden": self.hidden}.items():
            require_number(name, count, 1, whole=True, remedy="try the default")
        require_number("dropout", self.dropout, 0, 1, open_high=True, remedy="0 switches it off")
        ok = x.ndim == 4 and all(side % 32 == 0 and side > 0 for side in x.shape[1:3])
        expected = "[batch, height, width, channels], sides multiples of 32"
        require(ok, "images", x.shape, expected, "resize them")
        for i, block in enumerate(TABLE[self.column], start=1):
            for j, layer in enumerate(block, start=1):
                if isinstance(layer, str):
                    x = local_response_norm(x)
                else:
                    kernel, filters = layer
                    x = nn.relu(Conv(filters, kernel, name=f"conv{i}_{j}")(x))
            x = max_pool(x)
        x = x.reshape(x.shape[0], -1)
        for i in (1, 2):
            x = nn.relu(nn.Dense(self.hidden, name=f"dense{i}")(x))
            x = nn.Dropout(self.dropout, deterministic=not train)(x)
        return nn.Dense(self.classes, name="logits")(x)


def local_response_norm(
    x: jax.Array, size: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
    """x / (k + alpha sum x'^2)^beta, the sum over the `size` channels around each (AlexNet, 2012, 3.3).

    Args:
      x: [..., channels].
      size: channels of the sum, odd; beyond the first and the last channel there are zeros.
      k, alpha, beta: constants of the paper.

    >>> local_response_norm(jnp.array([[1.0, 0.0, 0.0]]), k=1.0, alpha=1.0, beta=1.0)
    Array([[0.5, 0. , 0. ]], dtype=float32)
    """
    half = size // 2
    squares = jnp.pad(jnp.square(x), [(0, 0)] * (x.ndim - 1) + [(half, half)])
    total = sum(squares[..., i : i + x.shape[-1]] for i in range(size))
    return x / (k + alpha * total) ** beta
