"""MNIST without TensorFlow: reading it as TFDS prepared it or as four files, fetching, preparing.

TensorFlow Datasets reads a prepared MNIST without TensorFlow but cannot prepare one, so
`prepare` does, in TFDS's own format: afterwards the stock `tfds.data_source("mnist")` reads it.

    python -m jaxdl.data.mnist --download
    python -m jaxdl.data.mnist --files FOLDER --data-dir DIR

MNIST: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998; on the slides
003:550. Whatever the road, the rows are compared with a digest, so a folder that holds another
data set under MNIST's file names (Fashion-MNIST does) is not taken for MNIST.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from jaxdl.data import idx, prepared
from jaxdl.data.fetch import fetch
from jaxdl.data.sources import SEARCH_ORDER, Split, by_content, folders
from jaxdl.errors import InputError, require

VERSION = "3.0.1"  # of TFDS's data set
URL = "https://storage.googleapis.com/cvdf-datasets/mnist/"  # where TFDS fetches it, too
SHA256 = {  # smallest first, to notice early that there is no network
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
}
CONTENT = {  # digests of the rows, see `by_content`
    "train": "dc693edfe757b05561342b95f6e3e29f6fceaa8b995168545bef1cf8d390ad5c",
    "test": "7c1b66dbc28b3446eb3329faf2606a2bb5bd03de1d289ee0f8c173760439b93e",
}
WAYS_OUT = (
    f"put the four official files ({', '.join(SHA256)}) in a folder and name it with --data-dir FOLDER or "
    f"$JAXDL_DATA (searched: {SEARCH_ORDER}), or with a network run `python -m jaxdl.data.mnist --download`"
)
Splits = dict[str, Split]


def read(folder: Path) -> Splits | None:
    """MNIST from `folder`, if it is there.

    Looked for: the four files in `folder`, `folder/mnist` or `folder/MNIST/raw` (where torchvision
    keeps them), then `folder/mnist/VERSION` as prepared by TFDS. The files come first because they
    are read ten times faster and the arrays are the same.

    Returns:
        {"train": 60,000 rows, "test": 10,000 rows} in the order of `by_content`: "input" uint8
        [n, 28, 28, 1], "target" int32 [n]; or None.

    Raises:
        InputError: if what is there is damaged or is not MNIST.
    """
    for place in (folder, folder / "mnist", folder / "MNIST" / "raw"):
        files = idx.find(place)
        if files is not None:
            return _verified(idx.read_splits(files), place)
    place = folder / "mnist" / VERSION
    if (place / "dataset_info.json").is_file():
        return _verified(prepared.read(place), place)
    return None


def _verified(splits: Splits, place: Path) -> Splits:
    """The splits in the order of their content, once it is certain that they are MNIST."""
    ordered = {}
    for split, rows in splits.items():
        require(
            len(rows["input"]) == len(rows["target"]),
            f"folder {place}",
            f"{len(rows['input'])} {split} images, {len(rows['target'])} labels",
            "one label per image",
            "fetch the files again",
        )
        ordered[split], digest = by_content(rows)
        require(
            digest == CONTENT[split],
            f"folder {place}",
            f"{split} rows with digest {digest[:8]}…",
            f"those of MNIST, {CONTENT[split][:8]}…",
            "if another data set is meant, load it as 'idx'; else fetch the files again",
        )
    return ordered


def read_downloaded(places: list[Path]) -> Splits:
    """Download MNIST into `mnist` below the first of `places` that can be written, and read it."""
    folder = _first_writable(places)
    download(folder / "mnist")
    found = read(folder)
    assert found is not None, "the files were downloaded and verified a moment ago"
    return found


def download(folder: str | os.PathLike[str], timeout: float = 5) -> Path:
    """Fetch the four official files (11.6 MB) into `folder`; those that are there stay.

    Args:
        folder: made if missing.
        timeout: see `fetch`.

    Returns:
        The folder.

    Raises:
        InputError: without network, or if the bytes are not the official ones; it names the
            other ways to get the data.
    """
    folder = Path(folder).expanduser()
    for name, sha256 in SHA256.items():
        fetch(URL + name, folder / name, sha256, WAYS_OUT, timeout)
    return folder


def _first_writable(places: list[Path]) -> Path:
    """The first of `places` that exists, or can be made, with leave to write."""
    for place in places:
        existing = next(path for path in (place, *place.absolute().parents) if path.exists())
        if existing.is_dir() and os.access(existing, os.W_OK):
            return place
    raise InputError("data_dir", [str(place) for place in places], "a folder that can be written", WAYS_OUT)


def prepare(files: str | os.PathLike[str], data_dir: str | os.PathLike[str]) -> Path:
    """Prepare MNIST for TFDS, without TensorFlow: `data_dir/mnist/3.0.1` in about 5 seconds.

    Everything is written beside its place and renamed at the end, so that a failure or an
    interrupt leaves nothing half-made. What is already prepared stays as it is.

    Args:
        files: folder with the four official IDX files, gzipped or not.
        data_dir: folder of TFDS data sets, made if missing.

    Returns:
        The prepared folder; `tfds.data_source("mnist", split=…, data_dir=data_dir)` reads it.

    Raises:
        InputError: if the files are missing, damaged, or not MNIST's, or `data_dir` cannot be
            written.
    """
    files, data_dir = Path(files).expanduser(), Path(data_dir).expanduser()
    target = data_dir / "mnist" / VERSION
    if (target / "dataset_info.json").is_file():
        return target
    found = idx.find(files)
    if found is None:
        remedy = "fetch them with `python -m jaxdl.data.mnist --download`"
        raise InputError("files", str(files), f"a folder with {', '.join(SHA256)}", remedy)
    splits = _verified(idx.read_splits(found), files)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".mnist-", dir=data_dir) as work:
            prepared.write(splits, VERSION, work)
            target.parent.mkdir(exist_ok=True)
            Path(work, "mnist", VERSION).rename(target)
    except OSError as error:
        raise InputError("data_dir", str(error), "a folder that can be written", "choose another") from None
    return target


def main(argv: list[str] | None = None) -> int:
    """The command; exit code 2 and one line for what cannot be done."""
    parser = argparse.ArgumentParser("python -m jaxdl.data.mnist", description="Fetch or prepare MNIST.")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--download", action="store_true", help="fetch the official files into DIR/mnist")
    task.add_argument("--files", metavar="FOLDER", help="prepare DIR/mnist for TFDS from the official files")
    parser.add_argument("--data-dir", metavar="DIR", help=f"default: the first writable of {SEARCH_ORDER}")
    options = parser.parse_args(argv)
    try:
        data_dir = Path(options.data_dir) if options.data_dir else _first_writable(folders())
        done = download(data_dir / "mnist") if options.download else prepare(options.files, data_dir)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    print(done)
    return 0


if __name__ == "__main__":
    sys.exit(main())
