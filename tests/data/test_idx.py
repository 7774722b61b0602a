import gzip
import struct

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from jaxdl.data import idx
from jaxdl.errors import InputError

ARRAYS = st.one_of(
    hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=5)) for dtype in (np.uint8, np.float32)
)


@settings(max_examples=30, deadline=None)
@given(ARRAYS, st.sampled_from(["a", "a.gz"]))
def test_written_files_read_back(tmp_path_factory, array, name):
    path = tmp_path_factory.mktemp("idx") / name
    idx.write(path, array)
    back = idx.read(path)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.flags.writeable


def test_bytes_are_those_of_the_format(tmp_path):
    idx.write(tmp_path / "a", np.array([[1, 2, 3]], np.uint8))
    assert (tmp_path / "a").read_bytes() == bytes([0, 0, 8, 2]) + struct.pack(">II", 1, 3) + b"\1\2\3"
    idx.write(tmp_path / "b", np.array([1.5], np.float32))
    assert (tmp_path / "b").read_bytes() == bytes([0, 0, 13, 1]) + struct.pack(">If", 1, 1.5)


def test_gzip_is_reproducible(tmp_path):
    for name in ("a.gz", "b.gz"):
        idx.write(tmp_path / name, np.arange(9, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


GOOD = bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + b"\1\2\3"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "header"),
        (b"\0\0", "header"),
        (b"PNG!" + GOOD[4:], "header"),
        (bytes([0, 0, 9]) + GOOD[3:], "type 0x09"),
        (bytes([0, 0, 8, 0]), "0 axes"),
        (bytes([0, 0, 8, 3]) + GOOD[4:], "3 axes"),
        (GOOD[:-1], "10 bytes"),
        (GOOD + b"\0", "12 bytes"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "18446744065119617037 bytes for shape"),
        (gzip.compress(GOOD, mtime=0)[:-5], "readable"),
        (gzip.compress(GOOD, mtime=0)[:15] + b"\xff" * 10, "readable"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path, content, reason):
    path = tmp_path / "train-images"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        idx.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        idx.read(tmp_path / "none")
    with pytest.raises(InputError, match="readable"):
        idx.read(tmp_path)


def test_write_refuses_what_the_format_or_the_reader_lacks(tmp_path):
    for array in (np.arange(3), np.array([True]), np.array(["a"])):
        with pytest.raises(InputError, match="uint8 or float32"):
            idx.write(tmp_path / "a", array)
    with pytest.raises(InputError, match="axis"):
        idx.write(tmp_path / "a", np.uint8(1))


def test_find_wants_all_four_and_takes_plain_files_first(tmp_path):
    names = [name for pair in idx.FILES.values() for name in pair]
    for name in names:
        assert idx.find(tmp_path) is None
        idx.write(tmp_path / (name + ".gz"), np.zeros(1, np.uint8))
    found = idx.find(tmp_path)
    assert found is not None
    assert found["test"][1].name == "t10k-labels-idx1-ubyte.gz"
    idx.write(tmp_path / names[0], np.zeros(1, np.uint8))
    assert idx.find(tmp_path)["train"][0].name == "train-images-idx3-ubyte"


def test_official_mnist_reads(real_data):
    splits = idx.read_splits(idx.find(real_data / "mnist"))
    assert splits["train"]["input"].shape == (60000, 28, 28, 1)
    assert splits["train"]["target"].dtype == np.int32
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(splits["test"]["target"]).tolist() == counts
    assert abs(splits["train"]["input"].mean() / 255 - 0.1307) < 1e-4
