"""Texts and names as numbers: splits, windows in reading order, rows of uneven length."""

import itertools

import jax
import numpy as np
import pytest

from jaxdl import InputError
from jaxdl.data import names, text


def test_embedded_text_is_there_and_comes_back():
    loaded = text.load()
    assert 20_000 <= sum(map(len, loaded[1:4])) <= 62_000
    whole = "".join(text.decode(part, loaded.vocabulary) for part in loaded[1:4])
    assert whole == text.EMBEDDED.read_text(encoding="utf-8")
    assert loaded.vocabulary == "".join(sorted(set(whole)))
    assert loaded.train.dtype == np.int32


def test_split_is_that_of_tiny_shakespeare(tmp_path):
    file = tmp_path / "play.txt"
    file.write_text("ab" * 557_697)
    assert [len(part) for part in text.load(file)[1:4]] == [1_003_854, 55_769, 55_771]
    assert text.load(file).name == "play"


def test_windows_are_read_in_order():
    codes, batch = np.arange(100), 4
    cut = text.windows(codes, length=5, streams=batch)
    n = len(cut["start"])
    each = n // batch
    batches = [np.asarray(text.in_order(jax.random.key(0), step, n, batch)) for step in range(each)]
    assert sorted(np.concatenate(batches)) == list(range(n))
    for before, after in itertools.pairwise(batches):
        # The first character of a window is the one that the window before was to predict last.
        assert (cut["input"][after, 0] == cut["target"][before, -1]).all()
    assert cut["start"][batches[0]].all()
    assert not cut["start"][np.concatenate(batches[1:])].any()
    assert (cut["target"] == cut["input"] + 1).all()
    assert (np.asarray(text.in_order(jax.random.key(0), each, n, batch)) == batches[0]).all()


def test_streams_use_nearly_all_of_a_text():
    for length in (150, 1501, 55_770):
        rows = text.streams(np.arange(length))
        assert length - 33 <= rows["input"].size <= length - 1
        assert (rows["target"] == rows["input"] + 1).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: text.load(path / "none.txt"), "text: got .*none.txt"),
        (lambda path: text.load(path / "short.txt"), "got '5 characters'"),
        (lambda path: text.load(path / "bytes.txt"), "a text file in UTF-8"),
        (lambda path: names.load(path / "short.txt"), "got '1 names'"),
        (lambda path: text.encode("abc", "ab"), "text: got 'c', expected characters of the vocabulary"),
        (lambda path: text.windows(np.arange(20), 5, 4), "got '20 characters', expected more than 4 x 5"),
        (lambda path: text.in_order(None, 0, 7, 2), "batch_size: got 2"),
    ],
)
def test_bad_input_is_refused(call, message, tmp_path):
    (tmp_path / "short.txt").write_text("abcab")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\xff" * 100)
    with pytest.raises(InputError, match=message):
        call(tmp_path)


def test_names_are_framed_and_split_once():
    loaded = names.load()
    seen = set()
    for split in (loaded.train, loaded.validation, loaded.test):
        for row, target, length in zip(split["input"], split["target"], split["length"], strict=True):
            name = text.decode(row[:length], loaded.vocabulary)[1:]
            assert name.isalpha()
            assert name.islower()
            assert text.decode(target[:length], loaded.vocabulary) == name + names.END
            assert not target[length:].any()
            assert name not in seen
            seen.add(name)
    assert len(seen) == len(names.EMBEDDED.read_text().split())
    assert len(loaded.known) == len(loaded.train["length"])


def test_pairs_of_characters_by_hand():
    rows = names.as_rows(["ab", "ab"], "\nab", longest=3)
    # Pairs "\na", "ab", "b\n" are seen twice, each counted three times out of five.
    assert names.pairs_of_characters(rows, rows, 3) == pytest.approx(-np.log2(3 / 5))
