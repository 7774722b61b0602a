"""IDX, the file format of MNIST: a few header bytes, then the array as it lies in memory.

Header: two zero bytes, one byte for the type, one for the number of axes, then each axis as a
big-endian 32-bit number; after it the values, big-endian, last axis fastest (LeCun, Cortes and
Burges, "The MNIST database of handwritten digits", 1998). Reading is strict: a file that is one
byte short or long, or claims another size than it has, is refused by name. Of a gzipped file no
more is unpacked than its header says, and nothing if that is more than `LARGEST`.
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxdl.errors import InputError, require

TYPES = {0x08: np.dtype(np.uint8), 0x0D: np.dtype(">f4")}  # the two that image sets are made of
CODES = {dtype.newbyteorder("="): code for code, dtype in TYPES.items()}
DAMAGED = "the file is cut short or damaged; fetch it again"
LARGEST = 2**32  # bytes of an unpacked file: MNIST has 47 million, and memory is not without end
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
        with path.open("rb") as plain:
            gzipped = plain.read(2) == b"\x1f\x8b"
        opened: Any = (gzip.open if gzipped else open)(path, "rb")
        with opened as file:
            dtype, shape = _header(file, field)
            start, size = 4 + 4 * len(shape), math.prod(shape) * dtype.itemsize
            claimed = f"{start + size} bytes for shape {shape}"
            require(size <= LARGEST, field, claimed, f"at most {LARGEST} bytes of values", DAMAGED)
            content = file.read(size + 1)  # one more than there are, to notice what is too long
    except FileNotFoundError:
        raise InputError(field, "no such file", "an IDX file", "check the folder") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(field, str(error), "a readable IDX file", "fetch it again") from None
    found = f"{start + len(content)} bytes" + " or more" * (len(content) > size)
    require(len(content) == size, field, found, claimed, DAMAGED)
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _header(file: IO[bytes], field: str) -> tuple[np.dtype, tuple[int, ...]]:
    """The dtype and the shape that a file claims."""
    magic, remedy = file.read(4), "is it an IDX file? fetch it again"
    require(len(magic) == 4 and magic[:2] == b"\0\0", field, magic.hex(), "a header 0000ttnn in hex", remedy)
    known = ", ".join(f"{code:#04x} ({dtype.name})" for code, dtype in TYPES.items())
    require(magic[2] in TYPES, field, f"type {magic[2]:#04x}", f"type {known}", remedy)
    dtype, axes = TYPES[magic[2]], magic[3]
    sizes = file.read(4 * axes)
    whole = axes >= 1 and len(sizes) == 4 * axes
    found, expected = f"{axes} axes, {len(sizes)} bytes", "a header with the size of each axis"
    require(whole, field, found, expected, remedy)
    return dtype, tuple(int(size) for size in np.frombuffer(sizes, ">u4"))


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
