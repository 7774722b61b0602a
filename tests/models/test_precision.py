"""A model in bfloat16: what lasts stays float32, and it learns nearly the same."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import losses, models
from jaxdl.errors import InputError
from jaxdl.learners import gan, sequence, supervised, vae

IMAGES = np.random.default_rng(0).uniform(size=(16, 8, 8, 1)).astype(np.float32)
LABELS = np.arange(16, dtype=np.int32) % 4
TOKENS = np.random.default_rng(1).integers(0, 5, (16, 6)).astype(np.int32)


def adversaries(wrap):
    networks = models.Generator((8, 4), start=2, channels=1), models.Discriminator((4, 8), start=2)
    return gan.learner(*map(wrap, networks), optax.sgd(1e-2), optax.sgd(1e-2), latents=5)


def classifier(model):
    return lambda wrap: supervised.learner(wrap(model), optax.adam(1e-2))


READER, PAINTER = models.RecurrentNet(8, 5, vocabulary=5, embedding=4), models.VAE((8, 8, 1), 3, (16,))
DIGITS = {"input": IMAGES, "target": LABELS}
FAMILIES = {
    "mlp": (classifier(models.MLP((16,), 4)), DIGITS),
    "cnn": (classifier(models.CNN((4,), 8, 4, batch_norm=True)), DIGITS),
    "lstm": (
        lambda wrap: sequence.learner(wrap(READER), optax.adam(1e-2)),
        {"input": TOKENS, "target": TOKENS},
    ),
    "vae": (lambda wrap: vae.learner(wrap(PAINTER), optax.adam(1e-3)), {"input": IMAGES}),
    "gan": (adversaries, {"input": IMAGES * 2 - 1}),
}


def floats(state):
    return [x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]


@pytest.mark.parametrize("name", FAMILIES)
def test_what_lasts_is_float32_and_the_loss_nearly_the_same(name):
    make, batch = FAMILIES[name]
    last = {}
    for precision in ("float32", "bf16"):
        learner = make(lambda model, precision=precision: models.in_precision(model, precision))
        state = jax.jit(learner.init)(jax.random.key(0), batch)
        begun, step = state, jax.jit(learner.step)
        for _ in range(3):
            state, measured = step(state, batch)
        assert {x.dtype for x in floats(state)} == {jnp.dtype("float32")}
        assert measured["loss"].dtype == jnp.float32
        assert all((a != b).any() for a, b in zip(floats(begun), floats(state), strict=True) if a.ndim > 1)
        last[precision] = float(measured["loss"])
    assert last["bf16"] != last["float32"]  # it was computed in another precision
    assert last["bf16"] == pytest.approx(last["float32"], rel=0.03)


def test_matrix_products_are_of_bfloat16():
    half = models.HalfPrecision(models.MLP((16,), 4))
    variables = half.init(jax.random.key(0), IMAGES)
    grad = jax.grad(lambda params: half.apply({"params": params}, IMAGES).sum())
    products = [
        line for line in str(jax.make_jaxpr(grad)(variables["params"])).splitlines() if "dot_general" in line
    ]
    assert products
    assert all("bf16[" in line.split("=")[0] for line in products)


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match=r"precision: got 'bf61'.*did you mean 'bf16'"):
        models.in_precision(models.MLP(), "bf61")  # type: ignore[arg-type]


def test_the_loop_over_tokens_is_of_bfloat16():
    model = models.in_precision(READER, "bf16")
    variables = model.init(jax.random.key(0), TOKENS)
    program = str(jax.make_jaxpr(model.apply)(variables, TOKENS))
    products = [line for line in program.splitlines() if "dot_general[" in line]
    assert len(products) >= 3
    assert all("bf16[" in line for line in products)


NUMBERS = np.ones((16, 6, 1), np.float32)
REGRESSION = (
    lambda wrap: sequence.learner(wrap(models.RecurrentNet(4, 1)), optax.sgd(0.1), loss=losses.squared_error),
    {"input": NUMBERS, "target": NUMBERS},
)
WIDE = {**DIGITS, "input": np.random.default_rng(0).uniform(size=(16, 8))}


@pytest.mark.parametrize(
    ("make", "batch"),
    [*FAMILIES.values(), REGRESSION, (classifier(models.MLP((8,), 4, batch_norm=True)), WIDE)],
    ids=[*FAMILIES, "lstm of numbers", "float64 inputs"],
)
def test_parameters_and_statistics_stay_float32_where_jax_has_float64(make, batch):
    """As flax's own layers, so that a scan over steps finds the state that it began with."""
    with jax.enable_x64(True):
        learner = make(lambda model: model)
        state = learner.init(jax.random.key(0), batch)
        after, _ = jax.eval_shape(learner.step, state, batch)
        assert {x.dtype for x in floats(state)} == {x.dtype for x in floats(after)} == {jnp.dtype("float32")}


def test_noisy_layers_are_float32_where_jax_has_float64():
    with jax.enable_x64(True):
        variables = models.QNetwork(4, (8,), noisy=True).init(jax.random.key(0), jnp.asarray(IMAGES))
    assert {x.dtype for x in floats(variables)} == {jnp.dtype("float32")}
