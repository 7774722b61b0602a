"""Data that cannot be learned from: arrays, files, and what is asked of the makers of data."""

import gzip
import struct
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import data, losses, metrics
from jaxdl.data import augment, balance, checks, idx, names, order, playground, pointcloud, sequences, text
from jaxdl.errors import InputError

IMAGES = np.zeros((4, 8, 8, 1), np.float32)
LABELS = np.arange(4)
KEY = jax.random.key(0)


def split(classes=10, **changed):
    """Check a good split in which some arrays are not."""
    arrays = {"input": IMAGES, "target": LABELS, **changed}
    return lambda folder: data.check(arrays, classes, "train")


def at(array, row, value):
    """A copy with a value in one row."""
    array = np.array(array)
    array[row] = value
    return array


# name: (call, field, words of the message)
SPLITS = {
    "channels first": (split(input=np.zeros((4, 3, 32, 32), np.uint8)), "['input']",
        ["(4, 3, 32, 32)", "height, width, channels]", "transpose(0, 2, 3, 1)"]),
    "grey channels first": (split(input=IMAGES.reshape(4, 1, 8, 8)), "['input']", ["transpose"]),
    "no channel axis": (split(input=IMAGES[..., 0]), "['input']", ["(4, 8, 8)", "images[..., None]"]),
    "no row axis": (split(input=IMAGES[0], target=np.arange(8)), "['input']", ["(8, 8, 1)", "[n, height"]),
    "a single number": (split(input=np.float32(1)), "['input']", ["float32", "NumPy array"]),
    "a list": (split(input=[1.0, 2.0]), "['input']", ["'list'", "a NumPy array", "np.asarray"]),
    "rows of different shapes": (split(input=np.array([np.zeros(2), np.zeros(3)], object)), "['input']",
        ["dtype object", "numbers", "different shapes"]),
    "no targets": (lambda folder: data.check({"input": IMAGES}, 10, "train"), "['target']", ["NoneType"]),
    "no rows": (split(input=IMAGES[:0], target=LABELS[:0]), "['input']", ["(0, 8, 8, 1)", "one row"]),
    "no pixels": (split(input=np.zeros((4, 0, 8, 1), np.float32)), "['input']", ["(4, 0, 8, 1)"]),
    "fewer labels": (split(target=LABELS[:3]), "train", ["4 inputs, 3 targets", "belong together"]),
    "bytes as floats": (split(input=IMAGES + np.float32(180)), "['input']",
        ["180..180", "in 0..1", "by 255"]),
    "far below 0": (split(input=IMAGES - 3), "['input']", ["-3..-3", "0..1", "scale the images"]),
    "float64 images": (split(input=IMAGES.astype(float)), "['input']", ["float64", "float32", ".astype"]),
    "int64 images": (split(input=IMAGES.astype(int)), "['input']", ["int64", "uint8 or float32"]),
    "NaN in a pixel": (split(input=at(IMAGES, (2, 1, 1), np.nan)), "['input']",
        ["row 2", "finite", "1 such"]),
    "infinite point": (split(input=at(np.zeros((4, 2), np.float32), 1, np.inf)), "['input']", ["row 1"]),
    "label beyond": (split(target=LABELS + 8), "['target']", ["'10 in row 2'", "0..9", "number of classes"]),
    "label -1": (split(target=LABELS - 1), "['target']", ["'-1 in row 0'", "0..9"]),
    "label of 34 bits": (split(target=at(LABELS, 1, 2**33 + 3)), "['target']", ["8589934595 in row 1"]),
    "float labels": (split(target=LABELS + 0.5), "['target']", ["float64", "integer", "astype(np.int32)"]),
    "column of labels": (split(target=LABELS[:, None]), "['target']", ["(4, 1)", "labels [n]"]),
    "one-hot labels": (split(target=np.eye(4)[LABELS]), "['target']", ["(4, 4)", "not one-hot"]),
    "words as labels": (split(target=np.array(["a"] * 4)), "['target']", ["<U1", "integer labels"]),
    "NaN to predict": (split(0, target=np.array([0, 1, np.nan, 2])), "['target']", ["row 2", "finite"]),
    "words to predict": (split(0, target=np.array(["a"] * 4)), "['target']", ["real numbers", "float32"]),
}  # fmt: skip


