"""Lists and runs the benchmarks: `python -m experiments benchmarks [--quick] [NAMES]`."""

import ast
import importlib
import inspect
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxdl.errors import InputError

HERE = Path(__file__).parent
QUICK = ("families",)  # those that have a short form
USAGE = """python -m experiments benchmarks            this list
python -m experiments benchmarks --quick    two minutes: families beside PyTorch and the naive flax loop
python -m experiments benchmarks NAMES      run them whole, one after the other; all for every one"""


def benchmarks() -> dict[str, str]:
    """The title of every benchmark of this folder by its name, read without importing."""
    paths = [path for path in sorted(HERE.glob("*.py")) if not path.name.startswith("_")]
    return {
        path.stem: (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0] for path in paths
    }


def entry(module: Any) -> Callable[..., int | None]:
    """What measures all of a benchmark: its `main`, or its `unattended` where `main` asks what is wanted."""
    return getattr(module, "unattended", module.main)


def main(words: Sequence[str]) -> int:
    """Run what is named; the exit code is the worst of them.

    Raises:
      InputError: an unknown name, or another option than --quick.
    """
    known, names = benchmarks(), [word for word in words if not word.startswith("-")]
    options = set(words) - set(names)
    if options - {"--quick", "--help", "-h"}:
        raise InputError("option", sorted(options)[0], "--quick", "a benchmark's own options: python -m "
                         "experiments.benchmarks.NAME --help")  # fmt: skip
    quick = "--quick" in options
    for name in names:
        if name not in [*known, "all"]:
            raise InputError(
                "benchmark", name, "all or one of " + ", ".join(known), "without a name: the list"
            )
        if quick and name not in QUICK:
            raise InputError("benchmark", name, "one of " + ", ".join(QUICK), "leave out --quick")
    if not (names or quick) or options & {"--help", "-h"}:
        print("\n".join([*(f"{name}\n  {title}" for name, title in known.items()), "", USAGE]))
        return 0
    codes = []
    for name in QUICK if quick else known if "all" in names else names:
        print(f"== {name}: {known[name]}", flush=True)
        start, module = time.perf_counter(), importlib.import_module(f"experiments.benchmarks.{name}")
        run = entry(module)
        argued = inspect.signature(run).parameters  # only some take a command line of their own
        codes.append((run(["--quick"] if quick else []) if argued else run()) or 0)
        print(f"== {name}: {time.perf_counter() - start:.0f} s", flush=True)
    return max(codes)
