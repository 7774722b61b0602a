"""The fast layers equal flax's in value, gradient and second derivative, and stay fast in loops."""

import re
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxdl import InputError
from jaxdl.models import Conv, QNetwork, conv, max_pool
from jaxdl.models.layers import resolve

CONVOLUTIONS = [  # height and width, kernel, strides, padding
    ((8, 8), (3, 3), 1, "SAME"),
    ((9, 7), (3, 3), 1, "VALID"),
    ((8, 8), (3, 3), 2, "SAME"),
    ((8, 9), (3, 3), 2, "VALID"),  # the last column is used by no window
    ((7, 11), (2, 5), (3, 2), "SAME"),
    ((6, 5), (4, 4), 2, 1),
    ((5, 6), (3, 2), (1, 2), ((0, 3), (2, 1))),
    ((5, 5), (1, 1), 2, 1),  # a border wider than the kernel
    ((4, 3), (4, 3), 1, "VALID"),  # one window
]
POOLS = [  # height and width, window
    ((8, 8), (2, 2)),
    ((7, 9), (2, 2)),
    ((8, 7), (3, 2)),
    ((5, 4), (1, 4)),
    ((4, 5), (4, 5)),
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
    [*((case, "float64") for case in CONVOLUTIONS), *((case, "float32") for case in CONVOLUTIONS[2:5])],
    ids=str,
)
def test_conv_equals_flax_in_value_and_gradient(case, dtype):
    size, kernel_size, strides, padding = case
    ours = Conv(4, kernel_size, strides, padding, implementation="fast")
    flax = nn.Conv(4, kernel_size, strides, padding)
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


@pytest.mark.parametrize(
    ("kernel_size", "flax_size", "use_bias"), [(3, (3, 3), True), ((2, 5), (2, 5), False)]
)
def test_conv_starts_from_the_parameters_of_flax(kernel_size, flax_size, use_bias):
    class Net(nn.Module):
        layer: nn.Module

        @nn.compact
        def __call__(self, x):
            return self.layer(x)

    x, key = jnp.zeros((1, 6, 6, 3)), jax.random.key(3)
    models = Net(Conv(5, kernel_size, use_bias=use_bias)), Net(nn.Conv(5, flax_size, use_bias=use_bias))
    ours, flax = jax.jit(lambda key: [model.init(key, x) for model in models])(key)
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours, flax))
    assert float(jnp.abs(ours["params"]["layer"]["kernel"]).max()) > 0


def test_conv_keeps_flax_names_of_layers():
    class Net(nn.Module):
        layer: type

        @nn.compact
        def __call__(self, x):
            return self.layer(4, (3, 3))(self.layer(4, (3, 3))(x))

    x = jnp.zeros((1, 6, 6, 3))
    ours, flax = jax.jit(lambda key: [Net(layer).init(key, x) for layer in (Conv, nn.Conv)])(
        jax.random.key(0)
    )
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours, flax))


@pytest.mark.parametrize("case", [CONVOLUTIONS[0], CONVOLUTIONS[3], CONVOLUTIONS[6]], ids=str)
def test_conv_in_bfloat16_is_near_float32(case):
    size, kernel_size, strides, padding = case
    x, kernel = random(0, (2, *size, 3), "bfloat16"), random(1, (*kernel_size, 3, 4), "bfloat16")

    @partial(jax.jit, static_argnums=2)
    def run(x, kernel, implementation):
        return value_and_vjp(lambda x, k: conv(x, k, strides, padding, implementation), x, kernel)

    half = run(x, kernel, "fast")
    full = run(x.astype("float32"), kernel.astype("float32"), "plain")
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype("bfloat16")}
    errors = jax.tree.map(lambda a, b: error(a.astype("float32"), b), half, full)
    assert max(jax.tree.leaves(errors)) < 0.02, errors


def test_conv_promotes_types_as_flax_does():
    variables = Conv(2, 3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))
    image = jnp.ones((1, 4, 4, 1), "bfloat16")
    assert Conv(2, 3).apply(variables, image).dtype == jnp.float32
    half = jax.tree.map(lambda w: w.astype("bfloat16"), variables)
    assert Conv(2, 3).apply(half, image).dtype == jnp.bfloat16


def test_three_steps_in_a_scan_equal_three_steps_in_a_loop_bit_for_bit():
    x = random(0, (3, 4, 12, 12, 2))
    kernels = (random(1, (3, 3, 2, 8)) / 4, random(2, (3, 3, 8, 8)) / 8)

    def step(kernels, x):
        def loss(kernels):
            y = x
            for kernel in kernels:
                y = nn.relu(conv(y, kernel, implementation="fast"))
                y = max_pool(y, implementation="fast")
            return jnp.square(y - 1).mean()

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


