"""A deep perceptron of residual blocks, compiled once for any depth."""

import flax.linen as nn
import jax

from jaxdl.errors import require, require_number


class Residual(nn.Module):
    """A dense layer, `depth` residual blocks of one width, layer norm, then logits.

    A block adds to its input what two dense layers make of it, x + B relu(A norm(x)): gradients
    reach the first block through the sums, however many there are (He, Zhang, Ren and Sun, 2016,
    Identity mappings in deep residual networks). Norm is layer norm (Ba, Kiros and Hinton, 2016).

    The blocks are one block, scanned over stacked parameters: the compiled program, and the time to
    compile it, do not grow with the depth.

    Layers: "dense", then "blocks" with "norm", "dense1" and "dense2", whose arrays are [depth, ...],
    then "norm" and "logits".

    >>> import jax.numpy as jnp
    >>> deep = Residual(width=16, depth=64)
    >>> logits, variables = jax.eval_shape(deep.init_with_output, jax.random.key(0), jnp.zeros((2, 8, 8, 1)))
    >>> logits.shape, variables["params"]["blocks"]["dense1"]["kernel"].shape
    ((2, 10), (64, 16, 16))
    """

    width: int = 128  # units of every layer but the last
    depth: int = 8  # blocks
    outputs: int = 10

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, ...] to logits [batch, outputs]; the rest of the input is flattened.

        `train` changes nothing: there are no statistics and no dropout.

        Raises:
          InputError: an input without a batch axis, or a field out of range.
        """
        require(x.ndim >= 2, "input", x.shape, "the shape [batch, ...]", "missing batch axis?")
        for name in ("width", "depth", "outputs"):
            require_number(name, getattr(self, name), 1, whole=True, remedy="1 is the smallest")
        x = nn.Dense(self.width, name="dense")(x.reshape(x.shape[0], -1))
        blocks = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=self.depth)
        x, _ = blocks(self.width, name="blocks")(x)
        return nn.Dense(self.outputs, name="logits")(nn.LayerNorm(name="norm")(x))


class Block(nn.Module):
    """x + B relu(A norm(x)), as the body of a scan: it returns the carry and no output."""

    width: int

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, None]:
        """[batch, width] to the same shape."""
        y = nn.relu(nn.Dense(self.width, name="dense1")(nn.LayerNorm(name="norm")(x)))
        return x + nn.Dense(self.width, name="dense2")(y), None
