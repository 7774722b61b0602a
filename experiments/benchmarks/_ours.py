"""The JAX side of the families benchmark: learners, and every way in which they can be dispatched."""

from functools import partial
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks import _networks as networks
from experiments.benchmarks._cases import Case, Way
from jaxdl import data, models
from jaxdl.learner import Batch, Key, Learner, State, TrainState, init_state, unit_range
from jaxdl.learners import gan, sequence, supervised, vae
from jaxdl.run.chunks import bytes_fed, chunk_length, feed, flops_per_step
from jaxdl.run.spread import Spread
from jaxdl.run.training import count_parameters
from jaxdl.transforms import many_steps, over_seeds, resident


def learner(case: Case, naive: bool = False) -> Learner:
    """What the library offers for a family, or with `naive` the same with flax's own layers."""
    name, rate, momentum = case.optimizer
    optimizer = optax.adam(rate, b1=momentum) if name == "adam" else optax.sgd(rate, momentum)
    sizes = dict(case.sizes)
    form = "plain" if naive else "auto"
    lower = partial(_in_precision, case)
    if case.network == "gan":
        widths, start = sizes["widths"], sizes["start"]
        channels = case.shape[-1]
        generator = lower(models.Generator(widths, start, channels, implementation=form))
        discriminator = lower(models.Discriminator(widths[::-1], start, implementation=form))
        return gan.learner(generator, discriminator, optimizer, optimizer, latents=sizes["latents"])
    if case.network == "lstm":
        if naive:
            return sequence.learner(lower(networks.NaiveLSTM(**sizes)), optimizer)
        features, words = sizes["features"], sizes["vocabulary"]
        net = models.RecurrentNet(
            features, words, layers=sizes["layers"], vocabulary=words, embedding=features, forget_bias=0.0
        )
        return sequence.learner(lower(net), optimizer)
    if case.network == "vae":
        make = networks.NaiveVAE if naive else models.VAE
        return vae.learner(lower(make(case.shape, activation=nn.relu, **sizes)), optimizer)
    net = _classifier(case, naive, form)
    return supervised.learner(net, optimizer) if case.trains else forward(net)


def _classifier(case: Case, naive: bool, form: str) -> Any:
    sizes = dict(case.sizes)
    if case.network == "mlp":
        net = models.MLP(**sizes)
    elif case.network == "cnn":
        net = networks.NaiveCNN(**sizes) if naive else models.CNN(**sizes)
    elif case.network == "vgg":
        net = networks.NaiveVGG(**sizes) if naive else models.VGG(**sizes)
    else:
        net = networks.ResNet(bottleneck=case.network == "resnet50", implementation=form, **sizes)
    return _in_precision(case, net)


def _in_precision(case: Case, net: nn.Module) -> Any:
    return models.in_precision(net, cast(models.Precision, case.precision))


def forward(model: Any) -> Learner:
    """Predictions only, in the form of a learner that never learns."""

    def init(key: Key, batch: Batch) -> TrainState:
        return init_state(model, optax.identity(), key, unit_range(batch["input"]))

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
        variables = state.net.variables
        logits: Any = model.apply(variables, unit_range(batch["input"]))
        # The square keeps the compiler from summing the last layer's weights instead.
        return state.replace(step=state.step + 1), {"loss": jnp.square(logits).mean()}

    return Learner(init, step)


def arrays(case: Case) -> dict[str, np.ndarray]:
    """Random inputs, images as bytes, and targets."""
    random = np.random.default_rng(0)
    if case.network == "lstm":
        text = random.integers(0, case.sizes["vocabulary"], (case.rows, case.shape[0] + 1)).astype(np.int32)
        return {"input": text[:, :-1], "target": text[:, 1:]}
    images = random.integers(0, 256, (case.rows, *case.shape), np.uint8)
    return {"input": images, "target": random.integers(0, 10, case.rows).astype(np.int32)}


def way(case: Case, form: str) -> Way:
    """One of the forms in `_cases.variants` that are not torch's."""
    form = form.removesuffix(", tuned malloc")
    if not case.trains:
        return _whole_set(case) if form == "ours, epoch scan" else _predictions(case, form == "naive flax")
    if form == "naive flax":
        return _naive(case)
    if form == "ours, step by step":
        return _steps(case)
    if form == "ours, epoch scan":
        return _scan(case)
    if form == "ours, host road":
        return _host(case)
    return _chunks(case, devices=2 if form == "ours, 2 devices" else 1)


def _begin(one: Learner, case: Case, batch: Batch) -> tuple[State, int]:
    keys = jax.vmap(jax.random.key)(np.arange(case.seeds, dtype=np.uint32))
    state = jax.jit(over_seeds(one, case.seeds).init)(keys, batch)
    count = count_parameters(state) if case.trains else sum(x.size for x in jax.tree.leaves(state.net.params))
    return state, count // case.seeds


