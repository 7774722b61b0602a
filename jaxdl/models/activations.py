"""Activation functions of a neuron: its output as a function of its net input (002:187-217).

All work elementwise on float arrays of any shape and keep their type. `heaviside` and `sign` have a
gradient of zero everywhere, so a network of them cannot learn by gradient descent: they belong
in a decision, or in a neuron that learns by `jaxdl.models.perceptron_update`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def heaviside(x: jax.Array, strict: bool = False) -> jax.Array:
    """1 where the neuron fires, else 0; derivative 0 (002:191).

    Args:
      x: net input.
      strict: a neuron exactly at its threshold fires for `>= 0` (McCulloch and Pitts, 1943, as
        on 003:152), the default, and does not for `> 0` (Rosenblatt, 1958, as on 001:279). NaN
        never fires.

    >>> x = jnp.array([-2.0, 0.0, 2.0])
    >>> heaviside(x), heaviside(x, strict=True)
    (Array([0., 1., 1.], dtype=float32), Array([0., 0., 1.], dtype=float32))
    """
    x = jnp.asarray(x)
    return (x > 0 if strict else x >= 0).astype(x.dtype)


def sign(x: jax.Array, strict: bool = False) -> jax.Array:
    """+1 where the neuron fires, else -1; derivative 0 (001:450, 003:152).

    `jnp.sign` has a third value, 0 at 0, and so is neither of the two that `strict` chooses
    between, see `heaviside`.

    >>> sign(jnp.array([-2.0, 0.0, 2.0]))
    Array([-1.,  1.,  1.], dtype=float32)
    """
    return 2 * heaviside(x, strict) - 1


def sigmoid(x: jax.Array, slope: float = 1.0, threshold: float = 0.0) -> jax.Array:
    """f(x) = 1 / (1 + exp(-slope (x - threshold))), in 0..1 (002:210, 003:192-195).

    Its derivative is slope f (1 - f): slope / 4 at the threshold and nearly 0 far from it. A
    large slope makes it a `heaviside`.

    >>> sigmoid(jnp.array([3.0]), slope=2.0, threshold=3.0)
    Array([0.5], dtype=float32)
    """
    return jax.nn.sigmoid(slope * (x - threshold))


def tanh(x: jax.Array) -> jax.Array:
    """f(x) = tanh(x) = 2 sigmoid(2x) - 1, in -1..1; its derivative is 1 - f^2."""
    return jnp.tanh(x)


def linear(x: jax.Array) -> jax.Array:
    """f(x) = x, derivative 1 (002:194): layers of it are together one linear layer."""
    return x


def relu(x: jax.Array) -> jax.Array:
    """f(x) = max(0, x); its derivative is 1 for x > 0, else 0 (001:539-548, 003:197-199)."""
    return jax.nn.relu(x)


# By name, for command lines.
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "heaviside": heaviside,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "linear": linear,
    "relu": relu,
}
