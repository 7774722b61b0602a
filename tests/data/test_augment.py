import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage

from jaxdl.data import augment
from jaxdl.errors import InputError

KEY = jax.random.key(0)
IMAGE = jax.random.uniform(jax.random.key(1), (12, 9, 2))
SQUARE = jax.random.uniform(jax.random.key(2), (8, 8, 3))
ALL = {
    "flip": augment.flip,
    "rotate": functools.partial(augment.rotate, degrees=30),
    "scale": functools.partial(augment.scale, share=0.3),
    "crop": functools.partial(augment.crop, padding=3),
    "translate": functools.partial(augment.translate, pixels=3),
    "noise": functools.partial(augment.noise, sigma=0.2),
    "affine": functools.partial(augment.affine, degrees=30, scale=0.3, translate=3),
}


@pytest.mark.parametrize("name", ALL)
def test_shape_range_keys_jit_and_vmap(name):
    function = ALL[name]
    keys = jax.random.split(KEY, 16)
    one_by_one = np.stack([function(key, IMAGE) for key in keys])
    assert one_by_one.shape == (16, *IMAGE.shape)
    assert one_by_one.dtype == np.float32
    assert one_by_one.min() >= 0
    assert one_by_one.max() <= 1 + 1e-6
    batch = jnp.broadcast_to(IMAGE, (16, *IMAGE.shape))
    np.testing.assert_allclose(jax.jit(jax.vmap(function))(keys, batch), one_by_one, atol=1e-5)
    np.testing.assert_array_equal(function(keys[0], IMAGE), one_by_one[0])
    different = {image.tobytes() for image in one_by_one}
    assert len(different) == 2 if name == "flip" else len(different) >= 10


@pytest.mark.parametrize(
    "function",
    [
        functools.partial(augment.rotate, degrees=0),
        functools.partial(augment.scale, share=0),
        functools.partial(augment.crop, padding=0),
        functools.partial(augment.translate, pixels=0),
        functools.partial(augment.noise, sigma=0),
        augment.affine,
        lambda key, image: augment.warp(image),
        augment.compose(),
    ],
)
def test_nothing_to_do_changes_no_bit(function):
    np.testing.assert_array_equal(function(KEY, IMAGE), IMAGE)
    np.testing.assert_array_equal(jax.jit(function)(KEY, IMAGE), IMAGE)


def test_flip_mirrors_half_of_the_images_and_twice_is_once_less():
    keys = jax.random.split(KEY, 400)
    flipped = jax.vmap(augment.flip, in_axes=(0, None))(keys, IMAGE)
    mirrored = np.array([np.array_equal(image, IMAGE[:, ::-1]) for image in flipped])
    unchanged = np.array([np.array_equal(image, IMAGE) for image in flipped])
    assert (mirrored ^ unchanged).all()
    assert 160 < mirrored.sum() < 240
    np.testing.assert_array_equal(
        jax.vmap(augment.flip)(keys, flipped), jnp.broadcast_to(IMAGE, flipped.shape)
    )


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_those_of_numpy(quarters):
    turned = augment.warp(SQUARE, angle=quarters * np.pi / 2)
    np.testing.assert_allclose(turned, np.rot90(SQUARE, quarters), atol=1e-5)


@pytest.mark.parametrize("shift", [(2, 0), (0, 3), (-1, 2), (20, 0)])
def test_whole_shifts_move_pixels_and_bring_in_zeros(shift):
    expected = scipy.ndimage.shift(np.asarray(IMAGE), (*shift, 0), order=0)
    np.testing.assert_allclose(augment.warp(IMAGE, shift=shift), expected, atol=1e-6)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_warp_is_the_bilinear_one_of_scipy(angle, factor):
    shift = np.array([1.3, -0.6])
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    centre = (np.array(IMAGE.shape[:2]) - 1) / 2
    offset = centre - matrix @ (centre + shift)
    expected = np.stack(
        [
            scipy.ndimage.affine_transform(np.asarray(plane), matrix, offset, order=1, mode="grid-constant")
            for plane in np.moveaxis(np.asarray(IMAGE), -1, 0)
        ],
        axis=-1,
    )
    np.testing.assert_allclose(augment.warp(IMAGE, angle, factor, jnp.asarray(shift)), expected, atol=1e-5)


