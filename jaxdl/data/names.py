"""Given names, one row of characters each: sequences of uneven length.

The embedded names are the commonest of those given in the United States in 2018, as published by
the Social Security Administration; works of the US government are in the public domain.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxdl.data.text import encode
from jaxdl.errors import InputError, require

EMBEDDED = Path(__file__).with_name("given_names.txt")
END = "\n"  # stands before and after every name, and is character 0 of the vocabulary


class Names(NamedTuple):
    """Names as rows of characters.

    train, validation, test: {"input": int32 [n, longest + 1], a name with `END` before it,
        "target": the same with `END` after it, "length": int32 [n], steps that count}; 80, 10 and
        10 % of the names.
    vocabulary: the characters of all names, sorted; character i has number i.
    known: all names of `train`.
    """

    train: dict[str, np.ndarray]
    validation: dict[str, np.ndarray]
    test: dict[str, np.ndarray]
    vocabulary: str
    known: frozenset[str]


def load(path: str | os.PathLike[str] | None = None) -> Names:
    """Read a file with one name per line (UTF-8), by default the embedded one.

    Each name counts once. The split is fixed, drawn with a generator of its own.

    Args:
      path: of a file with at least ten names.

    Raises:
      InputError: a file that cannot be read, or too few names.

    >>> names = load()
    >>> names.vocabulary
    '\\nabcdefghijklmnopqrstuvwxyz'
    """
    file = EMBEDDED if path is None else Path(path).expanduser()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("text", str(file), "a text file in UTF-8", str(error)) from None
    every = sorted({line.strip() for line in lines} - {""})
    require(len(every) >= 10, "text", f"{len(every)} names", "at least 10 lines", "use a longer list")
    vocabulary = END + "".join(sorted(set("".join(every))))
    longest = max(len(name) for name in every)
    order = np.random.default_rng(0).permutation(len(every))
    train, validation = int(0.8 * len(every)), max(1, int(0.1 * len(every)))
    parts = [[every[i] for i in rows] for rows in np.split(order, [train, train + validation])]
    first, second, third = (as_rows(part, vocabulary, longest) for part in parts)
    return Names(first, second, third, vocabulary, frozenset(parts[0]))


def as_rows(names: list[str], vocabulary: str, longest: int) -> dict[str, np.ndarray]:
    """Names as rows of characters, see `Names`; what follows the end is `END`.

    >>> rows = as_rows(["ab", "a"], vocabulary="\\nab", longest=2)
    >>> rows["input"].tolist(), rows["target"].tolist(), rows["length"].tolist()
    ([[0, 1, 2], [0, 1, 0]], [[1, 2, 0], [1, 0, 0]], [3, 2])
    """
    framed = [END + name + END * (longest + 1 - len(name)) for name in names]
    codes = encode("".join(framed), vocabulary).reshape(len(names), longest + 2)
    lengths = np.array([len(name) + 1 for name in names], np.int32)
    return {"input": codes[:, :-1], "target": codes[:, 1:], "length": lengths}


def pairs_of_characters(train: dict[str, np.ndarray], rows: dict[str, np.ndarray], size: int) -> float:
    """Cross-entropy of names in bits per character, under the best model that sees one character.

    The frequencies of pairs in `train`, each counted once more than it is seen, so that none is
    impossible.

    Args:
      train, rows: as in `Names`; counted in the first, measured on the second.
      size: of the vocabulary.
    """
    counts = np.ones((size, size))
    np.add.at(counts, _steps(train), 1)
    likely = counts / counts.sum(1, keepdims=True)
    return float(-np.log2(likely[_steps(rows)]).mean())


def _steps(rows: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(character, next character) of all steps that count."""
    real = np.arange(rows["input"].shape[1])[None] < rows["length"][:, None]
    return rows["input"][real], rows["target"][real]
