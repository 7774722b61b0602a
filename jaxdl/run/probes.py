"""What the data say before the first step: host probes on at most 1,000 rows, for the training doctor."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxdl.run.illnesses import BADLY_FED, MISALIGNED, OTHER_RATIO, Diagnosis, diagnosis

ROWS = 1000
LEAST = 50  # rows; on fewer, nothing can be told from chance
RELATED = 4.0  # standard deviations above shuffled labels
FITS = 8.0  # the same for labels moved by some rows, of which several are tried
SHIFTS = (-3, -2, -1, 1, 2, 3)
SMALL, LARGE = 0.01, 10.0  # root mean square of inputs that are scaled
SHUFFLES = 30
VOCABULARY = 512  # tokens; of more, a thousand rows tell little

Rows = Mapping[str, Any]  # arrays [n, ...] by name


def first_batches(source: Any) -> list[Any]:
    """The batches of the host road that hold the first `ROWS` rows, at least three and at most 100.

    Args:
      source: a function from a step to an iterator of batches, as `fit` takes it.
    """
    batches = source(0)
    first = next(batches)
    size = len(next(iter(first.values()))) if isinstance(first, Mapping) and first else ROWS
    return [first, *itertools.islice(batches, int(np.clip(-(-ROWS // max(size, 1)), 3, 100)) - 1)]


def take(data: Any, rows: int = ROWS, scattered: bool = True) -> dict[str, np.ndarray]:
    """At most `rows` rows on the host, from all over the data or from their beginning; {} without rows.

    Args:
      data: arrays by name, `first_batches`, or anything else.
      rows: at most.
      scattered: drawn from all over the data.
    """
    if isinstance(data, list) and data and isinstance(data[0], Mapping):
        data = {name: np.concatenate([np.asarray(batch[name]) for batch in data]) for name in data[0]}
    if not isinstance(data, Mapping) or not data or "input" not in data or not np.ndim(data["input"]):
        return {}
    n = len(data["input"])
    index = np.arange(min(rows, n))
    if scattered and n > rows:
        index = np.sort(np.random.default_rng(0).choice(n, rows, replace=False))
    return {name: np.asarray(x[index]) for name, x in data.items() if np.ndim(x) and len(x) == n}


def chance(target: np.ndarray | None) -> float | None:
    """The loss of who knows nothing of the inputs: entropy of labels in nats, mean square of numbers.

    That is for cross-entropy and for squared errors summed over the outputs; None without targets.

    >>> round(chance(np.array([0, 1, 0, 1])), 4), chance(np.array([[1.0, 2.0]]))
    (0.6931, 5.0)
    """
    if target is None or not target.size:
        return None
    if np.issubdtype(target.dtype, np.integer):
        shares = np.unique(target, return_counts=True)[1] / target.size
        return float(-(shares * np.log(shares)).sum())
    return float(np.square(target.astype(np.float64)).reshape(len(target), -1).sum(1).mean())


def badly_fed(rows: Rows) -> Diagnosis | None:
    """Inputs that are not finite, that are all the same, or that are far from a scale of 1."""
    inputs = rows.get("input")
    if inputs is None or len(inputs) < 2:
        return None
    seen = None
    if (inputs == inputs[:1]).all():
        seen = f"the first {len(inputs)} inputs looked at are all the same"
    elif np.issubdtype(inputs.dtype, np.floating) or inputs.dtype == np.uint8:
        values = inputs.astype(np.float64) / (255 if inputs.dtype == np.uint8 else 1)
        scale = float(np.sqrt(np.square(values).mean()))
        if not np.isfinite(values).all():
            seen = f"{(~np.isfinite(values)).sum()} of {values.size} input values are not finite"
        elif not SMALL <= scale <= LARGE:
            seen = f"inputs of root mean square {scale:.3g}, from {values.min():.3g} to {values.max():.3g}"
    return None if seen is None else diagnosis(BADLY_FED, seen, 0)


def same_again(batches: list[Rows]) -> Diagnosis | None:
    """The first batches of the host road are one and the same."""
    inputs = [
        np.asarray(batch["input"]) for batch in batches if isinstance(batch, Mapping) and "input" in batch
    ]
    if len(inputs) < 3 or not all(np.array_equal(inputs[0], each) for each in inputs[1:]):
        return None
    return diagnosis(BADLY_FED, f"the first {len(inputs)} batches are one and the same", 0)


def other_ratio(train: np.ndarray, validation: np.ndarray) -> Diagnosis | None:
    """The class ratio differs between the splits, beyond what drawing rows at random can do.

    Args:
      train, validation: integer labels, [n] each; numbers and labels of steps have no ratio.
    """
    plain = all(x.ndim == 1 and np.issubdtype(x.dtype, np.integer) for x in (train, validation))
    if not plain or min(len(train), len(validation)) < LEAST:
        return None
    from scipy.stats import chi2_contingency

    classes = np.union1d(train, validation)
    counts = np.array([(split[:, None] == classes).sum(0) for split in (train, validation)])
    shares = counts / counts.sum(1, keepdims=True)
    distance = 0.5 * np.abs(shares[0] - shares[1]).sum()
    if len(classes) < 2 or distance < 0.1 or chi2_contingency(counts).pvalue > 1e-6:  # type: ignore[union-attr]
        return None
    worst = int(np.abs(shares[0] - shares[1]).argmax())
    seen = (
        f"class {classes[worst]} is {shares[0, worst]:.1%} of the training rows and "
        f"{shares[1, worst]:.1%} of the validation rows"
    )
    return diagnosis(OTHER_RATIO, seen, 0)


def relation(rows: Rows) -> float | None:
    """How far true labels predict better than shuffled ones, in standard deviations; None if unknown.

    The best of three tiny fits: the nearest other row, a linear and a Gaussian kernel ridge
    trained on one half of the rows and tried on the other. Sequences bring the sums of their
    products and their last step beside their values; of outputs at every step, a step sees
    itself and the one before.
    """
    made = _design(rows)
    if made is None:
        return None
    x, y = made
    distances = _distances(x)
    halves, rng = np.arange(len(x)) % 2 == 0, np.random.default_rng(0)
    width = np.median(distances[distances > 0]) if (distances > 0).any() else 1.0
    scores = []
    for kernel in (x @ x.T / x.shape[1], np.exp(-distances / width)):
        inside = kernel[np.ix_(halves, halves)] + 0.1 * np.eye(halves.sum())
        predict = np.linalg.solve(inside, kernel[np.ix_(halves, ~halves)]).T
        scores.append(lambda y, predict=predict: -float(np.square(predict @ y[halves] - y[~halves]).mean()))
    nearest = _nearest(distances)
    scores.append(lambda y: -float(np.square(y[nearest] - y).mean()))
    shuffled = [y[rng.permutation(len(y))] for _ in range(SHUFFLES)]
    return max(_deviations(score(y), [score(each) for each in shuffled]) for score in scores)


def misaligned(rows: Rows, consecutive: Rows) -> Diagnosis | None:
    """Labels that fit other rows than their own, a few rows before or after.

    Args:
      rows: from all over the data.
      consecutive: as they are stored.
    """
    related, made = relation(rows), _design(consecutive)
    if related is None or related >= RELATED or made is None or consecutive["target"].ndim > 2:
        return None
    x, y = made
    nearest, rng = _nearest(_distances(x)), np.random.default_rng(0)

    def score(y: np.ndarray) -> float:
        return -float(np.square(y[nearest] - y).mean())

    shuffled = [score(y[rng.permutation(len(y))]) for _ in range(SHUFFLES)]
    fits = {shift: _deviations(score(np.roll(y, -shift, axis=0)), shuffled) for shift in SHIFTS}
    best = max(SHIFTS, key=lambda shift: fits[shift])
    if fits[best] < FITS:
        return None
    seen = (
        f"labels predict no better than shuffled ones ({related:.1f} standard deviations), those {abs(best)} "
        f"row{'s' * (abs(best) > 1)} {'later' if best > 0 else 'before'} do ({fits[best]:.0f})"
    )
    return diagnosis(MISALIGNED, seen, 0)


def unrelated(related: float, loss: float, chance: float, step: int) -> Diagnosis | None:
    """No tiny fit finds a relation between inputs and labels, and the network has found none either."""
    if related >= RELATED or not loss >= 0.9 * chance:
        return None
    seen = (
        f"three tiny fits predict the labels no better than shuffled ones ({related:.1f} standard "
        f"deviations), and the loss {loss:.4g} is still that of chance, {chance:.4g}"
    )
    return diagnosis(MISALIGNED, seen, step)


def _design(rows: Rows) -> tuple[np.ndarray, np.ndarray] | None:
    """Standardised features [n, d] and targets [n, k] (labels as one-hot rows), or None."""
    if "target" not in rows or len(rows["target"]) < LEAST:
        return None
    inputs, targets = np.asarray(rows["input"]), np.asarray(rows["target"])
    tokens = np.issubdtype(inputs.dtype, np.integer) and inputs.dtype != np.uint8
    if tokens and inputs.max(initial=0) >= VOCABULARY:
        return None
    length = rows.get("length", np.full(len(inputs), inputs.shape[1] if inputs.ndim > 1 else 1))
    inputs = np.eye(int(inputs.max(initial=0)) + 1)[inputs] if tokens else inputs.astype(np.float64)
    if inputs.ndim == 3 and targets.ndim > 1 and targets.shape[1] == inputs.shape[1] > 1:
        real = np.arange(inputs.shape[1]) < np.asarray(length)[:, None]
        before = np.pad(inputs, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        x, y = np.concatenate([inputs, before], -1)[real][:ROWS], targets[real][:ROWS]
    else:
        x, y = inputs.reshape(len(inputs), -1), targets
        if inputs.ndim == 3:
            x = np.concatenate([x, _summary(inputs, np.asarray(length))], axis=1)
    if np.issubdtype(y.dtype, np.integer):
        if y.size > len(y):  # a label for every pixel: no single one that a row could be found by
            return None
        y = (y.reshape(len(y), 1) == np.unique(y)).astype(np.float64)
    y = y.reshape(len(y), -1).astype(np.float64)
    spread = x.std(0)
    x, y = (x - x.mean(0))[:, spread > 1e-9] / spread[spread > 1e-9], y - y.mean(0)
    return (x, y) if x.size and y.any() and np.isfinite(x).all() and np.isfinite(y).all() else None


def _summary(sequences: np.ndarray, length: np.ndarray) -> np.ndarray:
    """The last step, the mean, and the mean products of the features, weighed as all values together."""
    real = (np.arange(sequences.shape[1]) < length[:, None])[..., None]
    kept = np.where(real, sequences, 0)
    last = kept[np.arange(len(kept)), np.maximum(length, 1) - 1]
    few = kept[..., :16]  # products of many features would be too many
    products = np.einsum("nta,ntb->nab", few, few).reshape(len(kept), -1) / length[:, None]
    return np.concatenate([last, kept.sum(1) / length[:, None], products], axis=1)


def _distances(x: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of rows, [n, n]."""
    square = np.square(x).sum(1)
    return np.maximum(square[:, None] + square[None] - 2 * x @ x.T, 0)


def _nearest(distances: np.ndarray) -> np.ndarray:
    """The nearest other row of each, int [n]."""
    return (distances + np.diag(np.full(len(distances), np.inf))).argmin(1)


def _deviations(value: float, shuffled: list[float]) -> float:
    return float((value - np.mean(shuffled)) / max(np.std(shuffled), 1e-12))
