"""Data sets by name: every one split, checked, and the same on every machine.

A split is a dict of NumPy arrays, `{"input": [n, ...], "target": [n]}`. Images are [n, height,
width, channels], uint8 in 0..255 (scaled on the device, so that a data set takes a quarter of
the memory) or float32 in 0..1; points are float32 [n, features]; class labels are int32.

The validation split is for choices (early stopping, hyper-parameters); the test split is for one
final evaluation. Splits are fixed: they depend on no seed of a run.
"""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdl.data import idx, playground
from jaxdl.data.checks import check
from jaxdl.errors import InputError, require, require_choice

Split = dict[str, np.ndarray]
NAMES = ("digits", "mnist", "idx", *playground.NAMES)
SEARCH_ORDER = "--data-dir, $JAXDL_DATA, $TFDS_DATA_DIR, ~/tensorflow_datasets"
PLAYGROUND_SEED = 0
SHARE = 0.1  # of a set of IDX files, for validation


class Dataset(NamedTuple):
    """A data set with its fixed splits.

    name: what `load` was asked for.
    train, validation, test: {"input": [n, ...], "target": [n]}.
    classes: number of classes; 0 if the targets are real numbers.
    source: one sentence, where the data are from and under which licence.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int
    source: str


def load(name: str, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set by name.

    - `digits`: 1,797 handwritten digits of 8x8 pixels that come with scikit-learn; float32.
    - `mnist`: 70,000 handwritten digits of 28x28 pixels (003:550), as prepared by TFDS or as the
      four official files, searched in `SEARCH_ORDER` and downloaded if in none of them; uint8.
      Both roads give the same arrays, bit for bit.
    - `idx`: four IDX files with the names of MNIST's in the folder `data_dir` (Fashion-MNIST,
      EMNIST or your own), any image size, uint8 or float32.
    - `circle`, `xor`, `gauss`, `spiral`: 500 points of TensorFlow Playground, half of them for
      training and no noise (001:566).

    Args:
        name: one of `NAMES`.
        data_dir: the first folder to look in; `idx` needs it, `digits` and points do without.

    Raises:
        InputError: for an unknown name, data that are not found, or data that fail `check`.

    >>> data = load("digits")
    >>> {split: len(getattr(data, split)["target"]) for split in ("train", "validation", "test")}
    {'train': 1005, 'validation': 252, 'test': 540}
    >>> data.train["input"].shape, data.train["input"].dtype
    ((1005, 8, 8, 1), dtype('float32'))
    """
    require_choice("dataset", name, NAMES)
    if name == "digits":
        dataset = _digits()
    elif name == "mnist":
        dataset = _mnist(folders(data_dir))
    elif name == "idx":
        dataset = _idx(data_dir)
    else:
        dataset = _playground(name)
    for split in ("train", "validation", "test"):
        check(getattr(dataset, split), dataset.classes, f"{name}.{split}")
    return dataset