def test_a_larger_factor_enlarges():
    spot = jnp.zeros((9, 9, 1)).at[3:6, 3:6].set(1)
    assert augment.warp(spot, factor=2.0).sum() > 3 * spot.sum()
    assert augment.warp(spot, factor=0.5).sum() < spot.sum() / 3


def test_draws_fill_their_ranges():
    spot = jnp.zeros((21, 21, 1)).at[10, 10].set(1)
    keys = jax.random.split(KEY, 500)
    translate = functools.partial(augment.translate, pixels=4)
    moved = np.asarray(jax.vmap(translate, in_axes=(0, None))(keys, spot))[..., 0]
    places = np.arange(21) - 10.0
    down = moved.sum(2) @ places
    right = moved.sum(1) @ places
    for shift in (down, right):
        assert 3.9 < np.abs(shift).max() <= 4 + 1e-4
        assert abs(shift.mean()) < 4.5 * 4 / np.sqrt(3 * 500)
    assert abs(np.corrcoef(down, right)[0, 1]) < 4.5 / np.sqrt(500)


def test_crop_cuts_every_window_of_the_padded_image():
    padded = np.pad(IMAGE, ((1, 1), (1, 1), (0, 0)))
    height, width, _ = IMAGE.shape
    windows = {padded[i : i + height, j : j + width].tobytes() for i in range(3) for j in range(3)}
    cut = jax.vmap(functools.partial(augment.crop, padding=1), in_axes=(0, None))(
        jax.random.split(KEY, 200), IMAGE
    )
    assert {np.asarray(image).tobytes() for image in cut} == windows


def test_noise_has_the_deviation_asked_for_and_stays_in_range():
    grey = jnp.full((64, 64, 1), 0.5)
    added = augment.noise(KEY, grey, 0.05) - grey
    assert abs(float(added.mean())) < 4.5 * 0.05 / 64
    assert abs(float(added.std()) / 0.05 - 1) < 4.5 / (64 * np.sqrt(2))
    loud = augment.noise(KEY, grey, 5.0)
    assert float(loud.min()) == 0.0
    assert float(loud.max()) == 1.0


def test_compose_goes_left_to_right_with_a_key_each():
    def add(key, image):
        return image + jax.random.uniform(key)

    def double(key, image):
        return 2 * image

    zero = jnp.zeros((1, 1, 1))
    added, then_doubled = augment.compose(add)(KEY, zero), augment.compose(add, double)(KEY, zero)
    np.testing.assert_allclose(then_doubled, 2 * added)
    twice = augment.compose(add, add)(KEY, zero)
    assert not np.allclose(twice, then_doubled)


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("degrees", lambda: augment.rotate(KEY, IMAGE, 181)),
        ("degrees", lambda: augment.affine(KEY, IMAGE, degrees=-1)),
        ("degrees", lambda: augment.affine(KEY, IMAGE, degrees=float("nan"))),
        ("scale", lambda: augment.scale(KEY, IMAGE, 1.0)),
        ("translate", lambda: augment.translate(KEY, IMAGE, -1)),
        ("padding", lambda: augment.crop(KEY, IMAGE, -1)),
        ("sigma", lambda: augment.noise(KEY, IMAGE, -0.1)),
        ("image", lambda: augment.flip(KEY, IMAGE[None])),
        ("image", lambda: augment.flip(KEY, (255 * IMAGE).astype(jnp.uint8))),
        ("image", lambda: augment.affine(KEY, IMAGE[..., 0])),
    ],
)
def test_refuses_what_is_out_of_range(field, call):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.field == field


def test_ranges_may_be_traced():
    sigmas = jnp.array([0.0, 0.1])
    noisy = jax.vmap(lambda sigma: augment.noise(KEY, IMAGE, sigma))(sigmas)
    np.testing.assert_array_equal(noisy[0], IMAGE)


def test_half_precision_loses_no_pixel():
    """bfloat16 counts to 256: places are found in float32, whatever the image is of."""
    image = jax.random.uniform(KEY, (300, 8, 1)).astype(jnp.bfloat16)
    same = augment.affine(KEY, image)
    assert same.dtype == jnp.bfloat16
    np.testing.assert_array_equal(same, image)
    moved = augment.warp(image, angle=0.3)
    expected = augment.warp(image.astype(jnp.float32), angle=0.3)
    np.testing.assert_allclose(moved.astype(jnp.float32), expected, atol=2**-8)
