"""Formulas of losses for ONE example; batch them with `jax.vmap`. Optax's own where it has one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxdl.errors import InputError, require, require_number

ExampleLoss = Callable[[jax.Array, jax.Array], jax.Array]  # (prediction, target) -> scalar


def cross_entropy(logits: jax.Array, label: jax.Array, label_smoothing: float = 0.0) -> jax.Array:
    """Cross-entropy of softmax(logits) (002:217) against one integer label, in nats.

    Args:
      logits: float [classes].
      label: int [], in 0..classes-1. A label outside gives NaN rather than a silent zero.
      label_smoothing: share of the probability that is spread evenly over all classes, 0..1.

    Raises:
      InputError: more than one example, a label that is no integer, or a smoothing outside of [0, 1].

    >>> print(cross_entropy(jnp.array([0.0, 0.0]), jnp.array(1)))
    0.6931472
    """
    label = jnp.asarray(label)
    whole = label.ndim == 0 and jnp.issubdtype(label.dtype, jnp.integer)
    remedy = "use class numbers [batch]: squeeze a column, take the argmax of one-hot rows"
    require(whole, "label", f"{label.dtype}{list(label.shape)}", "one integer for one example", remedy)
    remedy = "use jax.vmap for a batch"
    require(jnp.ndim(logits) == 1, "logits", f"shape {jnp.shape(logits)}", "[classes], one example", remedy)
    require_number("label_smoothing", label_smoothing, 0, 1, remedy="0 switches it off")
    classes = logits.shape[-1]
    label = label.astype(jnp.promote_types(label.dtype, jnp.int32))  # a byte cannot count to 256
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

    Kernels are the arrays whose name ends so, "recurrent_kernel" among them. Biases and the scales
    of batch norm are not punished: they do not steepen a function.
    Unlike `optax.adamw`'s weight decay, the penalty is a part of the loss, as on the slides.

    Raises:
      InputError: params without a kernel.

    >>> print(penalty({"kernel": jnp.array([1.0, -2.0]), "bias": jnp.array([9.0])}, l1=1.0, l2=0.1))
    3.5
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [leaf for path, leaf in leaves if str(getattr(path[-1], "key", "")).endswith("kernel")]
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    require(
        len(kernels) > 0, "params", names, "a kernel to punish", "call the weights 'kernel', as flax does"
    )
    absolute = sum((jnp.abs(kernel).sum() for kernel in kernels), start=jnp.float32(0))
    square = sum((jnp.square(kernel).sum() for kernel in kernels), start=jnp.float32(0))
    return l1 * absolute + l2 * square


def bernoulli_log_likelihood(logits: jax.Array, x: jax.Array) -> jax.Array:
    """log p(x) of independent pixels with P(pixel = 1) = sigmoid(logit), summed, in nats.

    Args:
      logits: float [...].
      x: the same shape, 0 or 1. Values between give the cross-entropy, which is no likelihood.

    >>> print(bernoulli_log_likelihood(jnp.zeros(2), jnp.array([0.0, 1.0])))
    -1.3862944
    """
    _same_shape(logits, x)
    # optax takes two logarithms for each pixel; one makes the step of a VAE a quarter faster.
    return (x * logits - jax.nn.softplus(logits)).sum()


def gaussian_log_likelihood(mean: jax.Array, log_variance: jax.Array, x: jax.Array) -> jax.Array:
    """log N(x; mean, exp(log_variance)) of independent numbers, summed, in nats.

    Args:
      mean, x: float [...].
      log_variance: the same shape, or [] if all share it.

    Raises:
      InputError: other shapes.

    >>> print(gaussian_log_likelihood(jnp.zeros(2), jnp.zeros(()), jnp.zeros(2)))
    -1.837877
    """
    _same_shape(mean, x)
    log_variance = jnp.asarray(log_variance)
    known = log_variance.shape in ((), mean.shape)
    remedy = "repeat it along the axes that share it"
    require(
        known, "log_variance", f"shape {log_variance.shape}", f"[] or that of the mean, {mean.shape}", remedy
    )
    log_variance = jnp.broadcast_to(log_variance, mean.shape)
    square = jnp.square(x - mean) * jnp.exp(-log_variance)
    return -0.5 * (square + log_variance + jnp.log(2 * jnp.pi)).sum()


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) of every number by itself, in nats.

    (mean^2 + variance - log variance - 1) / 2 (Kingma, Welling, 2014, appendix B); the divergence
    of the whole distribution is the sum.

    >>> gaussian_kl(jnp.array([0.0, 1.0]), jnp.zeros(2))
    Array([0. , 0.5], dtype=float32)
    """
    _same_shape(mean, log_variance)
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_variance) - log_variance)


