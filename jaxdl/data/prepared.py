"""MNIST in the format of TensorFlow Datasets, written and read without TensorFlow.

TFDS reads its array_record files without TensorFlow; its own builder of MNIST, however, opens
the downloaded files with it. Here a builder with the same name, version and features takes the
rows from memory instead, and TFDS cannot tell the result from its own. The other way round,
what TFDS prepared with TensorFlow is mostly in TFRecord files; these are read here as well.
"""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.errors import InputError

Splits = dict[str, dict[str, np.ndarray]]


def read(place: Path) -> Splits:
    """The splits `train` and `test` of a prepared data set, in the order it has them in.

    Args:
        place: the folder of one version, `…/mnist/3.0.1`.

    Returns:
        {"train": split, "test": split} with "input" uint8 [n, 28, 28, 1], "target" int32 [n].

    Raises:
        InputError: if it is damaged.
    """
    splits = {}
    try:
        with _quiet():
            import tensorflow_datasets as tfds

            builder: Any = tfds.builder_from_directory(str(place))
            for split in ("train", "test"):
                rows = _rows(builder, split, place)
                splits[split] = {
                    "input": np.stack([row["image"] for row in rows]),
                    "target": np.array([row["label"] for row in rows], np.int32),
                }
    except ImportError:
        raise
    except Exception as error:  # damaged files make each layer below raise something else
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        remedy = "remove the folder and prepare it again with `python -m jaxdl.data.mnist --files FOLDER`"
        raise InputError(f"folder {place}", reason, "a readable data set of TFDS", remedy) from None
    return splits


def _rows(builder: Any, split: str, place: Path) -> list[dict[str, Any]]:
    """All rows of a split, decoded."""
    if builder.info.file_format.value == "tfrecord":
        records = (
            record for name in builder.info.splits[split].filenames for record in _records(place / name)
        )
        return [builder.info.features.deserialize_example_np(record) for record in records]
    source = builder.as_data_source(split)
    # One call for all rows: asking row by row takes three times as long.
    return source.__getitems__(range(len(source)))


def _records(path: Path) -> Iterator[bytes]:
    """Records of a TFRecord file: each is its length (8 bytes), a checksum (4), itself, a checksum (4).

    The checksums are not looked at: the rows are compared with a digest in the end.
    """
    with path.open("rb") as file:
        while head := file.read(12):
            length = int.from_bytes(head[:8], "little")
            record = file.read(length + 4)
            if len(record) < length + 4:
                raise EOFError(f"{path.name} is cut short")
            yield record[:length]


def write(splits: Splits, version: str, data_dir: str | os.PathLike[str]) -> None:
    """Write `data_dir/mnist/version` so that `tfds.data_source("mnist")` reads it.

    Args:
        splits: {"train": split, "test": split} with "input" uint8 [n, 28, 28, 1], "target" [n].
        version: what TFDS calls this version of the data.
        data_dir: an existing folder.
    """
    with _quiet():
        import tensorflow_datasets as tfds
        from PIL import Image

        class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            name = "mnist"
            VERSION = tfds.core.Version(version)

            def _info(self) -> Any:
                return tfds.core.DatasetInfo(
                    builder=self,
                    description="The MNIST database of handwritten digits.",
                    features=tfds.features.FeaturesDict(
                        {
                            "image": tfds.features.Image(shape=(28, 28, 1)),
                            "label": tfds.features.ClassLabel(num_classes=10),
                        }
                    ),
                    supervised_keys=("image", "label"),
                    homepage="http://yann.lecun.com/exdb/mnist/",
                )

            def _split_generators(self, dl_manager: Any) -> Any:
                return {split: self._generate_examples(rows) for split, rows in splits.items()}

            def _generate_examples(self, rows: dict[str, np.ndarray]) -> Iterator[tuple[int, dict[str, Any]]]:
                for i, (image, label) in enumerate(zip(rows["input"], rows["target"], strict=True)):
                    # As a PIL image: TFDS encodes arrays with TensorFlow.
                    yield i, {"image": Image.fromarray(image[..., 0]), "label": int(label)}

        builder = Builder(data_dir=os.fspath(data_dir), file_format="array_record")
        # Never the copy on Google's servers: everything needed is here.
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what TFDS says: deprecations, OpenCV that it would prefer, "Downloading" (it is not)."""
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)
