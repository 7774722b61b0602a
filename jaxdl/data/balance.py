"""Balancing the classes of a training set: fewer rows, repeated rows, or new ones (002:349-351).

For the training rows only: validation and test keep the proportions of reality (002:346-348).
Every function takes all that is random from a NumPy generator and returns arrays in which each
class that it met has equally many rows, class after class: shuffle them, or let `order.rows` do it.
Classes are taken in rising order and rows drawn as imbalanced-learn does, so that the same draws
give the same arrays.
"""

import numpy as np

from jaxdl.errors import require, require_number

Rows = tuple[np.ndarray, np.ndarray]


def under_sample(inputs: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> Rows:
    """Keep as many rows of every class as the rarest has, drawn without repetition.

    Args:
        inputs: [n, ...], any dtype.
        labels: integers [n], at least two classes.
        generator: draws the rows.

    Returns:
        (inputs [kept, ...], labels [kept]), sorted by label; the dtypes stay.

    Raises:
        InputError: lengths that differ, labels that are no integers, or a single class.

    >>> inputs = np.arange(5.0)[:, None]
    >>> labels = np.array([0, 0, 0, 1, 1])
    >>> kept, classes = under_sample(inputs, labels, np.random.default_rng(0))
    >>> classes.tolist(), kept[2:, 0].tolist()
    ([0, 0, 1, 1], [3.0, 4.0])
    """
    counts = _count(inputs, labels)
    rarest = min(counts, key=counts.__getitem__)
    rows = {label: np.flatnonzero(labels == label) for label in counts}
    for label in counts:
        if label != rarest:  # which is kept as it is
            rows[label] = generator.choice(rows[label], counts[rarest], replace=False)
    kept = np.concatenate(list(rows.values()))
    return inputs[kept], labels[kept]


def over_sample(inputs: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> Rows:
    """Repeat drawn rows of every class until each has as many as the commonest.

    Args:
        inputs: [n, ...], any dtype.
        labels: integers [n], at least two classes.
        generator: draws the rows, with repetition.

    Returns:
        (inputs [n + repeated, ...], labels [n + repeated]): all the given rows first, in their order.

    Raises:
        InputError: lengths that differ, labels that are no integers, or a single class.

    >>> inputs = np.arange(4.0)[:, None]
    >>> more, classes = over_sample(inputs, np.array([0, 0, 0, 1]), np.random.default_rng(0))
    >>> more[:, 0].tolist(), classes.tolist()
    ([0.0, 1.0, 2.0, 3.0, 3.0, 3.0], [0, 0, 0, 1, 1, 1])
    """
    counts = _count(inputs, labels)
    most = max(counts.values())
    rows = [np.arange(len(labels))]
    for label, count in counts.items():
        rows.append(generator.choice(np.flatnonzero(labels == label), most - count))
    drawn = np.concatenate(rows)
    return inputs[drawn], labels[drawn]


def smote(
    inputs: np.ndarray, labels: np.ndarray, generator: np.random.Generator, neighbours: int = 5
) -> Rows:
    """Invent rows between neighbours of a class until each class has as many as the commonest.

    A new row is x + gap * (y - x): x a drawn row of the class, y one of its nearest neighbours
    within the class, gap uniform in 0..1. Chawla et al. take every x equally often; here x is
    drawn, as in imbalanced-learn, which allows any number of new rows.

    Paper: Chawla, Bowyer, Hall, Kegelmeyer 2002, SMOTE: synthetic minority over-sampling technique.

    Args:
        inputs: float [n, features], finite; features on comparable scales, for distances are Euclidean.
        labels: integers [n], at least two classes.
        generator: draws, for one class after the other, pairs (x, y) and then gaps.
        neighbours: how many nearest rows y is drawn from, >= 1.

    Returns:
        (inputs [n + new, features], labels [n + new]): all the given rows first; the dtypes stay.

    Raises:
        InputError: as for `over_sample`; inputs of another rank or dtype, NaN; a class to fill up
            that has no more rows than `neighbours`.

    >>> inputs = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    >>> more, classes = smote(inputs, np.array([0, 0, 0, 1, 1]), np.random.default_rng(0), neighbours=1)
    >>> print(more[5:].round(2), classes[5:])
    [[10.73]] [1]
    """
    from sklearn.neighbors import NearestNeighbors

    counts = _count(inputs, labels)
    most = max(counts.values())
    _check_smote(inputs, counts, neighbours)
    parts, classes = [inputs], [labels]
    for label, count in counts.items():
        if count == most:
            continue
        points = inputs[labels == label]
        search = NearestNeighbors(n_neighbors=neighbours + 1).fit(points)
        # The first is the row itself, or one that is equal to it.
        near = search.kneighbors(points, return_distance=False)[:, 1:]
        pairs = generator.integers(0, near.size, size=most - count)
        gaps = generator.uniform(size=most - count)[:, None]
        x, y = points[pairs // neighbours], points[near.ravel()[pairs]]
        parts.append((x + gaps * (y - x)).astype(inputs.dtype))
        classes.append(np.full(most - count, label, labels.dtype))
    return np.concatenate(parts), np.concatenate(classes)


def _count(inputs: np.ndarray, labels: np.ndarray) -> dict[int, int]:
    """Rows by label, labels in rising order; refuses what has no classes to balance."""
    require(
        labels.ndim == 1, "labels", f"shape {labels.shape}", "labels [n]", "use class numbers, not one-hot"
    )
    require(labels.dtype.kind in "iu", "labels", str(labels.dtype), "integer labels", "use .astype(np.int32)")
    require(
        len(inputs) == len(labels),
        "inputs",
        f"{len(inputs)} inputs, {len(labels)} labels",
        "one label per input",
        "check that they belong together",
    )
    found, counts = np.unique(labels, return_counts=True)
    require(len(found) >= 2, "labels", f"{len(found)} class(es)", "at least two classes", "add the others")
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _check_smote(inputs: np.ndarray, counts: dict[int, int], neighbours: int) -> None:
    """Refuse rows between which no line can be drawn."""
    shape, dtype = f"shape {inputs.shape}", inputs.dtype
    require(inputs.ndim == 2, "inputs", shape, "[n, features]", "flatten images: x.reshape(len(x), -1)")
    require(dtype.kind == "f", "inputs", str(dtype), "real numbers", "use .astype(np.float32)")
    require(bool(np.isfinite(inputs).all()), "inputs", "NaN or infinity", "finite numbers", "repair the rows")
    require_number("neighbours", neighbours, 1, whole=True, remedy="5 is the paper's")
    fewest = min(counts.values())
    require(
        fewest > neighbours or fewest == max(counts.values()),
        "neighbours",
        neighbours,
        f"fewer than the {fewest} rows of the rarest class",
        "take fewer neighbours, or over_sample",
    )