def rows(**arrays):
    return lambda folder: checks.check_rows(arrays, "data")


ROWS = {
    "one label for all": (rows(input=IMAGES, target=LABELS[:1]), "data", ["input: 4, target: 1", "belong"]),
    "rows without an axis": (rows(input=IMAGES, target=np.int32(1)), "data['target']", ["()", "array[None]"]),
    "empty": (rows(input=IMAGES[:0], target=LABELS[:0]), "data['input']", ["(0, 8, 8, 1)", "empty?"]),
    "objects": (rows(input=np.array([None, {}])), "data['input']", ["object", "an array of numbers"]),
    "no arrays": (rows(input="images"), "data['input']", ["str", "np.asarray"]),
    "34 bits": (rows(target=np.array([2**33 + 3])), "data['target']", ["8589934595", "2147483647", "x64"]),
    "channels before pixels": (rows(input=np.zeros((2, 3, 9, 9))), "data['input']",
        ["channels]", "transpose"]),
    "batches of no rows": (lambda folder: metrics.masked_batches({"x": LABELS}, 0), "batch_size",
        ["0", ">= 1"]),
    "evaluation over nothing": (lambda folder: metrics.masked_batches({"x": LABELS[:0]}, 8), "data",
        ["(0,)", "empty?"]),
    "evaluation of uneven arrays": (lambda folder: metrics.masked_batches({"x": IMAGES, "y": LABELS[:2]}, 8),
        "data", ["(2,)", "(4,)", "one and the same length"]),
    "mean of nothing": (lambda folder: metrics.mean({"count": 0.0, "loss": 0.0}), "count",
        ["0.0", "one row"]),
    "accuracy of an unknown label": (lambda folder: metrics.accuracy(jnp.zeros(3), 3), "label",
        ["3", "0..2"]),
    "confusion with a label of -1": (lambda folder: metrics.confusion(jnp.zeros(3), -1), "label",
        ["-1", "0..2"]),
    "sums of uneven arrays": (
        lambda folder: metrics.sums({"accuracy": metrics.accuracy}, jnp.zeros((4, 3)), LABELS, jnp.ones(3)),
        "mask", ["[4, 4, 3]", "equal lengths"]),
    "float label": (lambda folder: losses.cross_entropy(jnp.zeros(3), 1.5), "label",
        ["float32", "one integer"]),
    "label in a column": (lambda folder: losses.cross_entropy(jnp.zeros(3), jnp.array([1])), "label",
        ["int32[1]", "squeeze"]),
    "smoothing of 1.5": (lambda folder: losses.cross_entropy(jnp.zeros(3), 1, 1.5), "label_smoothing",
        ["1.5", "[0, 1]", "switches it off"]),
    "prediction that would broadcast": (lambda folder: losses.squared_error(jnp.zeros((4, 1)), jnp.zeros(4)),
        "target", ["(4,)", "(4, 1)", "axis"]),
}  # fmt: skip

GOOD = bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + b"\1\2\3"


def idx_file(content):
    """Read a file with these bytes."""

    def prepare(folder):
        (folder / "images").write_bytes(content)

    return (lambda folder: idx.read(folder / "images")), prepare


