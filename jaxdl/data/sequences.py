"""Sequences of numbers, drawn from a seed: progressions, and a task that needs a long memory.

A set is `{"input": float32 [n, time, features], "target": float32 [n, 1]}`, and `"length"`,
int32 [n], where the rows are of uneven length: what follows the first `length` steps is zero.
"""

import numpy as np

from jaxdl.errors import require, require_number

LIMIT = 100.0  # all values of a progression, and the one to be found, are in 0..LIMIT
SLIDE = {"6, 7, 8": ((6.0, 7.0, 8.0), 9.0), "2, 4, 8": ((2.0, 4.0, 8.0), 16.0)}  # 003:1036-1038
Rows = dict[str, np.ndarray]


def progressions(seed: int, n: int, shortest: int = 3, longest: int = 6) -> Rows:
    """Arithmetic and geometric progressions, half of each; the target is the value that follows.

    The slide asks for what follows 6, 7, 8 and 2, 4, 8 (003:1028-1038): "to go by the 8 is not
    enough". Two values are not enough either; three tell the two kinds apart.

    An arithmetic progression is drawn by its first value and the one that follows it, so that
    its step keeps all values within 0..100. A geometric one is drawn by its ratio, between 1/3
    and 3, and its largest value.

    Args:
      seed: of NumPy's generator.
      n: rows.
      shortest, longest: values shown, 3 <= shortest <= longest.

    Returns:
      Input [n, longest, 1] and target [n, 1], values in 0..100; length [n].

    Raises:
      InputError: n < 1, or lengths out of range.

    >>> rows = progressions(seed=0, n=4)
    >>> rows["input"].shape, rows["target"].shape, int(rows["length"].min()) >= 3
    ((4, 6, 1), (4, 1), True)
    """
    require_number("seed", seed, 0, whole=True, remedy="0 is as good as any")
    require_number("n", n, 1, whole=True, remedy="it counts rows; use 1000")
    lengths = f"{shortest}..{longest}"
    require(3 <= shortest <= longest, "shortest..longest", lengths, "3 <= shortest <= longest", "try 3..6")
    generator = np.random.default_rng(seed)
    length = generator.integers(shortest, longest + 1, n)
    place = np.arange(longest + 1)[None]

    ends = generator.uniform(0, LIMIT, (2, n))
    arithmetic = ends[0][:, None] + ((ends[1] - ends[0]) / length)[:, None] * place

    ratio = 3.0 ** generator.uniform(-1, 1, n)
    largest = generator.uniform(0, LIMIT, n)
    first = largest / np.maximum(1, ratio**length)
    geometric = first[:, None] * ratio[:, None] ** place

    kind = np.arange(n) % 2 == 0
    values = np.where(kind[:, None], arithmetic, geometric)
    shown = np.where(place < length[:, None], values, 0)[:, :longest, None]
    target = np.take_along_axis(values, length[:, None], axis=1)
    return {
        "input": shown.astype(np.float32),
        "target": target.astype(np.float32),
        "length": length.astype(np.int32),
    }


def slide_pair(longest: int = 6) -> Rows:
    """The two progressions of the slide, 6, 7, 8 -> 9 and 2, 4, 8 -> 16, as `progressions` has them.

    A function of the last value alone says the same to both, at best 12.5: a mean squared error
    of 12.25.
    """
    pairs = list(SLIDE.values())
    inputs = np.zeros((len(pairs), longest, 1), np.float32)
    for row, (shown, _) in enumerate(pairs):
        inputs[row, : len(shown), 0] = shown
    targets = np.array([[target] for _, target in pairs], np.float32)
    return {"input": inputs, "target": targets, "length": np.full(len(pairs), 3, np.int32)}


def unit(rows: Rows) -> Rows:
    """Progressions in 0..1 instead of 0..100, as a network likes them; errors shrink by 100^2."""
    return {name: x if name == "length" else x / np.float32(LIMIT) for name, x in rows.items()}


def memoryless_error(rows: Rows, bins: int = 50) -> float:
    """A lower bound, measured on these rows, of the MSE of any function of the last value alone.

    The rows are sorted by their last value and cut into bins, and in each a straight line is
    fitted to the very targets it is measured on: no smooth function does much better.

    Args:
      rows: as from `progressions`, at least three rows per bin.
      bins: straight pieces.

    >>> round(memoryless_error(slide_pair(), bins=1), 4)  # "to go by the 8 is not enough"
    12.25
    """
    last = np.take_along_axis(rows["input"][..., 0], rows["length"][:, None] - 1, axis=1)[:, 0]
    errors = []
    for piece in np.array_split(np.argsort(last, kind="stable"), bins):
        target = rows["target"][piece, 0].astype(np.float64)
        design = np.stack([np.ones(len(piece)), last[piece].astype(np.float64)], axis=1)
        errors.append((design @ np.linalg.lstsq(design, target, rcond=None)[0] - target) ** 2)
    return float(np.concatenate(errors).mean())


def adding(seed: int, n: int, length: int = 120) -> Rows:
    """The adding problem: numbers, of which two are marked; the target is the sum of these two.

    After Hochreiter and Schmidhuber (1997, experiment 4): one mark in either half, so that the
    first must be kept over up to `length` steps. Who remembers nothing answers 1, with a mean
    squared error of 1/6, the variance of the sum.

    Args:
      seed: of NumPy's generator.
      n: rows.
      length: steps, >= 2.

    Returns:
      Input [n, length, 2], a number in 0..1 and a mark, 0 or 1; target [n, 1].

    Raises:
      InputError: n < 1 or length < 2.

    >>> rows = adding(seed=0, n=3, length=10)
    >>> numbers, marks = rows["input"][..., 0], rows["input"][..., 1]
    >>> bool(np.allclose((numbers * marks).sum(1), rows["target"][:, 0]))
    True
    """
    require_number("seed", seed, 0, whole=True, remedy="0 is as good as any")
    require_number("n", n, 1, whole=True, remedy="it counts rows; use 1000")
    require_number("length", length, 2, whole=True, remedy="100 steps or more are a test of memory")
    generator = np.random.default_rng(seed)
    numbers = generator.uniform(0, 1, (n, length))
    half = length // 2
    places = np.stack([generator.integers(0, half, n), generator.integers(half, length, n)], axis=1)
    marks = np.zeros((n, length))
    np.put_along_axis(marks, places, 1, axis=1)
    target = (numbers * marks).sum(1, keepdims=True)
    inputs = np.stack([numbers, marks], axis=2)
    return {"input": inputs.astype(np.float32), "target": target.astype(np.float32)}
