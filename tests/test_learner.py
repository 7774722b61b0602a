import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import learner as vocabulary
from jaxdl import losses, models
from jaxdl.data import order
from jaxdl.learner import ORDER, STREAMS, Net, inspect_net, stream, unit_range, update_net
from jaxdl.learners import supervised
from jaxdl.transforms import resident


def test_streams_of_a_run_share_no_key():
    key = jax.random.key(0)
    seen = [
        tuple(jax.random.key_data(stream(key, number, step)).tolist())
        for number, step in itertools.product(STREAMS.values(), range(200))
    ]
    assert len(set(STREAMS.values())) == len(STREAMS)
    assert len(set(seen)) == len(seen)


def test_the_order_key_is_in_no_other_stream():
    key = jax.random.key(0)
    epochs = [jax.random.fold_in(jax.random.fold_in(key, ORDER), epoch) for epoch in range(50)]
    others = [stream(key, number, step) for number in set(STREAMS.values()) - {ORDER} for step in range(50)]
    data = {tuple(jax.random.key_data(k).tolist()) for k in epochs}
    assert not data & {tuple(jax.random.key_data(k).tolist()) for k in others}


def test_update_net_is_one_gradient_step():
    """On f(w) = (w - 3)^2 from w = 1 with learning rate 0.25: gradient -4, new w = 2."""

    def loss_fn(params, stats, batch):
        return jnp.square(params["w"] - batch), (stats, {"seen": batch})

    optimizer = optax.sgd(0.25)
    params = {"w": jnp.float32(1)}
    net, metrics = update_net(loss_fn, optimizer, Net(params, {}, optimizer.init(params)), jnp.float32(3))
    assert net.params["w"] == 2
    assert metrics == {"loss": 4, "seen": 3}
    looked = inspect_net(loss_fn, optimizer, Net(params, {}, optimizer.init(params)), jnp.float32(3))
    assert (looked["gradient_norm/w"], looked["update_norm"], looked["parameter_norm"]) == (4, 1, 1)


def test_average_wraps_the_gradients():
    def loss_fn(params, stats, batch):
        return params * batch, (stats, {})

    def doubled(gradients):
        return lambda *args: jax.tree.map(lambda x: 2 * x, gradients(*args))

    optimizer = optax.sgd(1.0)
    start = Net(jnp.float32(0), {}, optimizer.init(jnp.float32(0)))
    net, _ = update_net(loss_fn, optimizer, start, jnp.float32(5), average=doubled)
    assert net.params == -10


def test_unit_range_scales_bytes_only():
    tree = unit_range({"bytes": jnp.array([0, 255], jnp.uint8), "label": jnp.array([255], jnp.int32)})
    assert tree["bytes"].tolist() == [0, 1]
    assert tree["label"].tolist() == [255]


def test_every_parameter_learns_and_statistics_move():
    model = models.CNN((3, 4), hidden=8, batch_norm=True)
    learner = supervised.learner(model, optax.sgd(0.1))
    batch = {"input": jax.random.uniform(jax.random.key(0), (8, 8, 8, 1)), "target": jnp.arange(8)}
    before = jax.jit(learner.init)(jax.random.key(0), batch)
    after, _ = jax.jit(learner.step)(before, batch)
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path((before.net.params, before.net.stats)),
        jax.tree.leaves((after.net.params, after.net.stats)),
        strict=True,
    ):
        assert (a != b).any(), vocabulary.path_name(path)


def test_inspect_names_layers_in_the_order_of_the_calls():
    model = models.MLP((4, 3), outputs=2)
    learner = supervised.learner(model, optax.sgd(0.1))
    batch = {"input": jnp.ones((2, 5)), "target": jnp.array([0, 1])}
    looked = jax.jit(learner.inspect)(learner.init(jax.random.key(0), batch), batch)
    names = [name.removeprefix("activation/") for name in looked if name.startswith("activation/")]
    assert names == ["input", "dense1", "dropout1", "dense2", "dropout2", "logits"]


def test_penalty_pulls_the_weights_down():
    batch = {"input": jnp.zeros((2, 5)), "target": jnp.array([0, 1])}
    grown = {}
    for l1 in (0.0, 0.1):
        learner = supervised.learner(models.MLP((), outputs=2), optax.sgd(0.1), l1=l1)
        state, _ = learner.step(learner.init(jax.random.key(0), batch), batch)
        grown[l1] = np.abs(state.net.params["logits"]["kernel"]).sum()
    # The inputs are zero, so only the penalty moves the kernel: by 0.1 * 0.1 * sign(w).
    assert np.isclose(grown[0.0] - grown[0.1], 0.1 * 0.1 * 10, rtol=1e-3)


def test_one_batch_can_be_learned_by_heart():
    data = {"input": jax.random.normal(jax.random.key(0), (16, 10)), "target": jnp.arange(16) % 4}
    learner = resident(supervised.learner(models.MLP((32,), outputs=4), optax.adam(0.02)), 16, order.rows)
    state = learner.init(jax.random.key(1), data)
    step = jax.jit(learner.step)
    for _ in range(100):
        state, metrics = step(state, data)
    assert metrics["loss"] < 0.01


def test_bytes_are_scaled_as_inputs_and_not_as_targets():
    """What is trained on is what is evaluated."""
    rows = {"input": jnp.ones((8, 2)), "target": jnp.full((8, 1), 200, jnp.uint8)}
    model = models.MLP((), outputs=1)
    learner = supervised.learner(model, optax.sgd(0.1), loss=losses.squared_error)
    state = learner.init(jax.random.key(0), rows)
    loss = learner.step(state, rows)[1]["loss"]
    judged = supervised.evaluate(model, {"loss": losses.squared_error})(state, rows)
    assert float(loss) == pytest.approx(float(judged["loss"] / judged["count"]), rel=1e-6)
