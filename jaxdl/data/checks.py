"""The checks every data set passes on the host, before anything is compiled.

JAX refuses none of this: a label out of range becomes a row of zeros or the last class, a NaN
poisons the weights some steps later, and images in 0..255 just train badly.
"""

import numpy as np

from jaxdl.errors import InputError, require


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
