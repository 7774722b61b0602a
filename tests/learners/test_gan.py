"""The GAN learner against steps written out by hand, on a line it can learn, and its monitor."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import InputError, losses, models
from jaxdl.data import order
from jaxdl.learner import NOISE, stream
from jaxdl.learners import gan
from jaxdl.run import gan_failures
from jaxdl.transforms import ema, many_steps, resident

RATE = 0.1
SGD = optax.sgd(RATE)


class Shift(nn.Module):
    """Noise plus a vector that is learned: the simplest generator."""

    @nn.compact
    def __call__(self, noise, train=False):
        return noise + self.param("shift", nn.initializers.zeros, (1, noise.shape[-1]))


class Line(nn.Module):
    """A linear critic: w x + b."""

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(1, kernel_init=nn.initializers.constant(0.5), name="dense")(x)[:, 0]


class Curve(nn.Module):
    """A critic with a hidden layer."""

    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(1)(nn.tanh(nn.Dense(16)(x)))[:, 0]


def numbers(rows=12, width=1):
    return {"input": 3 + jax.random.normal(jax.random.key(5), (rows, width))}


@pytest.mark.parametrize("loss", losses.ADVERSARIAL)
def test_a_generator_finds_the_place_of_the_data(loss):
    adams = optax.adam(0.05, b1=0.5), optax.adam(0.02, b1=0.5)
    # In more than one dimension: on a line, the penalty keeps a critic's slope from changing sign.
    learner = gan.learner(Shift(), Curve(), *adams, loss=loss, latents=4, discriminator_steps=3)
    learner = many_steps(resident(learner, 96, order.rows), 400)
    data = numbers(512, 4)
    state, measured = jax.jit(learner.step)(learner.init(jax.random.key(0), data), data)
    np.testing.assert_allclose(state.generator.params["shift"], 3 * np.ones((1, 4)), atol=0.5)
    assert int(state.step) == 400
    assert 0.35 < measured["discriminator_accuracy"][-50:].mean() < 0.65


@pytest.mark.parametrize("loss", losses.ADVERSARIAL)
def test_a_step_is_the_one_written_by_hand(loss):
    """k = 3 updates of a linear critic, on every third row each, then one of the generator."""
    k, game, batch = 3, losses.ADVERSARIAL[loss], numbers()
    learner = gan.learner(Shift(), Line(), SGD, SGD, loss=loss, latents=1, discriminator_steps=k)
    state = learner.init(jax.random.key(0), batch)
    after, measured = jax.jit(learner.step)(state, batch)

    def noise(i):
        key = jax.random.split(jax.random.fold_in(stream(state.key, NOISE, 0), i))[0]
        return np.asarray(jax.random.normal(key, (4, 1)), np.float64)[:, 0]

    def slope(formula, logits):
        return np.asarray(jax.vmap(jax.grad(formula))(jnp.asarray(logits, jnp.float32)), np.float64)

    w, b, x = 0.5, 0.0, np.asarray(batch["input"], np.float64)[:, 0]
    values, won = [], []
    for i in range(k):
        real, fake = x[i::k], noise(i)
        r, f = slope(game.real, w * real + b), slope(game.fake, w * fake + b)
        values.append(
            float(jax.vmap(game.real)(w * real + b).mean() + jax.vmap(game.fake)(w * fake + b).mean())
        )
        values[-1] += game.gradient_penalty * (abs(w) - 1) ** 2
        won.append(np.mean(w * real > w * fake))
        penalty = game.gradient_penalty * 2 * (abs(w) - 1) * np.sign(w)
        w, b = w - RATE * ((r * real).mean() + (f * fake).mean() + penalty), b - RATE * (r.mean() + f.mean())
    moved = -RATE * (slope(game.generator, w * noise(k) + b) * w).mean()

    params = after.discriminator.params["dense"]
    np.testing.assert_allclose([params["kernel"].item(), params["bias"].item()], [w, b], rtol=2e-4, atol=1e-6)
    np.testing.assert_allclose(after.generator.params["shift"].item(), moved, rtol=2e-4)
    np.testing.assert_allclose(measured["loss"], np.mean(values), rtol=1e-4)
    np.testing.assert_allclose(measured["discriminator_accuracy"], np.mean(won), rtol=1e-6)
    assert int(after.step) == 1


def images(rows=8):
    return {"input": jax.random.uniform(jax.random.key(3), (rows, 8, 8, 1))}


def digits_gan(**options):
    networks = models.Generator((8, 4), start=2, channels=1), models.Discriminator((4, 8), start=2)
    return gan.learner(*networks, SGD, SGD, **{"latents": 5, **options}), networks


def test_the_generators_loss_leaves_no_trace_in_the_discriminators_statistics():
    learner, (generator, discriminator) = digits_gan()
    batch = images()
    state = learner.init(jax.random.key(0), batch)
    after, _ = jax.jit(learner.step)(state, batch)
    key = jax.random.split(jax.random.fold_in(stream(state.key, NOISE, 0), 0))[0]
    noise = jax.random.normal(key, (8, 5))
    fake, _ = generator.apply(
        {"params": state.generator.params, **state.generator.stats},
        noise,
        train=True,
        mutable=["batch_stats"],
    )
    stats = state.discriminator.stats
    for x in (batch["input"], fake):
        variables = {"params": state.discriminator.params, **stats}
        _, stats = discriminator.apply(variables, x, train=True, mutable=["batch_stats"])
    errors = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), dict(stats), after.discriminator.stats)
    assert max(jax.tree.leaves(errors)) < 1e-6
    moved = jax.tree.map(
        lambda a, b: float(jnp.abs(a - b).max()), state.generator.stats, after.generator.stats
    )
    assert min(jax.tree.leaves(moved)) > 0


def test_the_losses_at_a_draw_and_far_from_it():
    at_zero = {
        name: [float(f(jnp.float32(0))) for f in game[:3]] for name, game in losses.ADVERSARIAL.items()
    }
    log2 = float(np.log(2))
    expected = {
        "non_saturating": [log2, log2, log2],
        "minimax": [log2, log2, -log2],
        "least_squares": [1, 0, 1],
        "wasserstein": [0, 0, 0],
    }
    assert at_zero == {name: pytest.approx(values) for name, values in expected.items()}
    slope = {name: float(jax.grad(game.generator)(-8.0)) for name, game in losses.ADVERSARIAL.items()}
    # What the non-saturating loss is for: a generator that loses still has a gradient.
    assert abs(slope["minimax"]) < 1e-3 < 0.99 < abs(slope["non_saturating"])


def test_the_gradient_penalty_has_a_gradient_at_zero():
    assert float(losses.gradient_penalty(jnp.zeros(3))) == 1
    assert jnp.array_equal(jax.grad(losses.gradient_penalty)(jnp.zeros(3)), jnp.zeros(3))


def test_samples_depend_on_their_own_noise_and_average_comes_in():
    learner, (generator, _) = digits_gan()
    batch = images()
    averaged = ema(learner, 0.9, "generator")
    state, _ = jax.jit(averaged.step)(averaged.init(jax.random.key(0), batch), batch)
    noise = jax.random.normal(jax.random.key(1), (6, 5))
    draw = gan.sample(generator)
    drawn = draw(state.state, noise)
    assert drawn.shape == (6, 8, 8, 1)
    assert 0 <= drawn.min() < drawn.max() <= 1
    np.testing.assert_allclose(draw(state.state, noise[:2]), drawn[:2], atol=1e-6)
    assert not jnp.array_equal(draw(state.averaged(), noise), drawn)


def test_inspect_shows_both_networks():
    learner, _ = digits_gan(discriminator_steps=2)
    batch = images()
    looked = jax.jit(learner.inspect)(learner.init(jax.random.key(0), batch), batch)
    assert float(looked["generator_gradient_norm"]) > 0
    assert float(looked["discriminator_gradient_norm/conv1/kernel"]) > 0
    assert looked["loss"] == looked["discriminator_loss"]


def test_bytes_are_the_same_images_as_floats():
    learner, _ = digits_gan()
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), np.uint8)
    state = learner.init(jax.random.key(0), {"input": jnp.asarray(pixels)})
    step = jax.jit(learner.step)
    one, other = (
        step(state, {"input": jnp.asarray(x)})[1] for x in (pixels, pixels.astype(np.float32) / 255)
    )
    assert one == other


REFUSED = {
    "loss": (lambda: digits_gan(loss="wassertein"), "loss: got 'wassertein'.*did you mean 'wasserstein'"),
    "latents": (lambda: digits_gan(latents=0), "latents: got 0"),
    "steps": (lambda: digits_gan(discriminator_steps=0), "discriminator_steps: got 0"),
    "rows": (
        lambda: jax.eval_shape(
            lambda: (lambda gan, batch: gan.step(gan.init(jax.random.key(0), batch), batch))(
                digits_gan(discriminator_steps=3)[0], images()
            )
        ),
        "batch: got 8, expected a multiple of 3 rows",
    ),
    "penalty": (
        lambda: digits_gan(loss="wasserstein")[0].init(jax.random.key(0), images()),
        "none with a gradient penalty; set batch_norm=False",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused(case):
    call, message = REFUSED[case]
    with pytest.raises(InputError, match=message):
        call()


EVEN = np.full((8, 10), 0.1)
ONE = np.eye(10)


def measured(shares=EVEN, accuracy=0.75):
    return {
        "shares": shares.copy(),
        "accuracy": np.full(len(shares), accuracy),
        "gradient_norm": np.ones(len(shares)),
    }


def test_the_monitor_names_each_failure_alone():
    missing = np.tile(np.array([0.005, *[0.995 / 9] * 9]), (8, 1))
    turning = EVEN + 0.09 * np.sign(np.sin(np.arange(8)[:, None] * np.pi + 0.5 + (np.arange(10) % 2) * np.pi))
    assert gan_failures.diagnose(measured()) == {}
    collapsed = gan_failures.diagnose(measured(missing))
    assert list(collapsed) == [gan_failures.MODE_COLLAPSE]
    assert "9 of 10 classes" in collapsed["mode collapse"]
    assert list(gan_failures.diagnose(measured(accuracy=0.999))) == [gan_failures.DIMINISHED_GRADIENT]
    np.testing.assert_allclose(turning.sum(1), 1)
    assert list(gan_failures.diagnose(measured(turning))) == [gan_failures.OSCILLATION]


def test_the_monitor_judges_the_end_only():
    early = measured()
    early["accuracy"][:6], early["shares"][:4] = 1.0, ONE[0]
    assert gan_failures.diagnose(early) == {}
    late = measured(ONE[[0, 1, 2, 3, 4, 5, 6, 7]], 1.0)
    assert len(gan_failures.diagnose(late)) == 3


FEW = np.tile(np.array([*[0.25] * 4, *[0.0] * 6]), (6, 1))
MORE = np.array([[*[1 / k] * k, *[0] * (10 - k)] for k in (2, 3, 4, 6, 7, 8)])


def test_the_young_are_judged_by_what_the_opponent_makes_of_them():
    def early(shares, accuracy):
        return list(gan_failures.diagnose_early(measured(shares, accuracy)))

    assert early(FEW, 0.1) == [gan_failures.MODE_COLLAPSE]
    assert early(FEW, 0.7) == early(EVEN, 0.1) == early(MORE, 0.1) == [], "few classes alone are no collapse"
    assert early(FEW, 0.99) == [gan_failures.DIMINISHED_GRADIENT]
    assert early(MORE, 0.99) == early(EVEN, 0.99) == [], "a generator that gains classes has a gradient"
    rows = [
        {"accuracy": [0.5, a], "gradient_norm": [1, 2], "share/0": [1, 0.3], "share/1": [0, 0.7]}
        for a in (1, 0)
    ]
    taken = gan_failures.series(rows, 1)
    np.testing.assert_array_equal(taken["accuracy"], [1, 0])
    np.testing.assert_array_equal(taken["shares"], [[0.3, 0.7]] * 2)


def test_shares_and_entropy():
    shares = gan_failures.class_shares(np.array([0, 1, 1, 3]), 4)
    np.testing.assert_array_equal(shares, [0.25, 0.5, 0, 0.25])
    assert gan_failures.seen(shares) == 3
    assert gan_failures.entropy(shares) == pytest.approx(1.5 * np.log(2))
    assert gan_failures.entropy(EVEN[0]) == pytest.approx(np.log(10))
    assert gan_failures.entropy(ONE[0]) == 0
