"""The fast transposed convolution equals flax's in value and both gradients, and stays fast in loops."""

import re
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdl import InputError
from jaxdl.models import Conv, ConvTranspose, conv, conv_transpose

CASES = [  # height and width, kernel, strides, padding
    ((4, 4), (4, 4), 2, "SAME"),  # DCGAN
    ((1, 1), (4, 4), 1, "VALID"),  # DCGAN's first layer
    ((5, 3), (4, 4), 1, "SAME"),
    ((4, 5), (3, 3), 2, "SAME"),
    ((4, 5), (3, 3), 2, ((1, 2), (1, 2))),  # torch: padding 1, output padding 1
    ((3, 4), (5, 5), 2, "VALID"),
    ((3, 2), (2, 3), (3, 2), "SAME"),  # gaps between the patches
    ((3, 2), (2, 3), (3, 2), "VALID"),
    ((2, 3), (1, 1), 3, "SAME"),
    ((3, 3), (4, 3), (2, 1), 1),
    ((3, 3), (2, 2), 2, 4),  # a border wider than the kernel
    ((4, 4), (5, 4), (3, 3), ((0, 3), (2, 0))),
]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def random(seed, shape, dtype="float32"):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), dtype)


def error(actual, expected):
    """The largest difference over the largest value."""
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    return float(jnp.abs(actual - expected).max() / jnp.abs(expected).max())


def value_and_vjp(f, *args):
    """f(*args), and its gradients for a fixed random cotangent."""
    y, vjp = jax.vjp(f, *args)
    return y, vjp(random(99, y.shape, y.dtype))


@pytest.mark.parametrize(
    ("case", "dtype"),
    [*((case, "float64") for case in CASES), *((case, "float32") for case in CASES[:4])],
    ids=str,
)
def test_conv_transpose_equals_flax_in_value_and_gradient(case, dtype):
    size, kernel_size, strides, padding = case
    steps = (strides, strides) if isinstance(strides, int) else strides
    ours = ConvTranspose(4, kernel_size, strides, padding, implementation="fast")
    flax = nn.ConvTranspose(4, kernel_size, steps, padding)
    with jax.enable_x64(dtype == "float64"):
        x = random(0, (2, *size, 3), dtype)
        params = {"kernel": random(1, (*kernel_size, 3, 4), dtype), "bias": random(2, (4,), dtype)}

        @jax.jit
        def both(params, x):
            return tuple(
                value_and_vjp(lambda p, x, m=m: m.apply({"params": p}, x), params, x) for m in (ours, flax)
            )

        fast, plain = both(params, x)
        errors = jax.tree.map(error, fast, plain)
        assert max(jax.tree.leaves(errors)) <= TOLERANCE[dtype], errors


@pytest.mark.parametrize("case", CASES, ids=str)
def test_plain_form_equals_flax(case):
    size, kernel_size, strides, padding = case
    steps = (strides, strides) if isinstance(strides, int) else strides
    x, params = random(0, (2, *size, 3)), {"kernel": random(1, (*kernel_size, 3, 2))}
    ours = ConvTranspose(2, kernel_size, strides, padding, use_bias=False, implementation="plain")
    flax = nn.ConvTranspose(2, kernel_size, steps, padding, use_bias=False)
    assert jnp.array_equal(*(model.apply({"params": params}, x) for model in (ours, flax)))


@pytest.mark.parametrize(
    ("kernel_size", "flax_size", "use_bias"), [(3, (3, 3), True), ((2, 5), (2, 5), False)]
)
def test_it_starts_from_the_parameters_of_flax(kernel_size, flax_size, use_bias):
    class Net(nn.Module):
        layer: type

        @nn.compact
        def __call__(self, x):
            size = kernel_size if self.layer is ConvTranspose else flax_size
            x = self.layer(4, size, (2, 2), use_bias=use_bias)(x)
            return self.layer(5, size, (2, 2), use_bias=use_bias)(x)

    x = jnp.zeros((1, 3, 3, 3))
    ours, flax = jax.jit(
        lambda key: [Net(layer).init(key, x) for layer in (ConvTranspose, nn.ConvTranspose)]
    )(jax.random.key(3))
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours, flax))
    assert float(jnp.abs(ours["params"]["ConvTranspose_1"]["kernel"]).max()) > 0


def test_it_is_the_adjoint_of_the_convolution():
    """<conv(x), y> = <x, conv_transpose(y)> with the kernel flipped and its channels swapped."""
    with jax.enable_x64(True):
        kernel = random(1, (4, 4, 3, 5), "float64")
        x, y = random(0, (2, 8, 8, 3), "float64"), random(2, (2, 4, 4, 5), "float64")
        back = conv_transpose(y, jnp.flip(kernel, (0, 1)).swapaxes(2, 3), 2, 2, implementation="fast")
        there = conv(x, kernel, 2, 1, implementation="plain")
        np.testing.assert_allclose((there * y).sum(), (x * back).sum(), rtol=1e-12)


def gradient_penalty(kernels, x, implementation):
    """The squared norm of a gradient with respect to the input, through both kinds of layer."""

    def critic(x):
        y = nn.leaky_relu(conv_transpose(x, kernels[0], 2, "SAME", implementation))
        return jnp.square(conv(y, kernels[1], 2, 1, implementation)).sum()

    return jnp.square(jax.grad(critic)(x)).sum()


