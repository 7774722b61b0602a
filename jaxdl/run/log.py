"""What a run writes while it goes: JSON lines, TensorBoard events, a progress bar, your own logger."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from jaxdl.errors import require

Row = dict[str, Any]
Logger = Callable[[Row], None]


class Log:
    """Rows of measurements, each `{"step": …, "kind": "train" | "validation" | …, name: value}`.

    A value is a number, or a list with one number per seed. Use as a context manager.

    Args:
      folder: where `metrics.jsonl` and the TensorBoard events go; None writes nothing.
      step: the step a resumed run continues from. Rows after it are cut off first, so that a run
        that was killed leaves neither gaps nor duplicates.
      logger: called with every row, for any tracker: `lambda row: wandb.log(row)`.
    """

    def __init__(self, folder: Path | None = None, step: int = 0, logger: Logger | None = None):
        self.rows = [] if folder is None else cut_back(folder / "metrics.jsonl", step)
        self._logger = logger
        self._file = None if folder is None else (folder / "metrics.jsonl").open("a")
        self._events = None if folder is None else _events(folder, step)

    def __enter__(self) -> "Log":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        for output in (self._file, self._events):
            if output is not None:
                output.close()

    def write(self, kind: str, step: int, values: dict[str, Any]) -> Row:
        """Add a row. NumPy and JAX arrays become lists, one number per seed.

        Raises:
          InputError: a value with the name of the row's own fields.
        """
        taken = sorted({"step", "kind"} & values.keys())
        require(not taken, f"{kind} measure", taken, "other names than step and kind", "rename it")
        row = {"kind": kind, "step": step, **{name: _plain(value) for name, value in values.items()}}
        self.rows.append(row)
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")
        if self._events is not None:
            for name, value in row.items():
                if name not in ("kind", "step") and not isinstance(value, str):
                    self._events.add_scalar(f"{kind}/{name}", _average(value), step)
        if self._logger is not None:
            self._logger(row)
        return row

    def flush(self) -> None:
        """Bring all rows to the disk: done before a checkpoint, which must not be ahead of them."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        if self._events is not None:
            self._events.flush()


def read(path: Path) -> list[Row]:
    """The rows of a `metrics.jsonl`; a last line that a kill cut short is left out."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def cut_back(path: Path, step: int) -> list[Row]:
    """Remove the rows after `step` from a `metrics.jsonl`, atomically; returns those that stay."""
    rows = [row for row in read(path) if row["step"] <= step] if step else []
    scratch = path.with_suffix(".tmp")
    scratch.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scratch.replace(path)
    return rows


def progress_bar(total: int, start: int, unit: str, enabled: bool) -> Any:
    """A tqdm bar for terminal or notebook: done, time left, speed in `unit` per second, loss."""
    from tqdm.auto import tqdm

    return tqdm(
        total=total, initial=start, unit=unit, unit_scale=True, disable=not enabled, dynamic_ncols=True
    )


def _events(folder: Path, step: int) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:  # JSON lines are enough where tensorboardX is not installed
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1 if step else None)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    array = np.asarray(value, np.float64)
    # JSON has no NaN and no infinity; null says that there is no number.
    numbers = [float(x) if math.isfinite(x) else None for x in array.ravel()]
    return numbers[0] if array.ndim == 0 else numbers


def _average(value: Any) -> float:
    return float(np.mean([math.nan if x is None else x for x in np.ravel(np.array(value, object))]))