FILES = {
    "no file": (
        (lambda folder: idx.read(folder / "images"), lambda folder: None),
        "images",
        ["no such file"],
    ),
    "empty file": (idx_file(b""), "images", ["header 0000ttnn", "fetch it again"]),
    "picture": (idx_file(b"\x89PNG" + bytes(40)), "images", ["89504e47", "header"]),
    "unknown type": (idx_file(bytes([0, 0, 9]) + GOOD[3:]), "images", ["0x09", "0x08 (uint8)"]),
    "no axes": (idx_file(bytes(2) + bytes([8, 0])), "images", ["0 axes", "size of each axis"]),
    "cut short": (idx_file(GOOD[:-1]), "images", ["10 bytes", "11 bytes for shape (3,)", "cut short"]),
    "too long": (idx_file(GOOD + b"more"), "images", ["12 bytes or more", "11 bytes", "damaged"]),
    "header that lies": (idx_file(bytes([0, 0, 8, 2]) + b"\xff" * 8), "images", ["at most 4294967296 bytes"]),
    "damaged gzip": (idx_file(gzip.compress(GOOD)[:15] + bytes(9)), "images", ["readable IDX", "fetch"]),
    "cut gzip": (idx_file(gzip.compress(GOOD)[:-5]), "images", ["readable IDX", "fetch"]),
}


def no_bytes(folder):
    (folder / "bytes").write_bytes(b"\xff\xfe\xff" * 100)
    (folder / "short").write_text("abcab")


TEXTS = {
    "text that is none": (lambda folder: text.load(folder / "bytes"), "text", ["UTF-8", "bytes"]),
    "short text": (lambda folder: text.load(folder / "short"), "text", ["5 characters", "at least 100"]),
    "no text": (lambda folder: text.load(folder / "none"), "text", ["none", "UTF-8"]),
    "folder as a text": (lambda folder: text.load(folder), "text", ["a text file"]),
    "no names": (lambda folder: names.load(folder / "short"), "text", ["1 names", "10 lines"]),
    "character of no vocabulary": (lambda folder: text.encode("abc", "ab"), "text", ["'c'", "it has 'ab'"]),
    "window of 0": (lambda folder: text.windows(LABELS, 0, 1), "length", ["0", ">= 1"]),
    "0 streams": (lambda folder: text.windows(LABELS, 1, 0), "streams", ["0", ">= 1"]),
    "text shorter than a window": (lambda folder: text.windows(LABELS, 9, 1), "text", ["4 characters"]),
    "rows of 0 characters": (lambda folder: text.streams(LABELS, shortest=0), "shortest", ["0", ">= 1"]),
    "0 readers": (lambda folder: text.in_order(KEY, 0, 8, 0), "batch_size", ["0", "streams=batch_size"]),
}


def host(**options):
    given = {"split": {"input": IMAGES, "target": LABELS}, "rows": order.rows, "key": KEY, "batch_size": 2}
    return lambda folder: data.stream(**(given | options))


def smote(**options):
    given = {"inputs": np.zeros((4, 2)), "labels": np.array([0, 0, 0, 1]),
             "generator": np.random.default_rng(0)}  # fmt: skip
    return lambda folder: balance.smote(**(given | options))


