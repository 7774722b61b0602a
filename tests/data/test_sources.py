import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from jaxdl.data import NAMES, SEARCH_ORDER, check, idx, load
from jaxdl.data.sources import by_content, folders
from jaxdl.errors import InputError

SPLITS = ("train", "validation", "test")


def test_digits_are_split_as_pinned():
    images, target = load_digits().images, load_digits().target
    rest_x, test_x, rest_y, test_y = train_test_split(
        images / 16, target, test_size=0.3, random_state=0, stratify=target
    )
    train_x, validation_x, train_y, validation_y = train_test_split(
        rest_x, rest_y, test_size=0.2, random_state=0, stratify=rest_y
    )
    data = load("digits")
    for split, x, y in (
        (data.train, train_x, train_y),
        (data.validation, validation_x, validation_y),
        (data.test, test_x, test_y),
    ):
        np.testing.assert_array_equal(split["input"], x[..., None].astype(np.float32))
        np.testing.assert_array_equal(split["target"], y)
        assert split["input"].dtype == np.float32
        assert split["target"].dtype == np.int32
        assert split["input"].shape[1:] == (8, 8, 1)
    assert data.classes == 10
    assert len(data.test["target"]) == 540


@pytest.mark.parametrize("name", ["circle", "xor", "gauss", "spiral"])
def test_playground_sets_load_and_their_splits_are_apart(name):
    data = load(name)
    assert [len(getattr(data, split)["target"]) for split in SPLITS] == [250, 249, 250]
    assert data.classes == 2
    points = [
        {tuple(row) for row in getattr(data, split)["input"].tolist()} - {(0.0, 0.0)} for split in SPLITS
    ]
    assert not points[0] & points[1]
    assert not points[1] & points[2]
    assert not points[0] & points[2]


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'mnist'"):
        load("minst")
    assert set(NAMES) == {"digits", "mnist", "idx", "circle", "xor", "gauss", "spiral"}


def write_idx(folder, images, labels, test_images=None, test_labels=None):
    folder.mkdir(exist_ok=True)
    arrays = {
        "train": (images, labels),
        "test": (
            images if test_images is None else test_images,
            labels if test_labels is None else test_labels,
        ),
    }
    for split, pair in arrays.items():
        for name, array in zip(idx.FILES[split], pair, strict=True):
            idx.write(folder / (name + ".gz"), array)
    return folder


def images(count=30, shape=(5, 7), dtype=np.uint8, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *shape))
    return (pixels / 255).astype(dtype) if dtype == np.float32 else pixels.astype(dtype)


LABELS = (np.arange(30) % 4).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_idx_folder_of_any_size(tmp_path, dtype):
    data = load("idx", write_idx(tmp_path, images(dtype=dtype), LABELS))
    assert data.classes == 4
    assert data.train["input"].shape == (27, 5, 7, 1)
    assert data.validation["input"].shape == (3, 5, 7, 1)
    assert data.test["input"].shape == (30, 5, 7, 1)
    assert data.train["input"].dtype == dtype
    assert data.train["target"].dtype == np.int32
    # every row is there once, with its label
    rows = [np.concatenate([data.train[name], data.validation[name]]) for name in ("input", "target")]
    digest = by_content({"input": rows[0], "target": rows[1]})[1]
    whole = {"input": images(dtype=dtype)[..., None], "target": LABELS.astype(np.int32)}
    assert digest == by_content(whole)[1]


def test_idx_with_channels(tmp_path):
    data = load("idx", write_idx(tmp_path, images(shape=(5, 7, 3)), LABELS))
    assert data.train["input"].shape == (27, 5, 7, 3)


def test_splits_do_not_depend_on_the_order_of_the_rows(tmp_path):
    order = np.random.default_rng(1).permutation(30)
    one = load("idx", write_idx(tmp_path / "one", images(), LABELS))
    other = load("idx", write_idx(tmp_path / "other", images()[order], LABELS[order]))
    for split in SPLITS:
        for name in ("input", "target"):
            np.testing.assert_array_equal(getattr(one, split)[name], getattr(other, split)[name])


def test_digest_tells_any_change():
    split = {"input": images(), "target": LABELS.astype(np.int32)}
    digest = by_content(split)[1]
    changed = split["input"].copy()
    changed[3, 2, 1] ^= 1
    swapped = split["target"].copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert by_content({**split, "input": changed})[1] != digest
    assert by_content({**split, "target": swapped})[1] != digest


