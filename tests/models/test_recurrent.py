"""Recurrent networks: what a carry, a mask and a direction mean, and how they start."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.models import RecurrentNet
from jaxdl.models.cells import CELLS, lstm_step, unroll
from jaxdl.models.recurrent import initial_carry

X = jnp.asarray(np.random.default_rng(0).standard_normal((3, 6, 2)), jnp.float32)


def made(x=X, **options):
    net = RecurrentNet(features=4, outputs=2, **options)
    return net, jax.jit(net.init)(jax.random.key(0), x)


def same(a, b):
    for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_lstm_step_is_the_slide_with_its_output_gate():
    """003:1054-1069, and the two lines that it leaves out."""
    generator = np.random.default_rng(1)
    i, f, candidate, o, h, cell = generator.standard_normal((6, 1, 3))
    net = jnp.asarray(np.concatenate([i, f, candidate, o], axis=1))
    after = lstm_step(net, jnp.zeros_like(net), (jnp.asarray(h), jnp.asarray(cell)))

    def sigma(x):
        return 1 / (1 + np.exp(-x))

    expected = sigma(f) * cell + sigma(i) * np.tanh(candidate)
    np.testing.assert_allclose(after[1], expected, rtol=1e-5)
    np.testing.assert_allclose(after[0], sigma(o) * np.tanh(expected), rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_pieces_with_a_carry_equal_the_whole(cell):
    net, variables = made(cell=cell, layers=2)
    whole, last = net.apply(variables, X)
    first, carry = net.apply(variables, X[:, :2])
    second, end = net.apply(variables, X[:, 2:], carry)
    same((jnp.concatenate([first, second], axis=1), end), (whole, last))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_what_follows_the_length_changes_nothing(cell, bidirectional):
    net, variables = made(cell=cell, bidirectional=bidirectional)
    length = jnp.array([6, 2, 4])
    outputs, carry = net.apply(variables, X, None, length)
    other, same_carry = net.apply(variables, X.at[1, 2:].set(9).at[2, 4:].set(-9), None, length)
    same((outputs, carry), (other, same_carry))
    alone, its_carry = net.apply(variables, X[1:2, :2])
    same((outputs[1:2, :2], jax.tree.map(lambda x: x[1:2], carry)), (alone, its_carry))
    np.testing.assert_allclose(
        outputs[1, 2:], jnp.broadcast_to(variables["params"]["logits"]["bias"], (4, 2))
    )


def test_backward_cell_reads_the_sequence_the_other_way_round():
    net, variables = made(bidirectional=True)
    params = dict(variables["params"])
    params["lstm1"], params["lstm1_backward"] = params["lstm1_backward"], params["lstm1"]
    kernel = params["logits"]["kernel"]
    params["logits"] = {**params["logits"], "kernel": jnp.concatenate([kernel[4:], kernel[:4]])}
    turned, _ = net.apply({"params": params}, X[:, ::-1])
    outputs, _ = net.apply(variables, X)
    same(turned[:, ::-1], outputs)


def test_many_to_one_is_the_head_on_the_last_state():
    net, variables = made()
    many, _ = net.apply(variables, X)
    one, _ = net.clone(many_to_many=False).apply(variables, X)
    same(one, many[:, -1])


@pytest.mark.parametrize("steps", [1, 6], ids=["fewer tokens than words", "more"])
def test_tokens_are_rows_of_the_embedding(steps):
    tokens = jnp.array([[0, 4, 2, 2, 1, 3]])[:, :steps]
    net, variables = made(tokens, vocabulary=5, embedding=3)
    params = dict(variables["params"])
    table = params.pop("embedding")
    same(net.apply(variables, tokens), net.clone(vocabulary=0).apply({"params": params}, table[tokens]))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_the_plain_loop(cell, reverse):
    """Our rule for the loop against autodiff, in every argument."""
    kind, generator = CELLS[cell], np.random.default_rng(2)

    def draw(*shape):
        return jnp.asarray(generator.standard_normal(shape), jnp.float32)

    x, kernel, bias = draw(5, 3, kind.gates * 4), draw(4, kind.gates * 4), draw(kind.gates * 4)
    carry = tuple(draw(3, 4) for _ in range(kind.states))
    weights = draw(5, 3, 4)

    def plain(x, kernel, bias, carry):
        outputs = []
        for t in reversed(range(5)) if reverse else range(5):
            carry = kind.step(x[t], carry[0] @ kernel + bias[None], carry)
            outputs.append(carry[0])
        return jnp.stack(outputs[::-1] if reverse else outputs), carry

    def ours(x, kernel, bias, carry):
        return unroll(kind, reverse, x, kernel, bias, carry, None)

    def loss(run):
        def value(*args):
            outputs, carry = run(*args)
            return (outputs * weights).sum() + sum(jnp.square(state).sum() for state in carry)

        return jax.jit(jax.value_and_grad(value, argnums=(0, 1, 2, 3)))(x, kernel, bias, carry)

    for one, other in zip(jax.tree.leaves(loss(ours)), jax.tree.leaves(loss(plain)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_the_plain_form_has_forward_mode_too():
    net, x = RecurrentNet(features=4, outputs=2, layers=2), jax.random.normal(jax.random.key(0), (3, 5, 2))
    variables, plain = net.init(jax.random.key(1), x), net.clone(implementation="plain")

    def loss(net, variables):
        return jnp.square(net.apply(variables, x)[0]).sum()

    value, gradient = jax.value_and_grad(partial(loss, plain))(variables)
    expected = jax.value_and_grad(partial(loss, net))(variables)
    for one, other in zip(jax.tree.leaves((value, gradient)), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    # The change along the gradient is its squared length.
    _, change = jax.jvp(partial(loss, plain), (variables,), (gradient,))
    length = sum(jnp.square(x).sum() for x in jax.tree.leaves(gradient))
    np.testing.assert_allclose(change, length, rtol=1e-4)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(partial(loss, net), (variables,), (gradient,))


def test_parameters_at_first():
    params = made(forget_bias=1.5)[1]["params"]["lstm1"]
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1.5, 0, 0], 4))
    for square in jnp.split(params["recurrent_kernel"], 4, axis=1):
        np.testing.assert_allclose(square @ square.T, np.eye(4), atol=1e-5)
    assert set(made(cell="gru")[1]["params"]["gru1"]) == {
        "kernel", "recurrent_kernel", "bias", "recurrent_bias"}  # fmt: skip
    assert not made(cell="gru")[1]["params"]["gru1"]["bias"].any()


def test_dropout_only_in_training():
    net, variables = made(dropout=0.5)
    still, carry = net.apply(variables, X)
    moved, carry_in_training = net.apply(variables, X, train=True, rngs={"dropout": jax.random.key(1)})
    assert not np.allclose(still, moved)
    same(carry, carry_in_training)  # a state that is carried on is not dropped


def test_initial_carry_holds_no_array_twice():
    carry = jax.tree.leaves(initial_carry(RecurrentNet(4, layers=2, bidirectional=True), 3))
    assert len({leaf.unsafe_buffer_pointer() for leaf in carry}) == len(carry) == 8
    assert all(leaf.shape == (3, 4) and not leaf.any() for leaf in carry)


REFUSED = {
    "unknown cell": ({"cell": "lsmt"}, X, "cell: got 'lsmt'.*did you mean 'lstm'"),
    "dropout": ({"dropout": 1.0}, X, "dropout: got 1.0"),
    "tokens without a vocabulary": ({}, jnp.zeros((2, 3), jnp.int32), "input: got 'int32"),
    "numbers for tokens": ({"vocabulary": 3}, X, r"tokens, int \[batch, time\]"),
    "no feature axis": ({}, X[..., 0], r"real numbers, \[batch, time, features\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused(name):
    options, x, message = REFUSED[name]
    with pytest.raises(InputError, match=message):
        RecurrentNet(4, **options).init(jax.random.key(0), x)
