"""The networks of DCGAN: sizes, parameters, initial values, and what batch norm may see."""

import jax
import jax.numpy as jnp
import pytest

from jaxdl import InputError
from jaxdl.models import Discriminator, Generator

SIZES = {64: ((512, 256, 128, 64), 4, 3), 28: ((16, 8), 7, 1), 8: ((16, 8), 2, 1)}  # side: layout


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_the_layout_of_the_paper_has_its_parameters():
    generator = jax.eval_shape(Generator().init, jax.random.key(0), jnp.zeros((1, 100)))
    discriminator = jax.eval_shape(Discriminator().init, jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    assert count(generator["params"]) == 3_576_704
    assert count(discriminator["params"]) == 2_765_568
    names = [*discriminator["params"]]
    assert sorted(names) == ["conv1", "conv2", "conv3", "conv4", "logit", "norm2", "norm3", "norm4"]
    assert all("bias" not in discriminator["params"][name] for name in names if "norm" not in name)


@pytest.mark.parametrize("side", SIZES)
def test_shapes_and_range(side):
    widths, start, channels = SIZES[side]
    generator, critic = Generator(widths, start, channels), Discriminator(widths[::-1], start)

    def run(key):
        images, _ = generator.init_with_output(key, 100 * jnp.ones((2, 6)))
        return images, critic.init_with_output(key, images)[0]

    if side == 64:
        images, logits = jax.eval_shape(run, jax.random.key(0))
    else:
        images, logits = jax.jit(run)(jax.random.key(0))
        assert 0 <= float(images.min()) < float(images.max()) <= 1
    assert images.shape == (2, side, side, channels)
    assert logits.shape == (2,)


def test_weights_start_as_in_the_paper():
    params = jax.jit(Generator((64, 32), 4, 1).init)(jax.random.key(0), jnp.zeros((1, 50)))["params"]
    assert float(params["up1"]["kernel"].std()) == pytest.approx(0.02, rel=0.05)
    assert abs(float(params["up1"]["kernel"].mean())) < 5e-4
    assert float(params["norm1"]["scale"].mean()) == pytest.approx(1, abs=0.02)
    assert 0.01 < float(params["norm1"]["scale"].std()) < 0.03
    assert not params["norm1"]["bias"].any()


def test_a_critic_without_batch_norm_judges_each_image_by_itself():
    images = jax.random.uniform(jax.random.key(1), (4, 8, 8, 1))
    for batch_norm in (False, True):
        critic = Discriminator((4, 8), start=2, batch_norm=batch_norm)
        variables = critic.init(jax.random.key(0), images)

        def together_and_alone(x, critic=critic, variables=variables):
            stats = [name for name in variables if name != "params"]
            return critic.apply(variables, x, train=True, mutable=stats)[0]

        error = jnp.abs(together_and_alone(images)[:2] - together_and_alone(images[:2])).max()
        assert (float(error) > 1e-4) == batch_norm
        assert ("bias" in variables["params"]["conv1"]) != batch_norm


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Generator().init(jax.random.key(0), jnp.zeros(100)), "noise: got .*batch, latents"),
        (lambda: Generator(()).init(jax.random.key(0), jnp.zeros((1, 5))), "widths"),
        (lambda: Discriminator().init(jax.random.key(0), jnp.zeros((1, 28, 28, 1))), "64 x 64 pixels"),
        (lambda: Discriminator().init(jax.random.key(0), jnp.zeros((64, 64, 3))), "batch or channel axis"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