class Adversarial(NamedTuple):
    """The losses of the two players of a GAN, for one logit (one score) of the discriminator.

    The discriminator minimises the mean of `real` over real examples plus that of `fake` over
    generated ones, the generator the mean of `generator` over generated ones.
    """

    real: Callable[[jax.Array], jax.Array]
    fake: Callable[[jax.Array], jax.Array]
    generator: Callable[[jax.Array], jax.Array]
    gradient_penalty: float = 0.0  # weight of `gradient_penalty` in the discriminator's loss


# With D = sigmoid(logit):
# - non_saturating: -log D(x) - log(1 - D(G(z))) against -log D(G(z)), whose gradient is largest
#   where the generator is worst (Goodfellow et al., 2014).
# - minimax: the same discriminator against log(1 - D(G(z))), which is flat there (same paper).
# - least_squares: (D - 1)^2 and D^2 against (D - 1)^2, of the bare logit (Mao et al., 2017).
# - wasserstein: -D and D against -D, of the bare logit (Gulrajani et al., 2017).
ADVERSARIAL: dict[str, Adversarial] = {
    "non_saturating": Adversarial(
        lambda logit: jax.nn.softplus(-logit), jax.nn.softplus, lambda logit: jax.nn.softplus(-logit)
    ),
    "minimax": Adversarial(
        lambda logit: jax.nn.softplus(-logit), jax.nn.softplus, lambda logit: -jax.nn.softplus(logit)
    ),
    "least_squares": Adversarial(
        lambda logit: jnp.square(logit - 1), jnp.square, lambda logit: jnp.square(logit - 1)
    ),
    "wasserstein": Adversarial(
        lambda score: -score, lambda score: score, lambda score: -score, gradient_penalty=10.0
    ),
}


def gradient_penalty(gradient: jax.Array) -> jax.Array:
    """(|g| - 1)^2 for the gradient of a critic with respect to one input (Gulrajani et al., 2017).

    At a gradient of zero, where the norm has no derivative, its own gradient is zero.

    >>> print(gradient_penalty(jnp.array([3.0, 4.0])))
    16.0
    """
    return jnp.square(optax.safe_norm(gradient.ravel(), 0.0) - 1)


def categorical_projection(support: jax.Array, probabilities: jax.Array, values: jax.Array) -> jax.Array:
    """A distribution on any values as one on the atoms of a support (Bellemare et al., 2017, C51).

    Algorithm 1 of the paper: each value's probability goes to the two atoms beside it, the nearer
    one more, so that total and (inside the support) mean are kept; values outside go to the end.

    Args:
      support: float [atoms], at least two, rising.
      probabilities: float [atoms], of the values.
      values: float [atoms], such as reward + discount * support.

    Returns:
      Probabilities of the atoms, [atoms].

    >>> print(categorical_projection(jnp.arange(3.0), jnp.array([0.5, 0.4, 0.1]), jnp.array([0.5, 1, 9])))
    [0.25 0.65 0.1 ]
    """
    _same_shape(probabilities, support)
    _same_shape(values, support)
    # How much of each value is past each atom, on the way to the next one: [atoms - 1, values].
    past = (values[None] - support[:-1, None]) / jnp.diff(support)[:, None]
    past = jnp.clip(past, 0, 1)
    shares = jnp.pad(past, ((1, 0), (0, 0)), constant_values=1) - jnp.pad(past, ((0, 1), (0, 0)))
    return (shares * probabilities[None]).sum(1)


def _same_shape(prediction: jax.Array, target: jax.Array) -> None:
    if prediction.shape != target.shape:
        raise InputError(
            "target",
            f"shape {target.shape}",
            f"that of its prediction, {prediction.shape}",
            "add or squeeze the last axis",
        )