def test_conv_and_pool_under_vmap_over_kernels_equal_one_at_a_time():
    x, kernels = random(0, (2, 7, 7, 3)), random(1, (3, 3, 3, 3, 4))

    def loss(kernel):
        y = conv(x, kernel, 2, 1, implementation="fast")
        return jnp.sin(max_pool(y, implementation="fast")).sum()

    together = jax.jit(jax.vmap(jax.value_and_grad(loss)))(kernels)
    one = jax.jit(jax.value_and_grad(loss))
    apart = jax.tree.map(lambda *parts: jnp.stack(parts), *map(one, kernels))
    assert max(map(error, together, apart)) <= 1e-5


def gradient_penalty(kernel, x, implementation):
    """The squared norm of the gradient with respect to the images, as a critic is held by."""

    def critic(x):
        y = conv(x, kernel, 2, ((0, 1), (2, 0)), implementation)
        return jnp.square(max_pool(nn.relu(y), 2, implementation=implementation)).sum()

    return jnp.square(jax.grad(critic)(x)).sum()


def test_second_derivatives_equal_the_plain_ones():
    with jax.enable_x64(True):
        # Relu makes ties: windows of zeros.
        x, kernel = random(0, (2, 9, 8, 2), "float64"), random(1, (3, 3, 2, 3), "float64")
        second = jax.jit(jax.grad(gradient_penalty, argnums=(0, 1)), static_argnums=2)
        fast, plain = second(kernel, x, "fast"), second(kernel, x, "plain")
        assert max(map(error, fast, plain)) <= 1e-12


def test_second_derivative_of_a_tie_goes_to_the_first_pixel():
    def second(x, implementation):
        first = jax.grad(lambda x: (max_pool(x, implementation=implementation) ** 3).sum())
        return jax.grad(lambda x: (first(x) ** 2).sum())(x)

    x = jnp.ones((1, 2, 2, 1))
    # (3 y^2)^2 has the slope 36 y^3.
    np.testing.assert_array_equal(second(x, "fast").ravel(), [36, 0, 0, 0])
    np.testing.assert_array_equal(second(x, "plain"), second(x, "fast"))


def convolution_forms(f, *args):
    """The layouts of all convolutions in the program of f."""
    specs = r"ConvDimensionNumbers\(lhs_spec=(\S+ \S+ \S+ \S+), rhs_spec=(\S+ \S+ \S+ \S+), out_spec="
    return [match.groups() for match in re.finditer(specs, str(jax.make_jaxpr(f)(*args)))]


def test_all_convolutions_of_two_derivatives_have_the_form_that_is_fast_in_loops():
    x, kernel = random(0, (2, 9, 8, 2)), random(1, (3, 3, 2, 3))
    forms = {
        implementation: convolution_forms(
            jax.grad(partial(gradient_penalty, implementation=implementation), (0, 1)), kernel, x
        )
        for implementation in ("fast", "plain")
    }
    assert len(forms["fast"]) >= 4
    assert set(forms["fast"]) == {("(0, 3, 1, 2)", "(3, 2, 0, 1)")}
    assert len(set(forms["plain"])) > 1  # so the test above can fail


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("size", "window"), POOLS, ids=str)
def test_max_pool_equals_flax_in_value_and_gradient_with_ties(size, window, dtype):
    with jax.enable_x64(dtype == "float64"):
        x = jnp.round(random(0, (3, *size, 4), dtype))  # few values, so many ties

        @jax.jit
        def both(x):
            fast = value_and_vjp(partial(max_pool, window=window, implementation="fast"), x)
            return fast, value_and_vjp(lambda x: nn.max_pool(x, window, window), x)

        fast, plain = both(x)
        assert jax.tree.all(jax.tree.map(jnp.array_equal, fast, plain))
        assert fast[1][0].dtype == dtype
        assert len(jnp.unique(x)) < 10


@pytest.mark.parametrize(
    ("window", "strides", "padding"),
    [
        ((3, 3), 2, "SAME"),
        (2, 1, "VALID"),
        ((2, 3), (2, 3), 1),
        (2, None, "SAME"),
        (2, None, ((0, 1), (1, 0))),
    ],
)
def test_max_pool_with_overlap_or_border_equals_flax(window, strides, padding):
    x = jnp.round(random(0, (2, 7, 8, 3)))
    sides = (window, window) if isinstance(window, int) else window
    steps = sides if strides is None else (strides, strides) if isinstance(strides, int) else strides
    border = ((padding, padding),) * 2 if isinstance(padding, int) else padding
    ours = value_and_vjp(lambda x: max_pool(x, window, strides, padding), x)
    flax = value_and_vjp(lambda x: nn.max_pool(x, sides, steps, border), x)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, ours, flax))


def test_gradient_of_a_tie_goes_to_the_first_pixel_of_each_window():
    gradient = jax.grad(lambda x: max_pool(x, implementation="fast").sum())(jnp.ones((1, 5, 4, 1)))
    expected = np.zeros((5, 4))  # the fifth row is left over
    expected[0:4:2, 0:4:2] = 1
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)


def test_max_pool_shows_nan_and_takes_minus_infinity():
    x = jnp.zeros((1, 2, 4, 1)).at[0, 0, 0, 0].set(jnp.nan).at[0, :, 2:, 0].set(-jnp.inf)
    y = max_pool(x, implementation="fast").ravel()
    assert jnp.isnan(y[0])
    assert y[1] == -jnp.inf


