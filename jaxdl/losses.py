"""Formulas of losses for ONE example; batch them with `jax.vmap`. Optax's own where it has one."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

ExampleLoss = Callable[[jax.Array, jax.Array], jax.Array]  # (prediction, target) -> scalar


def cross_entropy(logits: jax.Array, label: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    """Cross-entropy of softmax(logits) (002:217) against one integer label, in nats.

    Args:
      logits: float [classes].
      label: int [], in 0..classes-1. A label outside gives NaN rather than a silent zero.
      label_smoothing: share of the probability that is spread evenly over all classes, 0..1.

    >>> print(cross_entropy(jnp.array([0.0, 0.0]), jnp.array(1)))
    0.6931472
    """
    classes = logits.shape[-1]
    target = optax.smooth_labels(jax.nn.one_hot(label, classes, dtype=logits.dtype), label_smoothing)
    loss = optax.safe_softmax_cross_entropy(logits, target)
    return jnp.where((label >= 0) & (label < classes), loss, jnp.nan)


def squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Squared error summed over the outputs (003:226); its mean over examples is the MSE (001:636).

    Shapes must agree: a label column against a row would broadcast to a matrix.

    >>> print(squared_error(jnp.array([1.0, 2.0]), jnp.array([0.0, 0.0])))
    5.0
    """
    _same_shape(prediction, target)
    return jnp.sum(optax.squared_error(prediction, target))


def absolute_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    """Absolute error summed over the outputs (003:223), less moved by outliers than the square."""
    _same_shape(prediction, target)
    return jnp.sum(jnp.abs(prediction - target))


def penalty(params: optax.Params, l1: float | jax.Array = 0.0, l2: float | jax.Array = 0.0) -> jax.Array:
    """Lasso and ridge penalties (003:288-296): l1 * sum |w| + l2 * sum w^2 over the kernels.

    Biases and the scales of batch norm are not punished: they do not steepen a function.
    Unlike `optax.adamw`'s weight decay, the penalty is a part of the loss, as on the slides.

    >>> print(penalty({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.array([9.0])}, l1=1.0, l2=0.1))
    3.5
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [leaf for path, leaf in leaves if getattr(path[-1], "key", None) == "kernel"]
    absolute = sum((jnp.abs(kernel).sum() for kernel in kernels), start=jnp.float32(0))
    square = sum((jnp.square(kernel).sum() for kernel in kernels), start=jnp.float32(0))
    return l1 * absolute + l2 * square


def _same_shape(prediction: jax.Array, target: jax.Array) -> None:
    if prediction.shape != target.shape:
        raise ValueError(f"one prediction has shape {prediction.shape}, its target {target.shape}")
