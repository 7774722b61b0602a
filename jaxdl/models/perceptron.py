"""One neuron, and the rule by which it learned before there was backpropagation.

McCulloch and Pitts, "A logical calculus of the ideas immanent in nervous activity", 1943;
Rosenblatt, "The perceptron", 1958.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdl.models.activations import sign


class Neuron(nn.Module):
    """y = g(b + sum_i w_i x_i), a line that cuts its input space in two (001:279-285, 450; 003:147-162).

    The weights tilt the line, the bias moves it away from the origin (002:173-179). With one
    neuron no line separates the exclusive or (002:156).

    Parameters: "dense" with "kernel" [inputs, 1] and "bias" [1].

    >>> both = {"dense": {"kernel": jnp.array([[1.0], [1.0]]), "bias": jnp.array([-1.5])}}
    >>> inputs = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> Neuron().apply({"params": both}, inputs)
    Array([-1., -1., -1.,  1.], dtype=float32)
    """

    activation: Callable[[jax.Array], jax.Array] = sign  # g
    use_bias: bool = True  # without, the line goes through the origin (001:279)

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        """[batch, inputs] to [batch]."""
        net = nn.Dense(1, use_bias=self.use_bias, name="dense")(x)
        return self.activation(net.squeeze(-1))


def perceptron_update(
    weights: jax.Array,
    bias: jax.Array,
    x: jax.Array,
    target: jax.Array | float,
    learning_rate: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """Rosenblatt's rule for one example: on a mistake, move the line towards it, else do nothing.

    w <- w + learning_rate (target - y) / 2 x, and the same for b with an input of 1, where y is
    the neuron's output. If some line separates the examples, the rule finds one after finitely
    many mistakes; if none does, as for the exclusive or, it never stops.

    Args:
      weights: [inputs].
      bias: [].
      x: [inputs].
      target: [], -1 or +1.
      learning_rate: length of the move; from weights of 0 it changes no decision.

    Returns:
      The new weights [inputs] and bias [].

    >>> perceptron_update(jnp.zeros(2), jnp.zeros(()), jnp.array([1.0, 2.0]), -1.0)
    (Array([-1., -2.], dtype=float32), Array(-1., dtype=float32))
    """
    error = (target - sign(jnp.dot(weights, x) + bias)) / 2
    return weights + learning_rate * error * x, bias + learning_rate * error
