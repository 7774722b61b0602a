"""Dense layers that explore by themselves: noise in their weights, its strength learned."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.typing import Initializer

from jaxdl.errors import require_number


class NoisyDense(nn.Module):
    """y = x (W + S * noise) + b + s * noise, all of W, S, b and s learned.

    "Noisy networks for exploration", Fortunato et al., 2018, with factorised Gaussian noise: one
    number per input and one per output, f(e_in) f(e_out) with f(e) = sign(e) sqrt|e|. One draw
    serves the whole batch; it comes from the key "noise", different in every layer. Without this
    key, as in evaluation, the weights are their means.

    Parameters "kernel" [inputs, features] and "bias" [features], uniform in +-1 / sqrt(inputs), and
    "kernel_sigma", "bias_sigma" of the same shapes, sigma / sqrt(inputs).

    >>> x = jnp.ones((2, 3))
    >>> y, variables = NoisyDense(4).init_with_output(jax.random.key(0), x)
    >>> noisy = NoisyDense(4).apply(variables, x, rngs={"noise": jax.random.key(1)})
    >>> y.shape, bool((noisy == y).any())
    ((2, 4), False)
    """

    features: int  # units
    sigma: float = 0.5  # strength of the noise before training

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, inputs] to [batch, features]."""
        require_number("features", self.features, 1, whole=True, remedy="leave the layer out instead")
        require_number("sigma", self.sigma, 0, remedy="0.5 is the paper's")
        inputs = x.shape[-1]
        mean, deviation = _uniform(inputs**-0.5), nn.initializers.constant(self.sigma * inputs**-0.5)
        kernel = self.param("kernel", mean, (inputs, self.features), jnp.float32)
        bias = self.param("bias", mean, (self.features,), jnp.float32)
        kernel_sigma = self.param("kernel_sigma", deviation, kernel.shape, jnp.float32)
        bias_sigma = self.param("bias_sigma", deviation, bias.shape, jnp.float32)
        if self.has_rng("noise"):
            each = jax.random.normal(self.make_rng("noise"), (inputs + self.features,), kernel.dtype)
            each = jnp.sign(each) * jnp.sqrt(jnp.abs(each))
            into, out = each[:inputs], each[inputs:]
            kernel = kernel + kernel_sigma * jnp.outer(into, out)
            bias = bias + bias_sigma * out
        return x @ kernel + bias[None]


def _uniform(bound: float) -> Initializer:
    def init(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return init
