"""Recurrent networks for data in time (003:1009-1069): layers of cells, and a head on top.

Arrays are [batch, time, ...] outside and [time, batch, ...] inside. The state that a layer hands
from step to step, its carry, goes in and comes out, so that a long sequence can be cut into
pieces (truncated back-propagation) or made up character by character.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl.errors import require, require_choice, require_number
from jaxdl.models.cells import CELLS, Carry, plain_unroll, unroll
from jaxdl.models.layers import resolve


class RecurrentLayer(nn.Module):
    """One cell in one direction. Parameters hold all gates side by side, in the order of PyTorch.

    "kernel" [in, gates * features] for the input, "recurrent_kernel" [features, gates * features],
    orthogonal by gate, and "bias"; a GRU has "recurrent_bias" [features] besides, inside its reset.
    """

    cell: str
    features: int
    reverse: bool = False
    forget_bias: float = 1.0
    implementation: str = "auto"

    @nn.compact
    def __call__(
        self, x: jax.Array, carry: Carry, mask: jax.Array | None = None, tokens: jax.Array | None = None
    ) -> tuple[jax.Array, Carry]:
        """[time, batch, in] to h [time, batch, features], zero where `mask` is False, and the last carry.

        With tokens, int [time, batch], x is a table [vocabulary, in] and they name its rows.
        """
        cell, features = CELLS[self.cell], self.features
        draw, units, dtype = nn.initializers.lecun_normal(), cell.gates * features, jnp.float32
        kernel = self.param("kernel", draw, (x.shape[-1], units), dtype)
        recurrent = self.param("recurrent_kernel", self._orthogonal, (features, units), dtype)
        bias = self.param("bias", self._bias, (units,), dtype)
        inner = None
        if self.cell == "gru":
            inner = self.param("recurrent_bias", nn.initializers.zeros_init(), (features,), dtype)
            inner = jnp.pad(inner, (2 * features, 0))
        if tokens is not None and tokens.size < len(x):
            x, tokens = x[tokens], None  # fewer than the words of the vocabulary
        # As a matrix: of an array with a time axis XLA takes the kernel's gradient several times slower.
        # The batch leads in it, so that rows that are spread over devices stay where they are.
        by_row = x.swapaxes(0, -2)
        projected = by_row.reshape(-1, x.shape[-1]) @ kernel + bias[None]
        projected = projected.reshape(*by_row.shape[:-1], -1).swapaxes(0, -2)
        if tokens is not None:
            projected = projected[tokens]
        plain = resolve(self.implementation, accelerator="fast") == "plain"
        loop: Any = plain_unroll if plain else unroll
        outputs, last = loop(cell, self.reverse, projected, recurrent, inner, carry, mask)
        return outputs if mask is None else jnp.where(mask, outputs, 0), last

    def _orthogonal(self, key: jax.Array, shape: tuple[int, int], dtype: Any) -> jax.Array:
        keys = jax.random.split(key, CELLS[self.cell].gates)
        square = nn.initializers.orthogonal()
        return jnp.concatenate([square(key, (shape[0], shape[0]), dtype) for key in keys], axis=1)

    def _bias(self, key: jax.Array, shape: tuple[int], dtype: Any) -> jax.Array:
        bias = jnp.zeros(shape, dtype)
        if self.cell == "lstm":
            bias = bias.at[self.features : 2 * self.features].set(self.forget_bias)
        return bias


class RecurrentNet(nn.Module):
    """Recurrent layers, and a dense layer on every step or on the end of the sequence.

    Layers, counted from 1: "embedding", "lstm1", "lstm1_backward", "lstm2", ..., "logits".

    >>> net = RecurrentNet(features=16, outputs=1, many_to_many=False)
    >>> inputs = jnp.zeros((2, 3, 1))  # 6, 7, 8 -> 9 and 2, 4, 8 -> 16 (003:1036)
    >>> (predictions, carry), variables = net.init_with_output(jax.random.key(0), inputs)
    >>> predictions.shape, [state.shape for state in carry[0]]
    ((2, 1), [(2, 16), (2, 16)])
    """

    features: int = 128  # of the state of each layer
    outputs: int = 1  # real numbers, or classes
    cell: str = "lstm"  # "rnn", "lstm" or "gru"
    layers: int = 1
    many_to_many: bool = True  # an output for every step; else one for the whole sequence
    bidirectional: bool = False  # a second cell per layer, from the end to the start
    vocabulary: int = 0  # inputs are tokens 0..vocabulary-1; 0: they are vectors of real numbers
    embedding: int = 64  # numbers that stand for a token
    dropout: float = 0.0  # probability that a number of a layer's output is set to zero
    forget_bias: float = 1.0  # of the LSTM, at first: it begins by remembering (Gers et al., 2000)
    implementation: str = "auto"  # see `jaxdl.models.layers.resolve`

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        carry: tuple[Carry, ...] | None = None,
        length: jax.Array | None = None,
        train: bool = False,
    ) -> tuple[jax.Array, tuple[Carry, ...]]:
        """Predictions, and the state after the last step.

        Args:
          x: float [batch, time, in], or int [batch, time] with a vocabulary.
          carry: as returned for the piece before, one entry per layer and direction; None is zero.
          length: int [batch], the steps of each row that count, from the first; None: all. What
            follows changes neither state nor prediction, and its own outputs are those of zeros.
          train: dropout is on, and needs the key "dropout".

        Returns:
          float [batch, time, outputs], or [batch, outputs] of the state at the end of each row;
          and the carry.

        Raises:
          InputError: an unknown cell, an input of the wrong rank or type, a field out of range.
        """
        self._check(x)
        steps, rows = x.shape[1], x.shape[0]
        mask = None if length is None else (jnp.arange(steps)[:, None] < length[None])[..., None]
        tokens = None
        y = x.swapaxes(0, 1)
        if self.vocabulary:
            shape = (self.vocabulary, self.embedding)
            tokens, y = y, self.param("embedding", nn.initializers.normal(1.0), shape, jnp.float32)
        elif mask is not None:
            y = jnp.where(mask, y, 0)  # NaN times a gradient of zero would be NaN
        carry = initial_carry(self, rows, y.dtype) if carry is None else carry
        after: list[Carry] = []
        for layer in range(1, self.layers + 1):
            sides = []
            for suffix in ("", "_backward") if self.bidirectional else ("",):
                name = f"{self.cell}{layer}{suffix}"
                cell = RecurrentLayer(
                    self.cell, self.features, bool(suffix), self.forget_bias, self.implementation, name=name
                )
                side, last = cell(y, carry[len(after)], mask, tokens)
                sides.append(side)
                after.append(last)
            y, tokens = jnp.concatenate(sides, axis=-1), None
            y = nn.Dropout(self.dropout, deterministic=not train, name=f"dropout{layer}")(y)
        if self.many_to_many:
            y = y.swapaxes(0, 1)
        else:
            ends = after[-2:] if self.bidirectional else after[-1:]
            y = jnp.concatenate([state[0] for state in ends], axis=-1)
            y = nn.Dropout(self.dropout, deterministic=not train, name="dropout")(y)
        logits = nn.Dense(self.outputs, name="logits")(y.reshape(-1, y.shape[-1]))
        return logits.reshape(*y.shape[:-1], self.outputs), tuple(after)

    def _check(self, x: jax.Array) -> None:
        require_choice("cell", self.cell, CELLS)
        require_number("dropout", self.dropout, 0, 1, open_high=True, remedy="0 switches it off")
        counts = {"features": self.features, "outputs": self.outputs, "layers": self.layers}
        if self.vocabulary:
            counts["embedding"] = self.embedding
        for name, count in counts.items():
            require_number(name, count, 1, whole=True, remedy="try the default")
        require_number("vocabulary", self.vocabulary, 0, whole=True, remedy="0 is for real numbers")
        whole = jnp.issubdtype(x.dtype, jnp.integer)
        if self.vocabulary:
            right, expected = x.ndim == 2 and whole, "tokens, int [batch, time]"
        else:
            right, expected = x.ndim == 3 and not whole, "real numbers, [batch, time, features]"
        require(right, "input", f"{x.dtype}{list(x.shape)}", expected, "see `vocabulary`")


def initial_carry(net: RecurrentNet, rows: int, dtype: Any = jnp.float32) -> tuple[Carry, ...]:
    """The state of a `RecurrentNet` before the first step: zeros, by layer and direction.

    Args:
      net: whose state it is.
      rows: of the batch.
      dtype: of the inputs, or of the table that stands for tokens.
    """
    cells, states = net.layers * (2 if net.bidirectional else 1), CELLS[net.cell].states
    # Each an array of its own: one that is in a state twice cannot be donated.
    return tuple(tuple(jnp.zeros((rows, net.features), dtype) for _ in range(states)) for _ in range(cells))
