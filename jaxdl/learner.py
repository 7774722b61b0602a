"""The vocabulary of jaxdl: a `Learner` is a pair of pure functions.

Optax made optimisation an algebra: `init` and `update`, and everything else is composition.
Here the same is done for training. How a family learns (supervised, sequence, VAE, GAN, deep Q)
is one file in `jaxdl.learners` that returns a `Learner`; how far it is scaled is a function
`Learner -> Learner` in `jaxdl.transforms` that never looks inside.

Every state has two fields that all transformations may rely on: `step`, the number of updates
done, and `key`, the one random key of the run, which is never split or replaced. Whatever is
random is drawn from a named stream of that key (see `stream`), so that a resumed run repeats an
uninterrupted one bit for bit and nothing about randomness has to be saved.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import struct

from jaxdl.errors import require

Key = jax.Array  # a typed key, `jax.random.key(seed)`
Params = Any  # pytree of arrays
Stats = Any  # pytree of arrays: a model's running statistics, {} without batch norm
State = Any  # a flax struct of arrays with at least `step` and `key`
Batch = Any  # pytree of arrays with a leading batch axis, or None
Metrics = dict[str, jax.Array]
LossFn = Callable[..., tuple[jax.Array, tuple[Stats, Metrics]]]  # (params, stats, batch, *args)

# The streams of a run's key. New streams get new numbers; a number is never used again.
INIT, ORDER, NOISE, AUGMENT, EVALUATE = 0x1A17, 0x0DE5, 0x7015E, 0xA4637, 0xE7A1
STREAMS = {"init": INIT, "order": ORDER, "noise": NOISE, "augment": AUGMENT, "evaluate": EVALUATE}


class Learner(NamedTuple):
    """A way of learning: two pure functions, and what is known of them.

    init: (key, batch) -> state. Shapes are taken from the batch; its values are not used.
    step: (state, batch) -> (state, metrics). One update, and the body of a `lax.scan`;
        `metrics["loss"]` is always there.
    inspect: (state, batch) -> metrics, or None. What the next step would do, layer by layer
        (see `layer_norms`), without doing it: for logs, for the training doctor, and for the
        search that follows a NaN.
    resident: True if one and the same batch (or none) serves every step because the data, or
        the environment, live on the device. Repeated steps then repeat it instead of scanning.
    """

    init: Callable[[Key, Batch], State]
    step: Callable[[State, Batch], tuple[State, Metrics]]
    inspect: Callable[[State, Batch], Metrics] | None = None
    resident: bool = False


class Net(struct.PyTreeNode):
    """The unit that learns: one network's parameters with what belongs to them."""

    params: Params
    stats: Stats  # running statistics of batch norm, {} without
    opt_state: optax.OptState

    @property
    def variables(self) -> dict[str, Any]:
        """As flax's `model.apply` takes them."""
        return {"params": self.params, **self.stats}


class TrainState(struct.PyTreeNode):
    """State of every family with one network."""

    step: jax.Array  # int32 [], updates done
    key: jax.Array  # typed key [], the run's key, constant
    net: Net


def lift(learner: Learner, transform: Callable[[Callable], Callable]) -> Callable | None:
    """The learner's `inspect` transformed, or None where it has none."""
    return None if learner.inspect is None else transform(learner.inspect)


def stream(key: Key, name: int, step: jax.Array | int) -> Key:
    """Key number `step` of the stream `name` (one of `STREAMS`) of a run's key.

    Folding the stream in before the step keeps streams apart: no two share a key.
    """
    return jax.random.fold_in(jax.random.fold_in(key, name), step)


def init_net(model: Any, optimizer: optax.GradientTransformation, key: Key, *inputs: jax.Array) -> Net:
    """Initialise a flax module on `inputs` (`[batch, ...]`) and the optimizer on its parameters.

    A module with dropout needs no key for it here: modules are initialised with `train=False`.

    Raises:
      InputError: not an optax optimizer, for example a bare learning rate.
    """
    known = isinstance(optimizer, optax.GradientTransformation)
    require(known, "optimizer", optimizer, "an optax transformation", "optax.adam(1e-3) is usual")
    variables = dict(model.init(key, *inputs))
    params = variables.pop("params")
    return Net(params, variables, optimizer.init(params))


def init_state(
    model: Any, optimizer: optax.GradientTransformation, key: Key, *inputs: jax.Array
) -> TrainState:
    """The state before the first step of a family with one network."""
    return TrainState(jnp.int32(0), key, init_net(model, optimizer, stream(key, INIT, 0), *inputs))


