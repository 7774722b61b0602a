"""Mixed precision: a model computed in bfloat16, of which everything that lasts stays float32.

bfloat16 has the range of float32 with 8 bits of precision, so nothing needs a loss scale. It halves the
memory of activations, and is faster where the hardware multiplies it (TPUs, newer GPUs, some CPUs).
"""

import dataclasses
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import require_choice

Precision = Literal["float32", "bf16"]


@dataclasses.dataclass(frozen=True)
class HalfPrecision:
    """A flax module whose `apply` computes in bfloat16.

    Parameters, running statistics, gradients, the optimizer's state, outputs and the loss are float32;
    parameters and inputs are rounded on their way in. What a module makes of integers by itself, as
    `QNetwork` does, stays float32. Batch norm takes its statistics in float32, as
    flax does. It stands wherever a learner takes a module.

    >>> half = HalfPrecision(nn.Dense(1))
    >>> variables = half.init(jax.random.key(0), jnp.ones((1, 2)))
    >>> variables["params"]["kernel"].dtype, half.apply(variables, jnp.ones((1, 2))).dtype
    (dtype('float32'), dtype('float32'))
    """

    model: nn.Module

    def init(self, *args: Any, **options: Any) -> Any:
        """The variables of the module, in float32."""
        return self.model.init(*args, **options)

    def apply(self, variables: Any, *args: Any, **options: Any) -> Any:
        """Like the module's own `apply`: float32 in, float32 out, bfloat16 in between."""
        variables = {**variables, "params": _cast(variables["params"], jnp.float32, jnp.bfloat16)}
        args, options = _cast((args, options), jnp.float32, jnp.bfloat16)
        return _cast(self.model.apply(variables, *args, **options), jnp.bfloat16, jnp.float32)

    def __getattr__(self, name: str) -> Any:
        """A field of the module, its size for example."""
        if name == "model" or name.startswith("__"):  # asked for while a copy is being made
            raise AttributeError(name)
        return getattr(self.model, name)


def in_precision(model: nn.Module, precision: Precision) -> Any:
    """The model as it is, or computed in bfloat16.

    Raises:
      InputError: another precision.
    """
    require_choice("precision", precision, ("float32", "bf16"))
    return HalfPrecision(model) if precision == "bf16" else model


def _cast(tree: Any, old: Any, new: Any) -> Any:
    def cast(x: Any) -> Any:
        return jnp.asarray(x, new) if isinstance(x, jax.Array | np.ndarray) and x.dtype == old else x

    return jax.tree.map(cast, tree)
