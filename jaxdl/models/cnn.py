"""The small convolutional network of the practical sessions (003:508-550, 986)."""

import flax.linen as nn
import jax

from jaxdl.errors import require_number, require_widths
from jaxdl.models.layers import Conv, Padding, max_pool, require_images


class CNN(nn.Module):
    """Levels of convolution, [batch norm], ReLU and 2x2 max pooling, then dense layers.

    The convolutions learn the filters, "then the last layers, fully connected, classify"
    (003:508-535, LeCun et al., 1998). A "VALID" kernel of 5 turns 32x32 pixels into 28x28
    (003:530-533).

    Layers, counted from 1: "conv1", "norm1", "conv2", "norm2", ..., "dense1", "dropout1",
    "logits".

    >>> import jax.numpy as jnp
    >>> init = jax.jit(CNN().init_with_output)
    >>> logits, variables = init(jax.random.key(0), jnp.zeros((2, 28, 28, 1)))
    >>> logits.shape, list(variables["params"])
    ((2, 10), ['conv1', 'conv2', 'dense1', 'logits'])
    """

    features: tuple[int, ...] = (32, 64)  # filters of each level
    hidden: int = 256  # units of the dense layer
    outputs: int = 10
    kernel_size: int | tuple[int, int] = 3  # pixels
    padding: Padding = "SAME"
    dropout: float = 0.0  # probability that a unit of the dense layer is set to zero (003:303)
    batch_norm: bool = False  # Ioffe and Szegedy, 2015; then the convolutions have no bias
    axis_name: str | None = None  # of the devices that batch norm averages over, under `pmap`
    implementation: str = "auto"  # see `jaxdl.models.layers.resolve`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """Images [batch, height, width, channels] to logits [batch, outputs].

        With `train`, batch norm uses the batch and updates "batch_stats", and dropout needs the
        key "dropout".

        Raises:
          InputError: an input that is not a batch of images, images too small for the levels,
            or a field out of range.
        """
        require_images(x)
        require_number("dropout", self.dropout, 0, 1, open_high=True, remedy="0 switches it off")
        require_widths("features", self.features)
        for name, count in {"hidden": self.hidden, "outputs": self.outputs}.items():
            require_number(name, count, 1, whole=True, remedy="try the default")
        for i, features in enumerate(self.features, start=1):
            x = Conv(
                features,
                self.kernel_size,
                padding=self.padding,
                use_bias=not self.batch_norm,
                implementation=self.implementation,
                name=f"conv{i}",
            )(x)
            if self.batch_norm:
                x = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name, name=f"norm{i}")(x)
            x = max_pool(nn.relu(x), (2, 2), implementation=self.implementation)
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.hidden, name="dense1")(x))
        x = nn.Dropout(self.dropout, deterministic=not train, name="dropout1")(x)
        return nn.Dense(self.outputs, name="logits")(x)
