"""The sequence learner: what it averages, what it carries, and that it learns what it should."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import InputError, losses, metrics
from jaxdl.data import text
from jaxdl.learners import sequence
from jaxdl.models import RecurrentNet
from jaxdl.transforms import average_over, many_steps, resident

NET = RecurrentNet(8, 5, vocabulary=5, embedding=4)
CODES = jax.random.randint(jax.random.key(0), (4, 6), 0, 5)
BATCH = {"input": CODES, "target": (CODES + 1) % 5}
KEY = jax.random.key(1)


def start(learner, batch=BATCH):
    return jax.jit(learner.init)(KEY, batch)


def test_loss_is_the_mean_over_the_steps_that_count():
    learner = sequence.learner(NET, optax.sgd(0.1))
    length = jnp.array([6, 1, 3, 2])
    state = start(learner)
    logits = sequence.predict(NET)(state, CODES)
    each = jax.vmap(jax.vmap(losses.cross_entropy))(logits, BATCH["target"])
    counted = np.concatenate([each[i, :n] for i, n in enumerate(length)])
    _, measured = jax.jit(learner.step)(state, {**BATCH, "length": length})
    np.testing.assert_allclose(measured["loss"], counted.mean(), rtol=1e-5)
    sums = sequence.evaluate(NET)(state, {**BATCH, "length": length, "mask": jnp.array([1.0, 1, 0, 1])})
    kept = np.concatenate([each[i, : length[i]] for i in (0, 1, 3)])
    assert sums["count"] == len(kept)
    np.testing.assert_allclose(metrics.mean(sums)["loss"], kept.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics.mean(sums)["bits"], kept.mean() / np.log(2), rtol=1e-5)


def test_padding_changes_no_parameter():
    learner = sequence.learner(NET, optax.sgd(0.5))
    length = jnp.array([2, 3, 1, 2])
    state = start(learner)
    short = jax.tree.map(lambda x: x[:, :3], BATCH)
    one, _ = jax.jit(learner.step)(state, {**BATCH, "length": length})
    other, _ = jax.jit(learner.step)(state, {**short, "length": length})
    for a, b in zip(jax.tree.leaves(one.net.params), jax.tree.leaves(other.net.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_carried_state_reads_on_and_starts_anew():
    learner = sequence.learner(NET, optax.sgd(0.0), carried=True)
    pieces = [jax.tree.map(lambda x, i=i: x[:, 3 * i : 3 * i + 3], BATCH) for i in (0, 1)]
    step = jax.jit(learner.step)
    first, one = step(start(learner, pieces[0]), pieces[0])
    second, two = step(first, pieces[1])
    _, whole = jax.jit(sequence.learner(NET, optax.sgd(0.0)).step)(
        start(sequence.learner(NET, optax.sgd(0.0))), BATCH
    )
    np.testing.assert_allclose((one["loss"] + two["loss"]) / 2, whole["loss"], rtol=1e-5)
    anew, _ = step(first, {**pieces[1], "start": jnp.array([False, True, False, True])})
    fresh, _ = step(start(learner, pieces[1]), pieces[1])
    for carried, restarted, new in zip(
        *(jax.tree.leaves(s.carry) for s in (second, anew, fresh)), strict=True
    ):
        np.testing.assert_allclose(restarted[0::2], carried[0::2], atol=1e-6)
        np.testing.assert_allclose(restarted[1::2], new[1::2], atol=1e-6)
        assert not np.allclose(carried[1::2], new[1::2])


def test_gradients_stop_at_the_piece():
    """The step of a carried state is that of the same state given as a constant."""
    learner = sequence.learner(NET, optax.sgd(1.0), carried=True)
    state, _ = learner.step(start(learner), BATCH)

    def loss(params):
        logits, _ = NET.apply({"params": params}, CODES, state.carry)
        return jax.vmap(jax.vmap(losses.cross_entropy))(logits, BATCH["target"]).mean()

    expected = jax.tree.map(lambda p, g: p - g, state.net.params, jax.grad(loss)(state.net.params))
    after, _ = learner.step(state, BATCH)
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(after.net.params), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("outputs", ["class", "number"])
def test_many_to_one_learns_what_needs_memory(outputs):
    """Does the sequence begin as it ends? Nobody can tell from the end alone."""
    x = jax.random.bernoulli(jax.random.key(2), 0.5, (64, 5, 1)).astype(jnp.float32)
    answer = x[:, 0, 0] == x[:, -1, 0]
    if outputs == "class":
        net, loss, target = RecurrentNet(16, 2, many_to_many=False), losses.cross_entropy, answer.astype(int)
    else:
        net, loss, target = (
            RecurrentNet(16, 1, many_to_many=False),
            losses.squared_error,
            answer[:, None] * 1.0,
        )
    batch = {"input": x, "target": target}
    learner = sequence.learner(net, optax.chain(optax.clip_by_global_norm(1.0), optax.adam(2e-2)), loss=loss)
    repeat = many_steps(learner._replace(resident=True), 300)
    state, measured = jax.jit(repeat.step)(start(learner, batch), batch)
    assert measured["loss"][-1] < 0.02
    sums = sequence.evaluate(net, {"loss": loss})(state, batch)
    assert sums["count"] == 64


def test_a_text_is_learned_by_who_reads_on_and_written():
    """Windows are shorter than what repeats: only a carry tells the ones without a b apart."""
    codes = text.encode("aaaaaaab" * 40 + "a", "ab")
    data = text.windows(codes, length=4, streams=4)
    net = RecurrentNet(16, 2, vocabulary=2, embedding=2)
    losses = {}
    for carried in (True, False):
        learner = resident(sequence.learner(net, optax.adam(2e-2), carried=carried), 4, text.in_order)
        state, step = jax.jit(learner.init)(KEY, data), jax.jit(many_steps(learner, 700).step)
        state, measured = step(state, data)
        losses[carried] = measured["loss"][-20:].mean()
        if carried:
            draw = jax.jit(sequence.sample(net, 32))
            written = text.decode(draw(state, KEY, codes[None, :64], 0.1)[0], "ab")
    assert losses[True] < 0.05
    assert losses[False] > 0.15  # log 2 at one step in four
    assert written == "aaaaaaab" * 4


def test_temperature_and_key_of_samples():
    state = start(sequence.learner(NET, optax.sgd(0.1)))
    draw, prompt = jax.jit(sequence.sample(NET, 400)), CODES[:2]
    hot, again, other = (draw(state, jax.random.key(k), prompt, 1.0) for k in (0, 0, 1))
    assert hot.shape == (2, 400)
    assert hot.dtype == prompt.dtype
    assert (hot == again).all()
    assert (hot != other).any()
    cold = [draw(state, jax.random.key(k), prompt, 1e-4) for k in (0, 1)]
    assert (cold[0] == cold[1]).all()
    # One step at a time, the samples follow the model's own distribution.
    likely = jax.nn.softmax(sequence.predict(NET)(state, prompt[:1]))[0, -1]
    drawn = jax.jit(sequence.sample(NET, 1))(state, KEY, jnp.repeat(prompt[:1], 4000, axis=0))
    np.testing.assert_allclose(np.bincount(drawn[:, 0], minlength=5) / 4000, likely, atol=0.04)


def test_inspect_leaves_the_state_and_names_the_layers():
    learner = sequence.learner(NET, optax.sgd(0.1), carried=True)
    state = start(learner)
    looked = jax.jit(learner.inspect)(state, BATCH)
    assert looked["gradient_norm/lstm1/recurrent_kernel"] >= 0
    assert np.isclose(looked["loss"], learner.step(state, BATCH)[1]["loss"])


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="carried: got True, expected False under pmap"):
        sequence.learner(NET, optax.sgd(0.1), carried=True, average=average_over("devices"))
    with pytest.raises(InputError, match="length: got 0"):
        sequence.sample(NET, 0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("many_to_many", [True, False])
def test_what_follows_the_length_may_be_nan(cell, many_to_many):
    """Neither a loss nor a gradient sees inputs and targets that do not count."""
    net = RecurrentNet(4, 1, cell=cell, many_to_many=many_to_many)
    reader = sequence.learner(net, optax.sgd(0.1), loss=losses.squared_error)
    x, length = jax.random.normal(KEY, (2, 5, 1)), jnp.array([5, 3])
    results = []
    for beyond in (0.0, jnp.nan):
        inputs = x.at[1, 3:].set(beyond)
        target = inputs if many_to_many else jnp.ones((2, 1))
        batch = {"input": inputs, "target": target, "length": length}
        state, measured = reader.step(reader.init(KEY, batch), batch)
        results.append((state.net.params, measured))
    for clean, spoilt in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_array_equal(clean, spoilt)
        assert np.isfinite(spoilt).all()
