"""A model in bfloat16: what lasts stays float32, and it learns nearly the same."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import models
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
    losses = {}
    for precision in ("float32", "bf16"):
        learner = make(lambda model, precision=precision: models.in_precision(model, precision))
        state = jax.jit(learner.init)(jax.random.key(0), batch)
        begun, step = state, jax.jit(learner.step)
        for _ in range(3):
            state, measured = step(state, batch)
        assert {x.dtype for x in floats(state)} == {jnp.dtype("float32")}
        assert measured["loss"].dtype == jnp.float32
        assert all((a != b).any() for a, b in zip(floats(begun), floats(state), strict=True) if a.ndim > 1)
        losses[precision] = float(measured["loss"])
    assert losses["bf16"] != losses["float32"]  # it was computed in another precision
    assert losses["bf16"] == pytest.approx(losses["float32"], rel=0.03)


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
