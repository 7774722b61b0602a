"""Checkpoints: what is damaged is found, named, and passed over."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import models
from jaxdl.errors import InputError
from jaxdl.learners import supervised
from jaxdl.run.checkpoint import DAMAGED, Checkpoints, flatten, unflatten

# A restore that fails leaves reads of tensorstore behind, which end after orbax closed its event loop.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

MODEL = models.MLP((8,), outputs=3)
LEARNER = supervised.learner(MODEL, optax.adam(1e-2))
BATCH = {"input": jnp.ones((4, 6)), "target": jnp.arange(4) % 3}
STATE = LEARNER.init(jax.random.key(5), BATCH)


@pytest.fixture
def folder(tmp_path):
    """Three checkpoints, of steps 1, 2 and 3, whose step is also in the state."""
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, STATE.replace(step=jnp.int32(step)), {"note": step})
    return tmp_path / "checkpoints"


def newest(folder):
    messages = []
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore(messages.append)
    assert restored.arrays["step"] == restored.step == restored.host["note"]
    return restored, messages


def test_round_trip_keeps_every_bit_type_and_key(folder):
    restored, messages = newest(folder)
    state = unflatten(STATE, restored.arrays)
    assert messages == []
    assert (jax.random.key_data(state.key) == jax.random.key_data(STATE.key)).all()
    assert jax.tree.structure(state) == jax.tree.structure(STATE)
    for a, b in zip(flatten(STATE.net).values(), flatten(state.net).values(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_empty_arrays_and_other_dtypes(tmp_path):
    state = {"empty": jnp.zeros((0, 3)), "half": jnp.ones(3, jnp.bfloat16), "flag": jnp.array([True, False])}
    with Checkpoints(tmp_path / "c") as checkpoints:
        checkpoints.save(1, state, {})
    with Checkpoints(tmp_path / "c") as checkpoints:
        restored = unflatten(state, checkpoints.restore().arrays)
    assert {k: (x.shape, x.dtype) for k, x in restored.items()} == {
        k: (x.shape, x.dtype) for k, x in state.items()
    }


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGES = {
    "flipped bit": flip,
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_gives_way_to_the_one_before(folder, damage):
    largest = max((p for p in (folder / "3").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    DAMAGES[damage](largest)
    restored, messages = newest(folder)
    assert restored.step == 2
    assert len(messages) == 1
    assert str(folder / "3") in messages[0]
    assert "damaged and was passed over" in messages[0]
    assert (folder.parent / DAMAGED / "3").is_dir()


def test_every_flipped_bit_of_the_arrays_is_found(folder):
    """Orbax alone restores such bits without an error."""
    rng = np.random.default_rng(0)
    files = [p for p in (folder / "3").rglob("*") if p.is_file() and p.stat().st_size > 200]
    kept = {path: path.read_bytes() for path in files}
    for _ in range(25):
        path = files[rng.integers(len(files))]
        data = bytearray(kept[path])
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        restored, _ = newest(folder)
        expected = flatten(STATE.replace(step=jnp.int32(restored.step)))
        assert all(expected[name].tobytes() == array.tobytes() for name, array in restored.arrays.items())
        aside = folder.parent / DAMAGED / "3"
        if aside.exists():
            aside.rename(folder / "3")
        path.write_bytes(kept[path])


def test_an_empty_folder_named_like_a_step_is_no_checkpoint(folder):
    (folder / "7").mkdir()
    restored, messages = newest(folder)
    assert restored.step == 3
    assert "7" in messages[0]


def test_leftovers_of_a_killed_save_are_cleaned(folder):
    (folder / "4.orbax-checkpoint-tmp").mkdir()
    assert newest(folder)[0].step == 3
    assert not (folder / "4.orbax-checkpoint-tmp").exists()


def test_where_none_is_intact_all_stay_and_the_next_resume_is_refused_too(folder):
    damaged = [path for path in folder.rglob("*") if path.is_file()]
    for path in damaged:
        path.write_bytes(b"no")
    for _ in range(2):
        with Checkpoints(folder) as checkpoints, pytest.raises(InputError, match="intact checkpoint"):
            checkpoints.restore()
        assert {"1", "2", "3"} <= {path.name for path in folder.iterdir()}
        assert not (folder.parent / DAMAGED).exists()


def test_who_only_reads_leaves_everything_as_it_is(folder):
    """A save that is being written, and a checkpoint that is damaged."""
    (folder / "4.orbax-checkpoint-tmp").mkdir()
    (folder / "3" / "host" / "metadata").write_text("{")
    before = sorted(folder.rglob("*"))
    messages = []
    with Checkpoints(folder, read_only=True) as checkpoints:
        assert checkpoints.restore(messages.append).step == 2
    assert "3 is damaged" in messages[0]
    assert sorted(folder.rglob("*")) == before
    assert not (folder.parent / DAMAGED).exists()
    with pytest.raises(InputError, match="has the run saved"):
        Checkpoints(folder / "none", read_only=True)
    assert not (folder / "none").exists()


def test_nothing_intact_is_an_error(tmp_path):
    with Checkpoints(tmp_path / "none") as checkpoints, pytest.raises(InputError, match="resume: got"):
        checkpoints.restore()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (lambda: supervised.learner(models.MLP((9,), outputs=3), optax.adam(1e-2)), r"float32\(9,\)"),
        (lambda: supervised.learner(MODEL, optax.sgd(1e-2)), "the arrays of this learner"),
    ],
)
def test_another_model_or_optimizer_is_refused(folder, template, message):
    restored, _ = newest(folder)
    with pytest.raises(InputError, match=message):
        unflatten(template().init(jax.random.key(0), BATCH), restored.arrays)


def test_nothing_is_cast(folder):
    restored, _ = newest(folder)
    half = jax.tree.map(lambda x: x.astype(jnp.bfloat16) if x.dtype == jnp.float32 else x, STATE)
    with pytest.raises(InputError, match="bfloat16"):
        unflatten(half, restored.arrays)


def test_old_ones_are_deleted(tmp_path):
    with Checkpoints(tmp_path / "c", keep=2) as checkpoints:
        for step in range(1, 6):
            checkpoints.save(step, {"x": jnp.ones(3)}, {})
    assert sorted(p.name for p in (tmp_path / "c").iterdir() if p.name.isdigit()) == ["4", "5"]