def update_net(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    net: Net,
    batch: Batch,
    *args: Any,
    average: Callable[[Callable], Callable] = lambda gradients: gradients,
) -> tuple[Net, Metrics]:
    """One gradient step: the only place where gradients become parameters.

    Args:
      loss_fn: (params, stats, batch, *args) -> (loss, (stats, metrics)), the loss a scalar.
      optimizer: made for `net.params`.
      net: what is updated.
      batch: the rows that are shared out when the update runs on several devices.
      *args: further arguments of the loss that every device gets whole, such as keys.
      average: wraps the gradient function for a run on several devices (`transforms.average_over`,
        `transforms.average_shards`): what it returns is the mean over all their rows of the
        loss, the statistics, the metrics and the gradients.

    Returns:
      The updated net, and the loss's own metrics with `"loss"` added.
    """
    gradients = average(jax.value_and_grad(loss_fn, has_aux=True))
    (loss, (stats, metrics)), grads = gradients(net.params, net.stats, batch, *args)
    updates, opt_state = optimizer.update(grads, net.opt_state, net.params)
    params = optax.apply_updates(net.params, updates)
    # Batch norm's are float32, and would become those of wider inputs.
    stats = jax.tree.map(lambda new, old: new.astype(old.dtype), stats, net.stats)
    return Net(params, stats, opt_state), {"loss": loss, **metrics}


def inspect_net(
    loss_fn: LossFn, optimizer: optax.GradientTransformation, net: Net, batch: Batch, *args: Any
) -> Metrics:
    """What `update_net` would do to each layer: norms of parameters, gradients and updates."""
    (loss, _), grads = jax.value_and_grad(loss_fn, has_aux=True)(net.params, net.stats, batch, *args)
    updates, _ = optimizer.update(grads, net.opt_state, net.params)
    norms = {"parameter": net.params, "gradient": grads, "update": updates}
    # An OrderedDict keeps the order of the layers; as a pytree, a dict is sorted by name.
    metrics = OrderedDict(loss=loss)
    for name, tree in norms.items():
        layers = layer_norms(tree)
        metrics[f"{name}_norm"] = _norm(jnp.stack(list(layers.values())))
        metrics |= {f"{name}_norm/{path}": norm for path, norm in layers.items()}
    return metrics


def layer_norms(tree: Any) -> dict[str, jax.Array]:
    """The Euclidean norm of every array of a pytree, by its path.

    >>> layer_norms({"dense": {"kernel": jnp.array([3.0, 4.0])}})
    {'dense/kernel': Array(5., dtype=float32)}
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {path_name(path): _norm(leaf) for path, leaf in leaves}


def _norm(x: jax.Array) -> jax.Array:
    """The Euclidean norm, finite wherever it can be: the squares of large numbers overflow."""
    largest = jnp.abs(x).max(initial=0)
    return largest * jnp.linalg.norm(jnp.where(largest > 0, x / largest, x).ravel())


def activation_norms(model: Any, net: Net, inputs: jax.Array, key: Key) -> Metrics:
    """The root mean square of every layer's output, in the order in which the layers are called.

    Args:
      model: flax module, called as for training but with its statistics left alone.
      net: its parameters and statistics.
      inputs: [batch, ...].
      key: for dropout.
    """
    _, captured = model.apply(
        net.variables,
        inputs,
        train=True,
        rngs={"dropout": key},
        capture_intermediates=True,
        mutable=["intermediates", *net.stats],
    )
    # jax.tree would sort the layers by name; a dict keeps the order of the calls.
    norms = OrderedDict(input=_norm(inputs) / inputs.size**0.5)

    def visit(name: str, outputs: Any) -> None:
        if isinstance(outputs, dict):
            for child, value in outputs.items():
                visit(f"{name}/{child}".removeprefix("/").removesuffix("/__call__"), value)
        else:
            for x in jax.tree.leaves(outputs):
                norms[name] = _norm(x) / x.size**0.5

    visit("", {k: v for k, v in captured["intermediates"].items() if k != "__call__"})
    return norms


def path_name(path: tuple[Any, ...]) -> str:
    """The path of a leaf as text: `net/params/dense1/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def unit_range(tree: Any) -> Any:
    """Bytes to float32 in 0..1; every other array as it is.

    Images stay uint8 in memory, a quarter of the size, and become floats only in the batch that
    is used.

    >>> unit_range({"input": jnp.array([0, 255], jnp.uint8)})
    {'input': Array([0., 1.], dtype=float32)}
    """

    def scaled(x: jax.Array) -> jax.Array:
        # Not `x.astype`: of a whole data set that is only looked at NumPy would make floats at once.
        return jax.lax.convert_element_type(x, jnp.float32) / 255 if x.dtype == jnp.uint8 else x

    return jax.tree.map(scaled, tree)


def plain(leaf: jax.Array) -> jax.Array:
    """A typed key as its uint32 data, for NumPy and files; any other array as it is."""
    return jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def typed(array: jax.Array, like: jax.Array) -> jax.Array:
    """The inverse of `plain`: a key again where `like` is one."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(array, impl=jax.random.key_impl(like))
    return array
