"""NaNs put into inputs, parameters and gradients at a chosen step, and the report of them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import models
from jaxdl.learner import Learner
from jaxdl.learners import sequence, supervised
from jaxdl.run import NonFiniteLoss, fit

ROWS, BATCH = 64, 8
RNG = np.random.default_rng(0)
IMAGES = {
    "input": RNG.uniform(size=(ROWS, 8, 8, 1)).astype(np.float32),
    "target": RNG.integers(0, 5, ROWS).astype(np.int32),
}
NUMBERS = {"input": IMAGES["input"].reshape(ROWS, 8, 8), "target": IMAGES["target"]}
READER = models.RecurrentNet(8, 5, many_to_many=False)
MAKE = {
    "MLP": (lambda optimizer: supervised.learner(models.MLP((16, 8), outputs=5), optimizer), IMAGES),
    "CNN": (lambda optimizer: supervised.learner(models.CNN((4, 4), hidden=8, outputs=5), optimizer), IMAGES),
    "LSTM": (lambda optimizer: sequence.learner(READER, optimizer), NUMBERS),
}
KINDS = ("input", "parameter", "gradient")


def trial(family: str, kind: str, rng: np.random.Generator) -> str | None:
    """Inject one NaN; None if the report names its step, its place and its row, else what it said."""
    make, data = MAKE[family]
    step, row = int(rng.integers(2, 30)), int(rng.integers(BATCH))
    shapes = jax.eval_shape(lambda: make(optax.sgd(0.1)).init(jax.random.key(0), _batch(data, 0)))
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(shapes.net.params)]
    path = paths[int(rng.integers(len(paths)))]
    name = "/".join(each.key for each in path)
    learner = make(_poisoning(path, step - 1) if kind == "gradient" else optax.sgd(0.1))
    if kind == "parameter":
        learner = _poisoned(learner, path, step - 1)

    def batches(start: int):
        for i in range(start, 40):
            batch = _batch(data, i)
            if kind == "input" and i == step - 1:
                batch["input"][row].flat[int(rng.integers(batch["input"][row].size))] = np.nan
            yield batch

    expected = {
        "input": f"first seen in the input batch; rows {row} of the batch",
        "parameter": f"first seen in parameter '{name}'",
        "gradient": f"first seen in parameter '{name}'",  # where it is when the next loss is computed
    }[kind]
    try:
        fit(learner, batches, steps=40, batch_size=BATCH)
    except NonFiniteLoss as error:
        said = str(error)
        right = re.search(rf"at step {step} ", said) and expected in said
        return None if right else f"{family}, {kind} in {name} at {step}, row {row}: {said}"
    return f"{family}, {kind} in {name} at {step}: nothing was said"


def _batch(data: dict, i: int) -> dict:
    rows = np.arange(i * BATCH, (i + 1) * BATCH) % ROWS
    return {key: x[rows].copy() for key, x in data.items()}


def _put(params, path, when):
    def put(here, x):
        return jnp.where(when, x.at[(0,) * x.ndim].set(jnp.nan), x) if here == path else x

    return jax.tree_util.tree_map_with_path(put, params)


def _poisoning(path, step: int) -> optax.GradientTransformation:
    """Gradient descent with a NaN in one gradient of update number `step`."""

    def update(grads, count, params=None):
        return _put(grads, path, count == step - 1), count + 1

    return optax.chain(optax.GradientTransformation(lambda _: jnp.int32(0), update), optax.sgd(0.1))


def _poisoned(learner: Learner, path, step: int) -> Learner:
    """The learner with a NaN in one parameter after update number `step`."""

    def spoilt(state, batch):
        state, measured = learner.step(state, batch)
        net = state.net.replace(params=_put(state.net.params, path, state.step == step))
        return state.replace(net=net), measured

    return learner._replace(step=spoilt)
