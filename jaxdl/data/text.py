"""Characters of a text as numbers: vocabulary, fixed split, and windows for a recurrent network.

The embedded text is Acts I and II of Shakespeare's Romeo and Juliet (1597), in the public domain,
as they stand in the "tiny shakespeare" collection.
"""

import os
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import InputError, require, require_number

EMBEDDED = Path(__file__).with_name("romeo_and_juliet.txt")


class Text(NamedTuple):
    """A text as the numbers of its characters, split where it stands: one part follows the other.

    name: of the file, without its ending.
    train, validation, test: int32 [n], the first 90 %, the next 5 % and the last 5 %.
    vocabulary: the characters of all parts, sorted; character i has number i.
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    vocabulary: str


def load(path: str | os.PathLike[str] | None = None) -> Text:
    """Read a text file (UTF-8), by default the embedded one.

    Shares of 90, 5 and 5 % are those of the TFDS data set `tiny_shakespeare`: its file gives its
    split, character for character.

    Args:
      path: of a file with at least 100 characters, two of them different.

    Raises:
      InputError: a file that cannot be read, or too little text.

    >>> text = load()
    >>> decode(text.train[:18], text.vocabulary)
    'SAMPSON:\\nGregory, '
    """
    file = EMBEDDED if path is None else Path(path).expanduser()
    try:
        content = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("text", str(file), "a text file in UTF-8", str(error)) from None
    vocabulary = "".join(sorted(set(content)))
    enough = len(content) >= 100 and len(vocabulary) >= 2
    require(enough, "text", f"{len(content)} characters", "at least 100, two different", "use a longer text")
    codes = encode(content, vocabulary)
    train, validation = int(0.9 * len(codes)), int(0.05 * len(codes))
    first, second, third = np.split(codes, [train, train + validation])
    return Text(file.stem, first, second, third, vocabulary)


def encode(text: str, vocabulary: str) -> np.ndarray:
    """Characters to their numbers, int32 [n].

    Raises:
      InputError: a character that the vocabulary lacks.

    >>> encode("cab", "abc")
    array([2, 0, 1], dtype=int32)
    """
    missing = sorted(set(text) - set(vocabulary))
    require(not missing, "text", "".join(missing), "characters of the vocabulary", f"it has {vocabulary!r}")
    numbers = {character: number for number, character in enumerate(vocabulary)}
    return np.array([numbers[character] for character in text], np.int32)


def decode(codes: np.ndarray, vocabulary: str) -> str:
    """The inverse of `encode`: numbers [n] to a text of n characters."""
    return "".join(vocabulary[code] for code in np.asarray(codes))


def windows(codes: np.ndarray, length: int, streams: int) -> dict[str, np.ndarray]:
    """Cut a text into windows that a network reads as `streams` readers side by side.

    The text is cut into equal pieces, one per stream, and these into windows. Windows of a stream
    follow each other, so that a network whose state is carried along reads on where it stopped;
    `in_order` hands them out like that. What is left over at the end is not used, less than
    `streams * length` characters.

    Args:
      codes: int [n], n > streams * length.
      length: characters per window.
      streams: pieces read in parallel, the rows of a batch.

    Returns:
      {"input": int32 [rows, length], "target": the characters that follow, int32 [rows, length],
      "start": bool [rows], True for the first window of a stream}, stream after stream.

    Raises:
      InputError: counts below 1, or a text too short for one window per stream.

    >>> cut = windows(np.arange(9), length=2, streams=2)
    >>> cut["input"].tolist(), cut["target"][0].tolist(), cut["start"].tolist()
    ([[0, 1], [2, 3], [4, 5], [6, 7]], [1, 2], [True, False, True, False])
    """
    for name, count in {"length": length, "streams": streams}.items():
        require_number(name, count, 1, whole=True, remedy="100 characters and 32 streams are usual")
    each = (len(codes) - 1) // (length * streams)
    expected = f"more than {streams} x {length} characters"
    require(each >= 1, "text", f"{len(codes)} characters", expected, "fewer rows or shorter windows")
    used = each * length * streams
    return {
        "input": codes[:used].reshape(-1, length).astype(np.int32),
        "target": codes[1 : used + 1].reshape(-1, length).astype(np.int32),
        "start": np.arange(each * streams) % each == 0,
    }


def streams(codes: np.ndarray, shortest: int = 500, most: int = 32) -> dict[str, np.ndarray]:
    """A text in few long rows, to be measured: what a row does not know of its past is soon learned.

    Args:
      codes: int [n].
      shortest: characters per row, unless the text itself is shorter.
      most: rows.

    Returns:
      {"input": int32 [rows, length], "target": the same moved on by one}.

    Raises:
      InputError: numbers below 1, or a text too short for a row.

    >>> streams(np.arange(1501))["input"].shape
    (3, 500)
    """
    for name, count in {"shortest": shortest, "most": most}.items():
        require_number(name, count, 1, whole=True, remedy="try the default")
    rows = int(np.clip(len(codes) // shortest, 1, most))
    cut = windows(codes, (len(codes) - 1) // rows, rows)
    return {"input": cut["input"], "target": cut["target"]}


def in_order(key: jax.Array, step: jax.Array | int, n: int, batch_size: int) -> jax.Array:
    """Rows of batch `step` of `windows`: window number `step` of every stream, round and round.

    The counterpart of `order.rows` for data whose order matters.

    Args:
      key: not used; nothing here is random.
      step: number of the batch.
      n: rows in all, `batch_size` times the windows of a stream.
      batch_size: streams.

    Raises:
      InputError: rows that are not the windows of so many streams.

    >>> in_order(None, 1, n=6, batch_size=2)
    Array([1, 4], dtype=int32)
    """
    remedy = "cut the text with streams=batch_size"
    require_number("batch_size", batch_size, 1, whole=True, remedy=remedy)
    require(n % batch_size == 0, "batch_size", batch_size, f"the number of streams of {n} windows", remedy)
    each = n // batch_size
    return (jnp.arange(batch_size) * each + step % each).astype(jnp.int32)