MAKERS = {
    "unknown data set": (lambda folder: data.load("mnits"), "dataset", ["'mnits'", "did you mean 'mnist'?"]),
    "IDX files of nowhere": (lambda folder: data.load("idx"), "data_dir", ["None", "--data-dir"]),
    "folder without IDX files": (lambda folder: data.load("idx", folder), "data_dir", ["t10k-labels"]),
    "no rows to order": (lambda folder: order.rows(KEY, 0, 0, 1), "n", ["0", "2147483647", "data set"]),
    "batch beyond the rows": (
        lambda folder: order.rows(KEY, 0, 4, 5),
        "batch_size",
        ["5", "1..4", "smaller"],
    ),
    "batch of half a row": (lambda folder: order.rows(KEY, 0, 4, 0.5), "batch_size", ["0.5", "an integer"]),
    "step before the first": (lambda folder: order.rows(KEY, -1, 4, 2), "step", ["-1", ">= 0"]),
    "stream of uneven arrays": (host(split={"a": LABELS, "b": LABELS[:2]}), "split", ["'b': 2", "equal"]),
    "stream of nothing": (host(split={"a": LABELS[:0]}), "split", ["'a': 0", "one row"]),
    "stream without arrays": (host(split={}), "split", ["{}", "one row"]),
    "stream in batches of 0": (host(batch_size=0), "batch_size", ["0", ">= 1"]),
    "stream from step -1": (host(start=-1), "start", ["-1", ">= 0"]),
    "stream without prefetch": (host(prefetch=0), "prefetch", ["0", ">= 1"]),
    "rotation by 200": (
        lambda folder: augment.rotate(KEY, jnp.zeros((8, 8, 1)), 200),
        "degrees",
        ["[0, 180]"],
    ),
    "endless shift": (
        lambda folder: augment.translate(KEY, jnp.zeros((8, 8, 1)), np.inf),
        "translate",
        ["inf"],
    ),
    "zoom by NaN": (
        lambda folder: augment.scale(KEY, jnp.zeros((8, 8, 1)), np.nan),
        "scale",
        ["nan", "0.9]"],
    ),
    "crop by half a pixel": (lambda folder: augment.crop(KEY, jnp.zeros((8, 8, 1)), 1.5), "padding", ["1.5"]),
    "noise below 0": (lambda folder: augment.noise(KEY, jnp.zeros((8, 8, 1)), -1), "sigma", ["-1", ">= 0"]),
    "augmented batch": (lambda folder: augment.flip(KEY, jnp.zeros((2, 8, 8, 1))), "image", ["jax.vmap"]),
    "augmented bytes": (
        lambda folder: augment.flip(KEY, jnp.zeros((8, 8, 1), jnp.uint8)),
        "image",
        ["/ 255"],
    ),
    "one class to balance": (smote(labels=np.zeros(4, int)), "labels", ["1 class", "at least two"]),
    "SMOTE with NaN": (smote(inputs=np.full((4, 2), np.nan)), "inputs", ["NaN", "finite", "repair"]),
    "SMOTE without neighbours": (smote(neighbours=0), "neighbours", ["0", ">= 1"]),
    "SMOTE with too many": (smote(neighbours=5), "neighbours", ["5", "fewer than the 1 rows"]),
    "noisy playground": (lambda folder: playground.points("xor", 0, noise=0.6), "noise", ["0.6", "[0, 0.5]"]),
    "playground of seed -1": (lambda folder: playground.points("xor", -1), "seed", ["-1", ">= 0"]),
    "playground of 7.5 points": (lambda folder: playground.points("xor", 0, n=7.5), "n", ["7.5", "integer"]),
    "all points for training": (
        lambda folder: playground.points("xor", 0, train_share=1),
        "train_share",
        ["1"],
    ),
    "unknown cloud": (lambda folder: pointcloud.cloud("lines", 0), "cloud", ["did you mean 'line'?"]),
    "cloud of endless noise": (lambda folder: pointcloud.cloud("line", 0, noise=np.inf), "noise", ["inf"]),
    "progressions of seed -1": (lambda folder: sequences.progressions(-1, 4), "seed", ["-1", ">= 0"]),
    "progressions of two": (lambda folder: sequences.progressions(0, 4, 2), "shortest", ["2..6", "3 <="]),
    "sum over one step": (lambda folder: sequences.adding(0, 4, 1), "length", ["1", ">= 2"]),
}

CASES = {**SPLITS, **ROWS, **TEXTS, **MAKERS}


@pytest.mark.parametrize("case", CASES)
def test_bad_data_are_refused(case, refused):
    call, field, words = CASES[case]
    refused(call, field, words, no_bytes if case in TEXTS else lambda folder: None)


@pytest.mark.parametrize("case", FILES)
def test_bad_files_are_refused(case, refused):
    (call, prepare), field, words = FILES[case]
    refused(call, field, words, prepare)


def test_a_bomb_is_refused_without_being_unpacked(tmp_path):
    """64 million bytes behind a header that says three."""
    with gzip.open(tmp_path / "images.gz", "wb") as file:
        file.write(GOOD)
        for _ in range(64):
            file.write(bytes(2**20))
    tracemalloc.start()
    with pytest.raises(InputError, match="12 bytes or more"):
        idx.read(tmp_path / "images.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**21
