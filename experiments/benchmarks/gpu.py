"""All families on a GPU, beside PyTorch, torch.compile and CUDA graphs, in commands that can be resumed.

Every row is measured in a process of its own and written as soon as it is there; a command that is
stopped, by its own budget or by anybody, loses the row that it was at. Rows are kept by device. float32 is
what JAX does by itself on a GPU, products in TF32, and torch is told to do the same; bf16 is ours by
`--precision bf16`, torch's by autocast. That both do the same work is shown by `_equal`, on the device, in
full float32 and in bf16.

    python -m experiments.benchmarks.gpu                               # the parts, and what is there of them
    python -m experiments.benchmarks.gpu families lstm --resume        # those rows that are not there yet
    python -m experiments.benchmarks.gpu mnist --data-dir FOLDER       # with the four IDX files
    python -m experiments.benchmarks.gpu families --only cnn,mlp       # some rows again
    python -m experiments.benchmarks.gpu seeds --tiny                  # anywhere, in seconds; kept nowhere
    python -m experiments.benchmarks.gpu --page                        # the tables of docs/benchmarks.md

Writes experiments/benchmarks/results/gpu.json. PyTorch is in the extra `oracles`.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.benchmarks import _gpu_book, _gpu_page, _gpu_parts
from experiments.benchmarks._gpu_book import RESULTS, Book, OutOfTime
from experiments.benchmarks._gpu_parts import PARTS
from jaxdl.data import idx
from jaxdl.data.sources import folders
from jaxdl.errors import InputError, require, require_choice

BUDGET = 540.0  # seconds


def main(argv: Sequence[str] | None = None) -> int:
    """List, measure or draw; 1 if a row failed, 2 for bad input."""
    parser = argparse.ArgumentParser("python -m experiments.benchmarks.gpu", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--budget", type=float, default=BUDGET, help="seconds, within which it ends by itself"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what has a row of this device")
    parser.add_argument("--only", default="", help="rows with one of these words, separated by commas")
    parser.add_argument("--data-dir", type=Path, help="of MNIST's four IDX files; then $JAXDL_DATA, ...")
    parser.add_argument("--results", type=Path, help="another file to keep the rows in")
    parser.add_argument("--tiny", action="store_true", help="for a test: a few small rows, on any device")
    parser.add_argument("--page", action="store_true", help="measure nothing: write the tables")
    words = parser.parse_args(argv)
    words.results = words.results or (None if words.tiny else RESULTS)
    try:
        if words.page:
            return _gpu_page.write(_gpu_book.read(RESULTS))
        if not words.parts:
            print(listing(_gpu_book.read(words.results or RESULTS)))
            return 0
        return run(words)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def unattended() -> int:
    """All parts, as long as they take, for `python -m experiments benchmarks`; a word where it cannot be."""
    if look()["backend"] != "gpu":
        print("not run: no accelerator")
        return 0
    parts = [part for part in PARTS if part != "mnist" or has_mnist(None)]
    if "mnist" not in parts:
        print("mnist: not run: no data, see --data-dir")
    return main([*parts, "--budget", "inf"])


def look() -> dict[str, Any]:
    """Versions, device and its kind, asked of another process: this one keeps off the device."""
    found = _gpu_book.call(["environment"], math.inf)
    require("error" not in found, "device", found.get("error"), "one that JAX can start", "see above")
    return found


def has_mnist(data_dir: Path | None) -> bool:
    """Whether the four files are in one of the folders where data are looked for."""
    places = [(folder, folder / "mnist", folder / "MNIST" / "raw") for folder in folders(data_dir)]
    return any(idx.find(place) for each in places for place in each)


def plan(words: Any) -> list[tuple[str, str]]:
    """(part, row) of all that was asked for, refused before anything is started.

    Raises:
      InputError: no such part or row, no time, no data.
    """
    for part in words.parts:
        require_choice("part", part, PARTS)
    require(words.budget > 0, "--budget", words.budget, "seconds > 0", f"{BUDGET:g} is the default")
    place = words.results and words.results.absolute().parent
    remedy = "make it, or name another file"
    require(place is None or place.is_dir(), "--results", str(words.results), "a file in a folder", remedy)
    if "mnist" in words.parts and not words.tiny:
        remedy = "name their folder; with --tiny it does without"
        expected = "a folder with MNIST's four IDX files"
        require(has_mnist(words.data_dir), "--data-dir", str(words.data_dir), expected, remedy)
    only = [word for word in words.only.split(",") if word]
    return [(part, row) for part in words.parts for row in _gpu_parts.rows(part, words.tiny, only)]


def run(words: Any) -> int:
    """Measure what was asked for as far as the budget goes."""
    asked, start = plan(words), time.monotonic()
    environment = look()
    remedy = "run it on a machine with a GPU; --tiny shows that the commands work"
    found = environment["backend"]
    require(words.tiny or found == "gpu", "device", found, "a GPU that JAX sees", remedy)
    book = Book(words.results, environment)
    if words.resume:
        # What failed is tried again, after what was not tried yet.
        asked = [each for each in asked if "error" in (book.row(*each) or {"error": "not there"})]
        asked.sort(key=lambda each: book.row(*each) is not None)
    failed = 0
    for done, (part, row) in enumerate(asked):
        left = words.budget - (time.monotonic() - start)
        measured = None
        if book.longest(part) < left:
            measured = row_within(part, row, left, words, first=done == 0)
        if measured is None:
            print(f"stopped by the budget: {len(asked) - done} rows left; with --resume it goes on")
            break
        book.put(part, row, measured)
        failed += "error" in measured
        print(f"{part}: {row}: {_gpu_page.summary(part, measured)}", flush=True)
    return 1 if failed else 0


def row_within(part: str, row: str, left: float, words: Any, first: bool) -> dict[str, Any] | None:
    """A row with the date, or None if the time was too short. One that had all of it has failed."""
    options = [
        *["--tiny"] * words.tiny,
        *(["--data-dir", str(words.data_dir.resolve())] if words.data_dir else []),
    ]
    try:
        measured = _gpu_book.call([part, row, *options], left)
    except OutOfTime:
        if not first:
            return None
        measured = {"error": f"longer than {left:.0f} s", "seconds": 0.0}
    return {**measured, "date": time.strftime("%Y-%m-%d %H:%M")}


def listing(results: dict[str, Any]) -> str:
    """Every part with its state on each device."""
    lines = []
    for part, (title, rows, _) in PARTS.items():
        lines.append(f"{part}\n  {title}")
        states = []
        for device, found in results.items():
            there = found["parts"].get(part, {})
            failed = sum("error" in row for row in there.values())
            more = f", {failed} failed" if failed else ""
            if there:
                states.append(f"done {len(there) - failed} of {len(rows)}{more}: {device}")
        lines += [f"  {state}" for state in states or [f"not run: {len(rows)} rows"]]
    return "\n".join([*lines, "", "python -m experiments.benchmarks.gpu PART [PART...] --resume; --help"])


if __name__ == "__main__":
    sys.exit(main())
