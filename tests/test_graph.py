"""The computational graph: the slides' numbers, `jax.grad` on any expression, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.ad_checkpoint import checkpoint_name

from jaxdl import graph
from jaxdl.errors import InputError


def gradients(nodes):
    return {node.name: node.gradient for node in nodes if node.name}


def test_the_product_gate_of_the_slide():
    # 001:890-956: x = 2, y = 3, and dL/dz = 5 is given.
    nodes = graph.trace(lambda x, y: checkpoint_name(x * y, "z"), 2.0, 3.0, upstream=5.0)
    assert [node.value for node in nodes] == [2, 3, 6]
    assert nodes[-1].local == (3, 2)
    assert gradients(nodes) == {"x": 15, "y": 10, "z": 5}


def test_the_squared_error_of_the_slide():
    # 001:1001-1061: x = 1, y = 2, w = 1.
    def loss(x, w, y):
        s = checkpoint_name(checkpoint_name(x * w, "yhat") - y, "s")
        return checkpoint_name(s**2, "loss")

    nodes = graph.trace(loss, 1.0, 1.0, 2.0)
    assert {n.name: n.value for n in nodes} == {"x": 1, "w": 1, "y": 2, "yhat": 1, "s": -1, "loss": 1}
    assert gradients(nodes) == {"x": -2, "w": -2, "y": 2, "yhat": -2, "s": -2, "loss": 1}
    assert [n.operation for n in nodes] == ["input"] * 3 + ["×", "−", "^2"]
    assert graph.depth(nodes) == 3


UNARY = [jnp.sin, jnp.exp, jnp.tanh, jax.nn.relu, jax.nn.sigmoid, jax.nn.softplus, jnp.negative, jnp.abs,
         lambda v: v**3, jax.jit(lambda v: v * jnp.cos(v)), lambda v: 1 / (2 + v * v)]  # fmt: skip
BINARY = [jnp.add, jnp.subtract, jnp.multiply, jnp.maximum, jnp.logaddexp, lambda a, b: a / (1 + b**2),
          lambda a, b: jnp.where(a > b, a, 2 * b)]  # fmt: skip


def expression(generator):
    """A random function of three numbers, with parts that are used several times."""
    picks = [(generator.integers(len(UNARY)), generator.integers(len(BINARY)), generator.random(3))
             for _ in range(6)]  # fmt: skip

    def function(x, y, z):
        values = [x, y, z]
        for unary, binary, (i, j, k) in picks:
            values.append(jnp.tanh(UNARY[unary](values[int(i * len(values))])))
            values.append(BINARY[binary](values[int(j * len(values))], values[int(k * len(values))]))
        return values[-1] + values[-2] * values[-3]

    return function


@pytest.mark.parametrize("seed", range(12))
def test_backward_values_equal_jax_grad(seed):
    generator = np.random.default_rng(seed)
    function, point = expression(generator), tuple(map(float, generator.normal(size=3)))
    with jax.enable_x64(True):
        nodes = graph.trace(function, *point)
        expected = jax.grad(function, (0, 1, 2))(*point)
        value = function(*point)
    np.testing.assert_allclose([n.gradient for n in nodes[:3]], expected, rtol=1e-12, atol=1e-14)
    assert nodes[-1].value == float(value)
    assert all(i < position for position, node in enumerate(nodes) for i in node.inputs)


def test_a_number_used_twice_gets_both_gradients():
    x, square = graph.trace(lambda x: x * x, 3.0)
    assert square.inputs == (0, 0)
    assert (square.local, x.gradient) == ((3, 3), 6)


def test_what_the_result_does_not_need_is_left_out_but_inputs_stay():
    nodes = graph.trace(lambda x, unused: (jnp.sin(x), x + 1.0)[1], 2.0, 5.0)
    assert [n.operation for n in nodes] == ["input", "input", "constant", "+"]
    assert nodes[1].gradient == 0


def test_a_function_that_hands_on_its_input():
    x, y, output = graph.trace(lambda x, y: x, 2.0, 3.0, upstream=7.0)
    assert (output.operation, output.value, x.gradient, y.gradient) == ("=", 2, 7, 0)


def test_names_are_those_of_the_arguments_or_counted():
    assert [n.name for n in graph.trace(lambda *values: values[0] + values[1], 1.0, 2.0)[:2]] == ["x1", "x2"]


@pytest.mark.parametrize(
    "function", [lambda x: jnp.stack([x, x]), lambda x: (x, x), lambda x: (jnp.arange(3.0) * x).sum()]
)
def test_arrays_and_several_results_are_refused(function):
    with pytest.raises(InputError, match="function: got"):
        graph.trace(function, 1.0)


def test_the_table_names_what_goes_in():
    lines = graph.table(graph.trace(lambda x, w: jnp.exp(x * w) ** 2, 1.0, 0.0)).splitlines()
    assert lines[0].split() == ["node", "operation", "value", "local", "gradients", "gradient"]
    assert [line.split()[0] for line in lines[1:]] == ["x", "w", "#2", "#3", "#4"]
    assert "x × w" in lines[3]
    assert "exp #2" in lines[4]
    assert "#3^2" in lines[5]