def test_second_derivatives_equal_the_plain_ones():
    with jax.enable_x64(True):
        x = random(0, (2, 3, 4, 2), "float64")
        kernels = random(1, (4, 4, 2, 3), "float64"), random(2, (3, 3, 3, 2), "float64")
        second = jax.jit(jax.grad(gradient_penalty, argnums=(0, 1)), static_argnums=2)
        fast, plain = second(kernels, x, "fast"), second(kernels, x, "plain")
        assert max(jax.tree.leaves(jax.tree.map(error, fast, plain))) <= 1e-12


def test_forward_mode_equals_the_plain_one():
    x, kernel = random(0, (2, 3, 4, 2)), random(1, (4, 4, 2, 3))

    def tangent(implementation):
        return jax.jvp(
            partial(conv_transpose, strides=2, implementation=implementation), (x, kernel), (x, kernel)
        )

    assert max(map(error, tangent("fast"), tangent("plain"))) <= 1e-5


def test_three_steps_in_a_scan_equal_three_steps_in_a_loop_bit_for_bit():
    x = random(0, (3, 4, 3, 3, 6))
    kernels = (random(1, (4, 4, 6, 5)) / 8, random(2, (4, 4, 5, 2)) / 8)

    def step(kernels, x):
        def loss(kernels):
            y = nn.relu(conv_transpose(x, kernels[0], 2, implementation="fast"))
            return jnp.square(conv_transpose(y, kernels[1], 2, implementation="fast") - 1).mean()

        value, grads = jax.value_and_grad(loss)(kernels)
        return jax.tree.map(lambda w, g: w - 0.1 * g, kernels, grads), value

    looped, losses = kernels, []
    jitted = jax.jit(step)
    for images in x:
        looped, value = jitted(looped, images)
        losses.append(value)
    scanned, values = jax.jit(lambda kernels: lax.scan(step, kernels, x))(kernels)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, scanned, looped))
    assert jnp.array_equal(values, jnp.stack(losses))
    assert not jnp.array_equal(scanned[0], kernels[0])


def test_what_is_slow_in_a_loop_does_not_occur():
    """No convolution with spread input in any derivative of the strided form; none but one form else."""
    x, kernel = random(0, (2, 3, 4, 2)), random(1, (4, 4, 2, 3))

    def second(strides, implementation):
        def penalty(kernel, x):
            def total(x):
                return jnp.square(conv_transpose(x, kernel, strides, "SAME", implementation)).sum()

            return jnp.square(jax.grad(total)(x)).sum()

        program = str(jax.make_jaxpr(jax.grad(penalty, (0, 1)))(kernel, x))
        specs = r"ConvDimensionNumbers\(lhs_spec=(\(.*?\)), rhs_spec=(\(.*?\)), out_spec="
        return set(re.findall(specs, program))

    assert second(2, "fast") == set()
    assert second(1, "fast") == {("(0, 3, 1, 2)", "(3, 2, 0, 1)")}
    assert len(second(2, "plain")) > 1  # so the lines above can fail


def test_under_vmap_over_kernels_it_equals_one_at_a_time():
    x, kernels = random(0, (2, 3, 3, 3)), random(1, (3, 4, 4, 3, 2))

    def loss(kernel):
        return jnp.sin(conv_transpose(x, kernel, 2, implementation="fast")).sum()

    together = jax.jit(jax.vmap(jax.value_and_grad(loss)))(kernels)
    one = jax.jit(jax.value_and_grad(loss))
    apart = jax.tree.map(lambda *parts: jnp.stack(parts), *map(one, kernels))
    assert max(map(error, together, apart)) <= 1e-5


def test_bfloat16_is_near_float32():
    x, kernel = random(0, (2, 4, 4, 8), "bfloat16"), random(1, (4, 4, 8, 4), "bfloat16")

    def run(x, kernel, implementation):
        return value_and_vjp(lambda x, k: conv_transpose(x, k, 2, "SAME", implementation), x, kernel)

    half, full = run(x, kernel, "fast"), run(x.astype("float32"), kernel.astype("float32"), "plain")
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype("bfloat16")}
    errors = jax.tree.map(lambda a, b: error(a.astype("float32"), b), half, full)
    assert max(jax.tree.leaves(errors)) < 0.02, errors


def test_auto_is_fast_on_the_cpu_only(monkeypatch):
    def convolutions():
        x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((4, 4, 1, 1))
        return str(jax.make_jaxpr(partial(conv_transpose, strides=2))(x, kernel)).count("conv_general")

    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert convolutions() == 0
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert convolutions() == 1


def test_a_stride_is_undone_by_the_convolution_of_the_same_size():
    x = jnp.ones((2, 7, 7, 3))
    y = ConvTranspose(5, 4, 2).init_with_output(jax.random.key(0), x)[0]
    assert y.shape == (2, 14, 14, 5)
    assert Conv(3, 4, 2, 1).init_with_output(jax.random.key(0), y)[0].shape == x.shape


IMAGE, KERNEL = jnp.ones((1, 2, 2, 1)), jnp.ones((3, 3, 1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conv_transpose(IMAGE, KERNEL, implementation="fsat"), "implementation: got 'fsat'"),
        (lambda: conv_transpose(IMAGE, KERNEL, padding="same"), "padding: got 'same', expected one of SAME"),
        (lambda: conv_transpose(IMAGE, KERNEL, padding=-1), "padding: got -1, expected pixels >= 0"),
        (lambda: conv_transpose(IMAGE, KERNEL, padding=0), "padding: got 0, expected an output of at least"),
        (lambda: conv_transpose(IMAGE[0], KERNEL), "missing batch or channel axis"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(call, message):
    with pytest.raises(InputError, match=message):
        call()