NAN = images(dtype=np.float32)
NAN[7, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("reason", "arrays"),
    [
        ("29 inputs, 30 targets", (images(29), LABELS)),
        ("row 7", (NAN, LABELS)),
        ("divide by 255", (255 * images(dtype=np.float32), LABELS)),
        ("labels in 0..3", (images(), LABELS, images(), LABELS + 1)),
        ("as in train", (images(), LABELS, images(shape=(6, 7)), LABELS)),
        ("swapped", (LABELS, images())),
        ("labels uint8", (images(), LABELS.astype(np.float32))),
        ("at least", (images(0), LABELS[:0])),
        ("at least", (images(), LABELS, images(0), LABELS[:0])),
        ("at least 2 rows", (images(1), LABELS[:1])),
    ],
)
def test_bad_idx_sets_are_refused(tmp_path, reason, arrays):
    with pytest.raises(InputError, match=reason):
        load("idx", write_idx(tmp_path, *arrays))


def test_idx_wants_a_folder_with_the_four_files(tmp_path):
    for folder in (None, tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match="t10k-labels-idx1-ubyte") as caught:
            load("idx", folder)
        assert caught.value.field == "data_dir"


def good(**changes):
    split = {"input": np.zeros((4, 3, 3, 1), np.float32), "target": np.array([0, 1, 2, 1])}
    return {**split, **changes}


POINTS = np.zeros((4, 2), np.float32)
INFINITE = POINTS.copy()
INFINITE[2, 1] = np.inf


@pytest.mark.parametrize(
    ("split", "classes"),
    [
        (good(), 3),
        (good(input=np.zeros((4, 3, 3, 1), np.uint8)), 3),
        (good(input=POINTS + 100), 3),
        (good(target=np.zeros(4, np.float32)), 0),
        (good(target=np.zeros((4, 2), np.float32)), 0),
    ],
)
def test_check_accepts(split, classes):
    check(split, classes, "train")


@pytest.mark.parametrize(
    ("reason", "split", "classes"),
    [
        ("NumPy array", {"input": POINTS}, 3),
        ("NumPy array", good(input=[[1.0]]), 3),
        ("different shapes", good(input=np.array([None] * 4)), 3),
        ("empty", good(input=POINTS[:0]), 3),
        ("4 inputs, 3 targets", good(target=np.zeros(3, int)), 3),
        ("one channel", good(input=np.zeros((4, 3, 3), np.float32)), 3),
        ("shape", good(input=np.zeros((4, 0), np.float32)), 3),
        ("astype", good(input=np.zeros((4, 3, 3, 1))), 3),
        ("float32", good(input=np.zeros((4, 2), np.uint8)), 3),
        ("row 2", good(input=INFINITE), 3),
        ("divide by 255", good(input=np.full((4, 3, 3, 1), 2, np.float32)), 3),
        ("0..1", good(input=np.full((4, 3, 3, 1), -1, np.float32)), 3),
        ("'2 in row 2'", good(), 2),
        ("'-1 in row 0'", good(target=np.array([-1, 0, 0, 0])), 3),
        ("integer", good(target=np.zeros(4, np.float32)), 3),
        ("integer", good(target=np.zeros(4, bool)), 3),
        ("one-hot", good(target=np.zeros((4, 3), int)), 3),
        ("NaN or infinity in row 0", good(target=np.full(4, np.nan)), 0),
        ("real", good(target=np.array(list("abcd"))), 0),
    ],
)
def test_check_refuses(reason, split, classes):
    with pytest.raises(InputError, match=reason) as caught:
        check(split, classes, "train")
    assert caught.value.field.startswith("train")
    assert "\n" not in str(caught.value)


def test_search_order(tmp_path, monkeypatch):
    for name, folder in (("HOME", "home"), ("JAXDL_DATA", "a"), ("TFDS_DATA_DIR", "b")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    home = tmp_path / "home" / "tensorflow_datasets"
    assert folders("~/d") == [tmp_path / "home" / "d", tmp_path / "a", tmp_path / "b", home]
    monkeypatch.setenv("TFDS_DATA_DIR", str(home))
    monkeypatch.delenv("JAXDL_DATA")
    assert folders() == [home]
    assert SEARCH_ORDER == "--data-dir, $JAXDL_DATA, $TFDS_DATA_DIR, ~/tensorflow_datasets"


def test_import_is_light():
    heavy = ("tensorflow_datasets", "sklearn", "matplotlib", "PIL", "tensorflow")
    code = f"import sys, jaxdl.data; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