def _predictions(case: Case, naive: bool) -> Way:
    """Batch after batch through the jitted model; the naive loop hands over NumPy arrays of floats."""
    model = _classifier(case, naive, "plain" if naive else "auto")
    rows = np.asarray(unit_range(arrays(case)["input"])) if naive else jax.device_put(arrays(case)["input"])
    state = jax.jit(forward(model).init)(jax.random.key(0), {"input": rows[: case.batch]})
    predict = jax.jit(supervised.predict(model))
    starts = range(0, case.rows - case.batch + 1, case.batch)

    def run(steps: int) -> float:
        logits = jnp.zeros(1)
        for i in range(steps):
            start = starts[i % len(starts)]
            logits = predict(state, rows[start : start + case.batch])
        return float(jnp.square(logits).mean())

    return Way(sum(x.size for x in jax.tree.leaves(state.net.params)), run)


def _whole_set(case: Case) -> Way:
    """All batches of the resident data in one dispatch, as an evaluation has them; their mean comes back."""
    model = _classifier(case, False, "auto")
    rows = jax.device_put(arrays(case)["input"])
    state = jax.jit(forward(model).init)(jax.random.key(0), {"input": rows[: case.batch]})
    predict = supervised.predict(model)
    count = case.rows // case.batch

    @jax.jit
    def predict_all(state: State, rows: jax.Array, turns: jax.Array) -> jax.Array:
        def one(i: jax.Array, total: jax.Array) -> jax.Array:
            batch = jax.lax.dynamic_slice_in_dim(rows, i % count * case.batch, case.batch)
            return total + jnp.square(predict(state, batch)).mean()

        return jax.lax.fori_loop(0, turns, one, jnp.zeros(()))

    def run(steps: int) -> float:
        return float(predict_all(state, rows, jnp.int32(steps))) / steps

    return Way(sum(x.size for x in jax.tree.leaves(state.net.params)), run)


def _chunks(case: Case, devices: int = 1) -> Way:
    """As `fit` dispatches a resident learner, on one device or with the batch shared over several."""
    one = resident(learner(case), case.batch, data.order.rows)
    return _fitted(one, case, arrays(case), arrays(case), devices)


def _host(case: Case) -> Way:
    """As `fit` dispatches a learner that is fed by the host."""
    rows = arrays(case)
    source: Any = partial(data.stream, rows, data.order.rows, jax.random.key(0), case.batch)
    return _fitted(learner(case), case, source, {name: x[: case.batch] for name, x in rows.items()})


def _fitted(one: Learner, case: Case, source: Any, example: Batch, devices: int = 1) -> Way:
    one = one._replace(step=jax.jit(one.step))  # traced once, as `fit` has it
    state, parameters = _begin(one, case, example)
    flops = flops_per_step(one, example) * case.seeds
    capacity = chunk_length(flops, case.steps, bytes_fed(one, example))
    spread = Spread(one, example, capacity, case.seeds, "auto", devices)
    state, batches, taken = spread.put(state), feed(one, source, capacity), 0

    def run(steps: int) -> float:
        nonlocal state, taken
        loss, end = np.zeros(1), taken + steps
        while taken < end:
            count = min(capacity, end - taken)
            state, measured = spread.step(state, count, batches(taken, count))
            taken += count
            loss = measured["loss"][:, -1]
        return float(loss[0])

    return Way(parameters, run)


def _steps(case: Case) -> Way:
    """A Python loop over the jitted step of a resident learner."""
    one = resident(learner(case), case.batch, data.order.rows)
    rows = jax.device_put(arrays(case))
    state, parameters = _begin(one, case, rows)
    step = jax.jit(over_seeds(one, case.seeds).step)

    def run(steps: int) -> float:
        nonlocal state
        loss = jnp.zeros(1)
        for _ in range(steps):
            state, measured = step(state, rows)
            loss = measured["loss"]
        return float(loss[0])

    return Way(parameters, run)


def _scan(case: Case) -> Way:
    """A whole epoch, here a round, in one `many_steps`."""
    one = resident(learner(case), case.batch, data.order.rows)
    rows = jax.device_put(arrays(case))
    state, parameters = _begin(one, case, rows)
    epoch = jax.jit(over_seeds(many_steps(one, case.steps), case.seeds).step)

    def run(steps: int) -> float:
        nonlocal state
        loss = jnp.zeros((1, 1))
        for _ in range(max(1, steps // case.steps)):
            state, measured = epoch(state, rows)
            loss = measured["loss"]
        return float(loss[0, -1])

    return Way(parameters, run)


def _naive(case: Case) -> Way:
    """The loop of flax's examples: one jitted step, a NumPy batch of floats for each, run after run."""
    one, rows = learner(case, naive=True), arrays(case)
    if rows["input"].dtype == np.uint8:
        rows["input"] = rows["input"].astype(np.float32) / 255
    single = case._replace(seeds=1)
    first = {name: x[: case.batch] for name, x in rows.items()}
    states = [jax.jit(one.init)(jax.random.key(seed), first) for seed in range(case.seeds)]
    step, random = jax.jit(one.step), np.random.default_rng(1)

    def run(steps: int) -> float:
        loss = jnp.zeros(())
        for seed, state in enumerate(states):
            for _ in range(steps):
                index = random.permutation(single.rows)[: single.batch]
                state, measured = step(state, {name: x[index] for name, x in rows.items()})
                loss = measured["loss"]
            states[seed] = state
            loss.block_until_ready()
        return float(loss)

    return Way(_begin(one, single, first)[1], run)
