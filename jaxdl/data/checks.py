"""The checks every data set passes on the host, before anything is compiled.

JAX refuses none of this: a label out of range becomes a row of zeros or the last class, a NaN
poisons the weights some steps later, and images in 0..255 just train badly.
"""

from typing import Any

import jax
import numpy as np

from jaxdl.errors import InputError, require

LARGEST_CHANNELS = 4  # of an image as it comes from outside: grey, colour, with transparency


def check(split: dict[str, np.ndarray], classes: int, field: str) -> None:
    """Refuse a split that cannot be trained on.

    Args:
        split: {"input": images [n, height, width, channels], uint8, or float32 in 0..1, or
            points float32 [n, features]; "target": integer labels [n] in 0..classes-1, or real
            numbers [n] or [n, outputs] if `classes` is 0}; n >= 1.
        classes: number of classes; 0 for regression.
        field: what the messages call the split, e.g. "mnist.train".

    Raises:
        InputError: naming the array and, where it is a matter of values, the first bad row.

    >>> check({"input": np.zeros([2, 3], np.float32), "target": np.array([0, 7])}, 2, "train")
    Traceback (most recent call last):
    jaxdl.errors.InputError: train['target']: got '7 in row 1', expected labels in 0..1; ...
    """
    for name in ("input", "target"):
        array = split.get(name)
        if not isinstance(array, np.ndarray):
            raise InputError(f"{field}[{name!r}]", type(array).__name__, "a NumPy array", "use np.asarray")
        require(
            array.dtype != object,
            f"{field}[{name!r}]",
            "dtype object",
            "an array of numbers",
            "are the rows of different shapes?",
        )
        require(
            array.ndim >= 1 and len(array) > 0,
            f"{field}[{name!r}]",
            f"shape {array.shape}",
            "at least one row",
            "the data set is empty; check its files",
        )
    inputs, targets = split["input"], split["target"]
    require(
        len(inputs) == len(targets),
        field,
        f"{len(inputs)} inputs, {len(targets)} targets",
        "one target per input",
        "check that the files belong together",
    )
    _check_inputs(inputs, f"{field}['input']")
    if classes:
        _check_labels(targets, classes, f"{field}['target']")
    else:
        require(
            targets.dtype.kind in "fiu",
            f"{field}['target']",
            str(targets.dtype),
            "real numbers",
            "use float32",
        )
        _check_finite(targets, f"{field}['target']")


def check_rows(data: Any, field: str) -> None:
    """Refuse what no learner can be fed with, whatever it learns: the check of `jaxdl.run.fit`.

    Values that are not finite pass: a run names the step, the layer and the rows that they spoil,
    and may step over them (`transforms.skip_nonfinite`). So do traced arrays.

    Args:
        data: a whole data set or a batch, a pytree of arrays [n, ...]; None passes.
        field: what the messages call it.

    Raises:
        InputError: arrays that are no numbers, have no row axis or no row, or differ in length;
            integers that 32 bits do not hold; images with their channels first.

    >>> check_rows({"input": np.zeros([64, 3]), "target": np.zeros([1])}, "data")
    Traceback (most recent call last):
    jaxdl.errors.InputError: data: got 'input: 64, target: 1', expected arrays of one length; ...
    """
    lengths = {}
    for path, array in jax.tree_util.tree_leaves_with_path(data):
        name = f"{field}{jax.tree_util.keystr(path)}"
        shape, dtype = np.shape(array), getattr(array, "dtype", None)
        numbers = dtype is not None and not np.issubdtype(dtype, np.object_)
        found = f"{type(array).__name__} of {dtype}"
        require(numbers, name, found, "an array of numbers", "use np.asarray; are the rows of one shape?")
        length = shape[0] if shape else 0
        remedy = "add the row axis, array[None]; is the data set empty?"
        require(length >= 1, name, f"shape {shape}", "[n, ...] with one row or more", remedy)
        lengths[jax.tree_util.keystr(path, simple=True, separator=".")] = length
        _check_bits(array, name)
        if len(shape) == 4:
            _check_layout(shape, name)
    shown = ", ".join(f"{name}: {length}" for name, length in lengths.items())
    remedy = "one row for each example, in every array; do they belong together?"
    require(len(set(lengths.values())) <= 1, field, shown, "arrays of one length", remedy)


def _check_bits(array: Any, field: str) -> None:
    """Refuse 64-bit integers that JAX would cut down to other numbers: 2**33 + 3 becomes 3."""
    wide = isinstance(array, np.ndarray) and array.dtype in (np.int64, np.uint64)
    if wide and not jax.config.values["jax_enable_x64"]:
        limits = np.iinfo(np.int32 if array.dtype == np.int64 else np.uint32)
        remedy = "number things from 0, or use jax.enable_x64"
        expected = f"integers of 32 bits, {limits.min}..{limits.max}"
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        require(limits.min <= low and high <= limits.max, field, f"{low}..{high}", expected, remedy)


def _check_layout(shape: tuple[int, ...], field: str) -> None:
    """Refuse images [n, channels, height, width]: a network would take rows of pixels for channels."""
    _, channels, height, width = shape
    # A single channel might be a height of 1, so it must stand before a square.
    first = channels == 3 or (channels == 1 and height == width)
    wrong = first and min(height, width) > LARGEST_CHANNELS
    remedy = "move the channels to the end: images.transpose(0, 2, 3, 1)"
    require(not wrong, field, f"shape {shape}", "images [n, height, width, channels]", remedy)


def _check_inputs(inputs: np.ndarray, field: str) -> None:
    """Rank, dtype, finiteness and, for float images, range."""
    require(
        inputs.ndim in (2, 4) and inputs.size > 0,
        field,
        f"shape {inputs.shape}",
        "images [n, height, width, channels] or points [n, features]",
        "grey images need one channel: images[..., None]",
    )
    images = inputs.ndim == 4
    if images:
        _check_layout(inputs.shape, field)
    kinds = ("uint8", "float32") if images else ("float32",)
    require(inputs.dtype in kinds, field, str(inputs.dtype), " or ".join(kinds), "use .astype(np.float32)")
    if inputs.dtype == np.uint8:
        return
    _check_finite(inputs, field)
    if images:
        low, high = float(inputs.min()), float(inputs.max())
        remedy = "scale the images"
        if high > 1.5:
            remedy = "uint8 values stored as float? divide by 255"
        # Half a unit of room: sums of images and added noise may leave 0..1 a little.
        require(low >= -0.5 and high <= 1.5, field, f"{low:g}..{high:g}", "float images in 0..1", remedy)


def _check_finite(array: np.ndarray, field: str) -> None:
    """Refuse NaN and infinity, naming the first row that has one."""
    finite = np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise InputError(
            field,
            f"NaN or infinity in row {row}",
            "finite numbers",
            f"repair or remove the {int((~finite).sum())} such rows",
        )


def _check_labels(labels: np.ndarray, classes: int, field: str) -> None:
    """Refuse labels that are no integers, not [n], or outside 0..classes-1."""
    require(labels.ndim == 1, field, f"shape {labels.shape}", "labels [n]", "use class numbers, not one-hot")
    require(labels.dtype.kind in "iu", field, str(labels.dtype), "integer labels", "use .astype(np.int32)")
    bad = (labels < 0) | (labels >= classes)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(
            field, f"{labels[row]} in row {row}", f"labels in 0..{classes - 1}", "check the number of classes"
        )
