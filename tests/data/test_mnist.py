import gzip
import http.server
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from jaxdl.data import fetch, idx, mnist, prepared
from jaxdl.data.sources import by_content, load
from jaxdl.errors import InputError

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def prepared_dir(real_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    assert mnist.prepare(real_data / "mnist", folder) == folder / "mnist" / "3.0.1"
    return folder


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A search order of empty folders below `tmp_path`."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.delenv("JAXDL_DATA", raising=False)
    return tmp_path


READ_WITH_TFDS = """
import importlib.util, sys
import numpy as np
import tensorflow_datasets as tfds
assert importlib.util.find_spec("tensorflow") is None
for split in ("train", "test"):
    source = tfds.data_source("mnist", split=split, data_dir=sys.argv[1])
    rows = source.__getitems__(range(len(source)))
    np.savez(f"{sys.argv[2]}/{split}.npz", input=np.stack([row["image"] for row in rows]),
             target=np.array([row["label"] for row in rows], np.int32))
first = tfds.data_source("mnist", split="train[:3]", data_dir=sys.argv[1])[2]
assert first["image"].shape == (28, 28, 1) and first["image"].dtype == np.uint8
assert "tensorflow" not in sys.modules
"""


def test_stock_tfds_reads_what_we_prepared_without_tensorflow(real_data, prepared_dir, tmp_path):
    command = [sys.executable, "-c", READ_WITH_TFDS, str(prepared_dir), str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    official = idx.read_splits(idx.find(real_data / "mnist"))
    for split in ("train", "test"):
        with np.load(tmp_path / f"{split}.npz") as rows:
            _, digest = by_content(dict(rows))
        assert digest == by_content(official[split])[1]  # equal as multisets of (image, label)


def test_all_roads_give_the_same_arrays(real_data, prepared_dir, nowhere, no_network):
    raw = nowhere / "plain" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in (real_data / "mnist").glob("*.gz"):
        (raw / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    as_files = load("mnist", nowhere / "plain")
    as_tfds = load("mnist", prepared_dir)
    for split, count in zip(SPLITS, (55000, 5000, 10000), strict=True):
        for name in ("input", "target"):
            one, other = (getattr(data, split)[name] for data in (as_files, as_tfds))
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype
        assert getattr(as_files, split)["input"].shape == (count, 28, 28, 1)
        assert getattr(as_files, split)["input"].dtype == np.uint8


def test_tfrecords_of_a_preparation_with_tensorflow_are_read(prepared_dir, tmp_path):
    import tensorflow_datasets as tfds

    place = tmp_path / "mnist" / "3.0.1"
    shutil.copytree(prepared_dir / "mnist" / "3.0.1", place)
    info = json.loads((place / "dataset_info.json").read_text())
    expected = {}
    for split in info["splits"]:
        source = tfds.builder_from_directory(str(prepared_dir / "mnist" / "3.0.1")).as_data_source(
            split["name"]
        )
        records = source.data_source.__getitems__(list(range(20)))
        expected[split["name"]] = [source[i]["label"] for i in range(20)]
        frames = [struct.pack("<QI", len(record), 0) + record + b"\0" * 4 for record in records]
        (file,) = place.glob(f"mnist-{split['name']}.array_record*")
        file.with_name(file.name.replace("array_record", "tfrecord")).write_bytes(b"".join(frames))
        file.unlink()
        split["shardLengths"] = ["20"]
    info["fileFormat"] = "tfrecord"
    (place / "dataset_info.json").write_text(json.dumps(info))
    splits = prepared.read(place)
    for split, labels in expected.items():
        assert splits[split]["target"].tolist() == labels
        assert splits[split]["input"].shape == (20, 28, 28, 1)
    with pytest.raises(InputError, match="those of MNIST"):
        mnist.read(tmp_path)  # only 20 rows


def test_what_is_prepared_stays(prepared_dir, tmp_path):
    assert mnist.prepare(tmp_path / "no files", prepared_dir) == prepared_dir / "mnist" / "3.0.1"
    assert sorted(path.name for path in prepared_dir.iterdir()) == ["mnist"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "no shard", "no features"])
def test_damaged_preparation_is_refused_by_name(prepared_dir, tmp_path, damage):
    place = tmp_path / "mnist" / "3.0.1"
    shutil.copytree(prepared_dir / "mnist" / "3.0.1", place)
    (shard,) = place.glob("mnist-train*")
    content = bytearray(shard.read_bytes())
    if damage == "cut":
        shard.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        for at in range(10**6, 10**6 + 1000):
            content[at] ^= 0x55
        shard.write_bytes(content)
    elif damage == "no shard":
        shard.unlink()
    else:
        (place / "features.json").unlink()
    with pytest.raises(InputError) as caught:
        mnist.read(tmp_path)
    assert str(place) in str(caught.value)
    assert "\n" not in str(caught.value)


def fake_files(folder, count=12):
    """Four valid IDX files that are not MNIST."""
    generator = np.random.default_rng(0)
    for images, labels in idx.FILES.values():
        idx.write(folder / images, generator.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        idx.write(folder / labels, generator.integers(0, 10, count, dtype=np.uint8))


def test_files_that_are_not_mnist_are_refused(tmp_path):
    files, data_dir = tmp_path / "files", tmp_path / "out"
    files.mkdir()
    with pytest.raises(InputError, match="a folder with t10k-labels"):
        mnist.prepare(files, data_dir)
    fake_files(files)
    with pytest.raises(InputError, match="those of MNIST"):
        mnist.prepare(files, data_dir)
    with pytest.raises(InputError, match="load it as 'idx'"):
        load("mnist", files)
    (files / idx.FILES["test"][0]).write_bytes(b"nonsense")
    with pytest.raises(InputError, match="t10k-images"):
        mnist.prepare(files, data_dir)
    assert not data_dir.exists()


def test_a_failed_preparation_leaves_nothing(tmp_path, real_data, monkeypatch):
    def fail(splits, version, work):
        Path(work, "mnist").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setattr(prepared, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        mnist.prepare(real_data / "mnist", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_data_and_network_the_ways_out_are_named(nowhere, no_network):
    with pytest.raises(InputError) as caught:
        load("mnist", nowhere / "given")
    said = (
        "dataset: got 'mnist'",
        "Network is unreachable",
        "--data-dir FOLDER",
        "$JAXDL_DATA",
        "--download",
    )
    for words in (*said, "train-images"):
        assert words in str(caught.value)
    assert len(no_network) == 1
    assert list(nowhere.iterdir()) == []


def test_a_closed_port_and_a_silent_server_fail_in_time(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts by itself and never answers
        port = silent.getsockname()[1]
        monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{port}/")
        start = time.monotonic()
        with pytest.raises(InputError, match=r"no answer|timed out"):
            mnist.download(tmp_path, timeout=0.3)
    with pytest.raises(InputError, match="refused"):
        mnist.download(tmp_path)
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server(real_data, monkeypatch):
    """A local server with the official files; `server.spoil` names one that it sends damaged."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/")
            content = (real_data / "mnist" / name).read_bytes()
            local.asked.append(name)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if name == local.cut:
                content = content[:1000]
            if name == local.spoil:
                content = content[:-1] + bytes([content[-1] ^ 1])
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    local = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    local.asked, local.cut, local.spoil = [], None, None
    monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{local.server_port}/")
    thread = threading.Thread(target=local.serve_forever)
    thread.start()
    yield local
    local.shutdown()
    thread.join()
    local.server_close()


def test_download_then_load(server, nowhere):
    data = load("mnist", nowhere / "given")
    assert len(data.train["target"]) == 55000
    assert sorted(server.asked) == sorted(mnist.SHA256)
    assert sorted(path.name for path in (nowhere / "given" / "mnist").iterdir()) == sorted(mnist.SHA256)
    mnist.download(nowhere / "given" / "mnist")
    assert len(server.asked) == 4  # what is there is not fetched again


def test_wrong_bytes_are_not_kept(server, tmp_path):
    server.spoil = "t10k-images-idx3-ubyte.gz"
    with pytest.raises(InputError, match="sha256"):
        mnist.download(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "t10k-labels-idx1-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
    ]
    server.spoil, server.cut = None, "t10k-images-idx3-ubyte.gz"
    with pytest.raises(InputError, match="IncompleteRead"):
        mnist.download(tmp_path)
    server.cut = None
    mnist.download(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_that_cannot_be_written_is_refused(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="data_dir"):
        mnist.download(tmp_path / "file" / "mnist")


def test_checksums_are_those_of_the_official_files(real_data, tmp_path, no_network):
    for name, sha256 in mnist.SHA256.items():
        shutil.copy(real_data / "mnist" / name, tmp_path / name)
        fetch.fetch("http://none", tmp_path / name, sha256, "remedy")
    assert no_network == []


def test_command(prepared_dir, nowhere, no_network, capsys):
    assert mnist.main(["--files", "unused", "--data-dir", str(prepared_dir)]) == 0
    assert capsys.readouterr().out.strip() == str(prepared_dir / "mnist" / "3.0.1")
    for arguments in (["--download"], ["--files", str(nowhere), "--data-dir", str(nowhere / "out")]):
        assert mnist.main(arguments) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert len(output.err.strip().splitlines()) == 1
    with pytest.raises(SystemExit) as caught:
        mnist.main([])
    assert caught.value.code == 2


def test_module_runs_as_a_command():
    command = [sys.executable, "-W", "error", "-m", "jaxdl.data.mnist", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--files FOLDER" in done.stdout
    assert done.stderr == ""