def folders(data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """The folders of `SEARCH_ORDER` that are named, in that order, whether they exist or not."""
    named = [data_dir, os.environ.get("JAXDL_DATA"), os.environ.get("TFDS_DATA_DIR"), "~/tensorflow_datasets"]
    paths = [Path(folder).expanduser() for folder in named if folder]
    return list(dict.fromkeys(paths))


def by_content(split: Split) -> tuple[Split, str]:
    """The rows of a split in an order that depends on the rows only, and a digest of them all.

    Each row is put where the hash of its input and target puts it: as good as shuffled, and the
    same for any order in which the rows were stored. Equal digests mean equal rows.

    Returns:
        (the split in that order, sha256 of all row hashes in hex)
    """
    inputs, targets = np.ascontiguousarray(split["input"]), np.ascontiguousarray(split["target"])
    hashes = [
        hashlib.blake2b(row.tobytes() + target.tobytes(), digest_size=16).digest()
        for row, target in zip(inputs, targets, strict=True)
    ]
    order = sorted(range(len(hashes)), key=hashes.__getitem__)
    digest = hashlib.sha256(b"".join(hashes[row] for row in order)).hexdigest()
    return {"input": inputs[order], "target": targets[order]}, digest


def _digits() -> Dataset:
    """scikit-learn's digits; 30 % for the test and a fifth of the rest for validation, by class."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    inputs = (np.asarray(pixels) / 16).reshape(-1, 8, 8, 1).astype(np.float32)
    targets = np.asarray(labels).astype(np.int32)

    def divide(rows: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        rest, held_out = train_test_split(rows, test_size=share, random_state=0, stratify=targets[rows])
        return np.asarray(rest), np.asarray(held_out)

    rest, test_rows = divide(np.arange(len(targets)), 0.3)
    train, validation, test = (
        {"input": inputs[rows], "target": targets[rows]} for rows in (*divide(rest, 0.2), test_rows)
    )
    source = "UCI Optical Recognition of Handwritten Digits, with scikit-learn; CC BY 4.0."
    return Dataset("digits", train, validation, test, 10, source)


def _mnist(places: list[Path]) -> Dataset:
    """MNIST from the first folder that has it, else downloaded into the first that can be written."""
    # Imported here because `python -m jaxdl.data.mnist` must not find itself imported already.
    from jaxdl.data import mnist

    splits = next(filter(None, (mnist.read(folder) for folder in places)), None)
    if splits is None:
        try:
            splits = mnist.read_downloaded(places)
        except InputError as error:
            if not error.field.startswith("download"):
                raise
            searched = ", ".join(str(folder) for folder in places)
            expected = f"its four files in one of {searched}, or a network ({error.value})"
            raise InputError("dataset", "mnist", expected, mnist.WAYS_OUT) from None
    train, validation = _hold_out(splits["train"], 5000)
    # Not where on this disk: the rows are compared with a digest and the same everywhere.
    source = "MNIST by Y. LeCun and C. Cortes, the official 70,000 images; CC BY-SA 3.0."
    return Dataset("mnist", train, validation, splits["test"], 10, source)


def _idx(data_dir: str | os.PathLike[str] | None) -> Dataset:
    """Four IDX files; the last tenth of the training rows by content are for validation."""
    names = ", ".join(f"{name}[.gz]" for pair in idx.FILES.values() for name in pair)
    if data_dir is None:
        raise InputError("data_dir", None, "a folder of four IDX files", f"give --data-dir with {names}")
    folder = Path(data_dir).expanduser()
    files = idx.find(folder)
    if files is None:
        raise InputError("data_dir", str(folder), f"a folder with {names}", "check folder and names")
    splits = idx.read_splits(files)
    labels = splits["train"]["target"]
    require(len(labels) >= 2, "idx.train", f"{len(labels)} labels", "at least 2 rows", "check the files")
    for split in ("train", "test"):  # before rows are paired and put in order
        check(splits[split], int(labels.max()) + 1, f"idx.{split}")
    shapes = [splits[split]["input"].shape[1:] for split in ("train", "test")]
    require(
        shapes[0] == shapes[1],
        "idx.test['input']",
        f"images {shapes[1]}",
        f"{shapes[0]} as in train",
        "check that the files belong together",
    )
    ordered, _ = by_content(splits["train"])
    train, validation = _hold_out(ordered, max(1, round(SHARE * len(labels))))
    test, _ = by_content(splits["test"])
    source = f"Four IDX files in {folder}; the licence is that of their authors."
    return Dataset("idx", train, validation, test, int(labels.max()) + 1, source)


def _playground(name: str) -> Dataset:
    """A playground set; validation points are drawn like the others, beside the 500."""
    train, test = playground.points(name, PLAYGROUND_SEED)
    # Not 500: a spiral without noise has nothing random, and these would be the same points.
    validation, _ = playground.points(name, PLAYGROUND_SEED + 1, n=498)
    source = f"The {name} set of TensorFlow Playground, drawn anew from seed {PLAYGROUND_SEED}."
    return Dataset(name, train, validation, test, 2, source)


def _hold_out(split: Split, count: int) -> tuple[Split, Split]:
    """(all but the last `count` rows, the last `count` rows)."""
    rest = {name: array[:-count] for name, array in split.items()}
    return rest, {name: array[-count:] for name, array in split.items()}
