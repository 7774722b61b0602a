"""One neuron: what it computes, what it can learn, and what it cannot."""

from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdl.models import Neuron, linear, perceptron_update, relu, sigmoid, sign

INPUTS = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
AND, OR, XOR = jnp.array([-1, -1, -1, 1.0]), jnp.array([-1, 1, 1, 1.0]), jnp.array([-1, 1, 1, -1.0])


def parameters(weights, bias=None):
    dense = {"kernel": jnp.array(weights, jnp.float32)[:, None]}
    return {"params": {"dense": dense if bias is None else dense | {"bias": jnp.array([bias], jnp.float32)}}}


@pytest.mark.parametrize("activation", [linear, relu, sigmoid, jnp.tanh])
def test_neuron_is_g_of_bias_plus_weighted_sum(activation):
    x = np.random.default_rng(0).standard_normal((5, 3)).astype("float32")
    weights, bias = np.array([0.5, -2.0, 1.5]), 0.25
    with_bias = Neuron(activation).apply(parameters(weights, bias), x)
    without = Neuron(activation, use_bias=False).apply(parameters(weights), x)
    np.testing.assert_allclose(with_bias, activation(x @ weights + bias), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(without, activation(x @ weights), rtol=1e-5, atol=1e-6)
    assert with_bias.shape == (5,)


def test_the_two_printed_neurons_differ_exactly_on_the_line():
    # 001:279 says -1 there, 003:152 says +1; the first two inputs are off the line.
    x = jnp.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]])
    variables = parameters([1.0, -1.0])
    rosenblatt = Neuron(partial(sign, strict=True), use_bias=False).apply(variables, x)
    formal = Neuron(sign, use_bias=False).apply(variables, x)
    np.testing.assert_array_equal(rosenblatt, [1, -1, -1])
    np.testing.assert_array_equal(formal, [1, -1, 1])


@pytest.mark.parametrize(("use_bias", "count"), [(True, 8), (False, 7)])
def test_a_neuron_has_one_weight_per_input_and_a_bias(use_bias, count):
    variables = Neuron(use_bias=use_bias).init(jax.random.key(0), jnp.zeros((2, 7)))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == count


def learn(targets, epochs=20, learning_rate=1.0):
    """Weights, bias and the number of mistakes in the last epoch, from weights of 0."""

    def visit(state, example):
        new = perceptron_update(*state, *example, learning_rate)
        return new, jnp.any(new[0] != state[0]) | (new[1] != state[1])

    def epoch(state, _):
        state, moved = lax.scan(visit, state, (INPUTS, targets))
        return state, moved.sum()

    return lax.scan(epoch, (jnp.zeros(2), jnp.zeros(())), length=epochs)


@pytest.mark.parametrize("targets", [AND, OR], ids=["and", "or"])
@pytest.mark.parametrize("learning_rate", [1.0, 0.125])
def test_the_rule_learns_what_a_line_separates_and_then_stops(targets, learning_rate):
    (weights, bias), mistakes = learn(targets, learning_rate=learning_rate)
    np.testing.assert_array_equal(Neuron().apply(parameters(weights, bias), INPUTS), targets)
    assert mistakes[0] > 0
    assert mistakes[-1] == 0


def test_the_learning_rate_only_scales_the_weights():
    (weights, bias), _ = learn(AND)
    (small_weights, small_bias), _ = learn(AND, learning_rate=0.125)
    np.testing.assert_array_equal(small_weights, 0.125 * weights)
    np.testing.assert_array_equal(small_bias, 0.125 * bias)


def test_the_rule_moves_towards_a_mistake_and_leaves_right_answers_alone():
    weights, bias, x = jnp.array([1.0, -1.0]), jnp.float32(0.5), jnp.array([2.0, 1.0])
    for got, expected in zip(perceptron_update(weights, bias, x, 1.0, 0.1), (weights, bias), strict=True):
        np.testing.assert_array_equal(got, expected)
    moved = perceptron_update(weights, bias, x, -1.0, 0.1)
    np.testing.assert_allclose(moved[0], [0.8, -1.1], rtol=1e-6)
    np.testing.assert_allclose(moved[1], 0.4, rtol=1e-6)


def test_the_rule_never_stops_on_the_exclusive_or():
    _, mistakes = learn(XOR, epochs=50)
    assert mistakes.min() > 0


def test_no_neuron_of_a_grid_answers_more_than_three_cases_of_the_exclusive_or():
    # 002:82-83, 156: "Ne peut pas résoudre le Ou exclusif".
    steps = np.linspace(-2, 2, 17)
    grid = jnp.array(list(product(steps, steps, steps)), jnp.float32)

    def right(w, targets):
        variables = {"params": {"dense": {"kernel": w[:2, None], "bias": w[2:]}}}
        return (Neuron().apply(variables, INPUTS) == targets).sum()

    best = {
        name: int(jax.vmap(lambda w, t=t: right(w, t))(grid).max())
        for name, t in (("xor", XOR), ("and", AND))
    }
    assert best == {"xor": 3, "and": 4}
