"""The multi-layer perceptron: dense layers with a non-linearity between them (001:288-303)."""

from collections.abc import Callable

import flax.linen as nn
import jax

from jaxdl.errors import require, require_number, require_widths


class MLP(nn.Module):
    """Dense layers, each [batch norm], activation, dropout; then a dense layer of logits.

    A dense layer is f(A x + B) (003:169, 210). With enough units in one hidden layer and a linear
    output it comes near any function (Cybenko, 1989; 001:466-475); without hidden layers it is
    a linear model. The last layer has one unit per class (001:292).

    Layers, counted from 1: "dense1", "norm1", "dropout1", ..., "logits".

    >>> import jax.numpy as jnp
    >>> logits, variables = MLP().init_with_output(jax.random.key(0), jnp.zeros((2, 28, 28, 1)))
    >>> logits.shape, list(variables["params"])
    ((2, 10), ['dense1', 'dense2', 'logits'])
    """

    widths: tuple[int, ...] = (300, 100)  # units of the hidden layers
    outputs: int = 10
    activation: Callable[[jax.Array], jax.Array] = nn.relu
    dropout: float = 0.0  # probability that a hidden unit is set to zero (003:303)
    batch_norm: bool = False  # Ioffe and Szegedy, 2015; then the hidden layers have no bias
    axis_name: str | None = None  # of the devices that batch norm averages over, under `pmap`

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, ...] to logits [batch, outputs]; the rest of the input is flattened.

        With `train`, batch norm uses the batch and updates "batch_stats", and dropout needs the
        key "dropout".

        Raises:
          InputError: an input without a batch axis, or a field out of range.
        """
        require(x.ndim >= 2, "input", x.shape, "the shape [batch, ...]", "missing batch axis?")
        require_number("dropout", self.dropout, 0, 1, open_high=True, remedy="0 switches it off")
        require_widths("widths", self.widths)
        require_number("outputs", self.outputs, 1, whole=True, remedy="one for each class")
        require(callable(self.activation), "activation", self.activation, "a function", "such as jax.nn.relu")
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.widths, start=1):
            x = nn.Dense(width, use_bias=not self.batch_norm, name=f"dense{i}")(x)
            if self.batch_norm:
                x = nn.BatchNorm(not train, momentum=0.9, axis_name=self.axis_name, name=f"norm{i}")(x)
            x = self.activation(x)
            x = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{i}")(x)
        return nn.Dense(self.outputs, name="logits")(x)
