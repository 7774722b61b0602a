"""IDX, the file format of MNIST: a few header bytes, then the array as it lies in memory.

Header: two zero bytes, one byte for the type, one for the number of axes, then each axis as a
big-endian 32-bit number; after it the values, big-endian, last axis fastest (LeCun, Cortes and
Burges, "The MNIST database of handwritten digits", 1998). Reading is strict: a file that is one
byte short or long, or claims another size than it has, is refused by name.
"""

import gzip
import math
import os
import zlib
from pathlib import Path

import numpy as np

from jaxdl.errors import InputError, require

TYPES = {0x08: np.dtype(np.uint8), 0x0D: np.dtype(">f4")}  # the two that image sets are made of
CODES = {dtype.newbyteorder("="): code for code, dtype in TYPES.items()}
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def read(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an IDX file, gzipped or not (told by its first bytes, for the names are often wrong).

    Args:
        path: the file.

    Returns:
        uint8 or float32 array of the shape in the header, native byte order, writable.

    Raises:
        InputError: naming the file, if it is missing, damaged, no IDX file, or holds fewer or
            more bytes than its header says.
    """
    path = Path(path)
    field = f"file {path}"
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except FileNotFoundError:
        raise InputError(field, "no such file", "an IDX file", "check the folder") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(field, str(error), "a readable IDX file", "fetch it again") from None

    magic, remedy = content[:4], "is it an IDX file? fetch it again"
    require(len(magic) == 4 and magic[:2] == b"\0\0", field, magic.hex(), "a header 0000ttnn in hex", remedy)
    known = ", ".join(f"{code:#04x} ({dtype.name})" for code, dtype in TYPES.items())
    require(magic[2] in TYPES, field, f"type {magic[2]:#04x}", f"type {known}", remedy)
    dtype, axes = TYPES[magic[2]], magic[3]
    start = 4 + 4 * axes
    require(
        axes >= 1 and len(content) >= start,
        field,
        f"{axes} axes, {len(content)} bytes",
        "a header with the size of each axis",
        remedy,
    )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, 4))
    expected = start + math.prod(shape) * dtype.itemsize
    require(
        len(content) == expected,
        field,
        f"{len(content)} bytes",
        f"{expected} bytes for shape {shape}",
        "the file is cut short or damaged; fetch it again",
    )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def write(path: str | os.PathLike[str], array: np.ndarray) -> None:
    """Write a uint8 or float32 array as an IDX file, gzipped if the name ends in `.gz`.

    The same array always gives the same bytes (the gzip header carries no time).

    Args:
        path: the file; its folder must exist.
        array: uint8 or float32, 1 to 255 axes.

    Raises:
        InputError: for another dtype or no axis.
    """
    array = np.asarray(array)
    require(array.dtype in CODES, "array", str(array.dtype), "dtype uint8 or float32", "convert it first")
    require(array.ndim >= 1, "array", array.shape, "at least one axis", "wrap the number in a list")
    code = CODES[array.dtype]
    header = bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    content = header + array.astype(TYPES[code]).tobytes()
    Path(path).write_bytes(gzip.compress(content, mtime=0) if str(path).endswith(".gz") else content)


def find(folder: str | os.PathLike[str]) -> dict[str, tuple[Path, Path]] | None:
    """The four files of an MNIST-like data set in `folder`, or None unless all are there.

    Returns:
        {"train": (images, labels), "test": (images, labels)}; of `name` and `name.gz` the plain
        file is taken, which is quicker to read.
    """
    found = {}
    for split, names in FILES.items():
        pair = [_plain_or_gzipped(Path(folder, name)) for name in names]
        if pair[0] is None or pair[1] is None:
            return None
        found[split] = (pair[0], pair[1])
    return found


def _plain_or_gzipped(path: Path) -> Path | None:
    """`path`, or `path` with `.gz` at its end: the one that exists, the plain one first."""
    return next((p for p in (path, path.with_name(path.name + ".gz")) if p.is_file()), None)


def read_splits(files: dict[str, tuple[Path, Path]]) -> dict[str, dict[str, np.ndarray]]:
    """Images and labels of the four files that `find` found.

    Returns:
        {"train": split, "test": split}, each {"input": uint8 or float32 [n, height, width,
        channels] (one channel is added to plain grey images), "target": int32 [n]}.

    Raises:
        InputError: if a file is damaged, has the wrong number of axes, or labels are not uint8.
    """
    splits = {}
    for split, (image_file, label_file) in files.items():
        images, labels = read(image_file), read(label_file)
        require(
            images.ndim in (3, 4),
            f"file {image_file}",
            f"shape {images.shape}",
            "images [n, height, width] or [n, height, width, channels]",
            "are the files swapped?",
        )
        require(
            labels.ndim == 1 and labels.dtype == np.uint8,
            f"file {label_file}",
            f"{labels.dtype} {labels.shape}",
            "labels uint8 [n]",
            "are the files swapped?",
        )
        images = images[..., None] if images.ndim == 3 else images
        splits[split] = {"input": images, "target": labels.astype(np.int32)}
    return splits