def test_auto_is_fast_on_the_cpu_only(monkeypatch):
    def program():
        def run(x):
            return max_pool(conv(x, jnp.ones((3, 3, 1, 1))))

        return str(jax.make_jaxpr(run)(jnp.ones((1, 4, 4, 1))))

    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    assert resolve() == "fast"
    assert program().count("custom_vjp_call") == 2
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert resolve("auto") == "plain"
    assert "custom_vjp_call" not in program()
    assert resolve("fast") == "fast"
    assert resolve("auto", accelerator="fast") == "fast"


def test_the_environment_decides_for_a_model_that_has_no_field_for_it(monkeypatch):
    net, image = QNetwork(2, (4,), features=(2,)), jnp.ones((2, 4, 4, 1))
    variables = net.init(jax.random.key(0), image)
    call = partial(net.apply, variables)
    monkeypatch.setenv("JAXDL_LAYERS", "fast")
    assert (resolve(), resolve("plain")) == ("fast", "plain")
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(call, (image,), (image,))
    monkeypatch.setenv("JAXDL_LAYERS", "plain")
    assert (resolve(), resolve("fast")) == ("plain", "fast")
    jax.jvp(call, (image,), (image,))
    monkeypatch.setenv("JAXDL_LAYERS", "quick")
    with pytest.raises(InputError, match="JAXDL_LAYERS: got 'quick'"):
        resolve()


IMAGE, KERNEL = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: resolve("fsat"), "implementation: got 'fsat'.*did you mean 'fast'"),
        (lambda: conv(IMAGE, KERNEL, implementation="slow"), "implementation: got 'slow'"),
        (lambda: max_pool(IMAGE, implementation="slow"), "implementation: got 'slow'"),
        (lambda: conv(IMAGE, KERNEL, padding="same"), "padding: got 'same', expected one of SAME, VALID"),
        (lambda: conv(IMAGE, KERNEL, padding=-1), "padding: got -1, expected pixels >= 0"),
        (lambda: max_pool(IMAGE, (2, 2, 7)), r"size: got \(2, 2, 7\), expected an integer, or height"),
        (lambda: max_pool(IMAGE, 2.0), "size: got 2.0, expected an integer, or height"),
        (lambda: conv(IMAGE[0], KERNEL), "missing batch or channel axis"),
        (lambda: max_pool(IMAGE[..., 0]), "missing batch or channel axis"),
        (
            lambda: conv(IMAGE[:, :2], KERNEL, padding="VALID"),
            r"got \(2, 4\), expected at least the window \(3, 3\)",
        ),
        (lambda: max_pool(IMAGE[:, :, :1]), r"got \(4, 1\), expected at least the window \(2, 2\)"),
    ],
)
def test_bad_input_is_refused_with_a_remedy(call, message):
    with pytest.raises(InputError, match=message):
        call()


CURVE = [[0, 0, 0, 0, 0, 30, 0], [0, 0, 0, 0, 30, 0, 0], *[[0, 0, 0, 30, 0, 0, 0]] * 4, [0] * 7]
MATCHING = [
    [0, 0, 0, 0, 0, 0, 30],
    [0, 0, 0, 0, 50, 50, 50],
    [0, 0, 0, 20, 50, 0, 0],
    *[[0, 0, 0, 50, 50, 0, 0]] * 4,
]
ELSEWHERE = [
    [0, 0, 0, 0, 0, 0, 0],
    [0, 40, 0, 0, 0, 0, 0],
    [40, 0, 40, 0, 0, 0, 0],
    [40, 20, 0, 0, 0, 0, 0],
    [0, 50, 0, 0, 0, 0, 0],
    [0, 0, 50, 0, 0, 0, 0],
    [25, 25, 0, 50, 0, 0, 0],
]


@pytest.mark.parametrize("implementation", ["fast", "plain"])
@pytest.mark.parametrize(("field", "response"), [(MATCHING, 6600), (ELSEWHERE, 0)])
def test_response_of_the_curve_filter_of_the_slides(field, response, implementation):
    # 003:402-459; with the kernel flipped the answers would be 3600 and 2250.
    image = jnp.array(field, jnp.float32).reshape(1, 7, 7, 1)
    kernel = jnp.array(CURVE, jnp.float32).reshape(7, 7, 1, 1)
    assert float(conv(image, kernel, padding="VALID", implementation=implementation).squeeze()) == response


@pytest.mark.parametrize(("channels", "weights"), [(1, 26), (3, 76)])
def test_shapes_of_the_slides(channels, weights):
    # 003:531-533: 32x32 pixels through one 5x5 filter give 28x28, summed over the channels.
    layer = Conv(1, 5, padding="VALID")
    y, variables = layer.init_with_output(jax.random.key(0), jnp.ones((1, 32, 32, channels)))
    assert y.shape == (1, 28, 28, 1)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == weights
