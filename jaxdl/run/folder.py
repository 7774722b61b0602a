"""Run folders: a new one that is surely free, or an old one that is surely the right one."""

import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxdl.errors import InputError, require
from jaxdl.run import config as configs
from jaxdl.run.lock import LOCK, WHOLE

CONFIG = "config.json"
RUNS = Path("runs")

LONGER = ("epochs", "steps")  # options that may grow when a run is resumed


def fresh(out: Path | None, experiment: str) -> Path:
    """The folder of a new run. It is not made yet: that is done when the run starts.

    Args:
      out: as the user named it; by default the first free one of runs/NAME, runs/NAME-2, ...
      experiment: its name.

    Raises:
      InputError: the folder holds something already, or cannot be made.
    """
    if out is None:
        candidates = (RUNS / (experiment + suffix) for suffix in _suffixes())
        out = next(folder for folder in candidates if not folder.exists())
    remedy = "choose another folder"
    try:
        parent = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
    except OSError as error:  # such as a name that is too long
        raise InputError("--out", str(out), "a folder that can be made", f"{remedy}; {error}") from None
    require(parent.is_dir(), "--out", str(out), "a folder", f"{parent} is a file; {remedy}")
    # Even root cannot write to a read-only file system, which the permission bits do not show.
    require(os.access(parent, os.W_OK), "--out", str(out), "a folder that can be written", remedy)
    used = out.exists() and any(path.name not in (LOCK, WHOLE) for path in out.iterdir())
    begun = used and (out / CONFIG).exists()
    remedy = f"continue that run with --resume {out}, or choose another folder" if begun else remedy
    require(not used, "--out", str(out), "a new or an empty folder", remedy)
    return out


def make(folder: Path) -> None:
    """Make the folder of a run that starts.

    Raises:
      InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError("out", str(folder), "a folder that can be made", str(error)) from None


def part(output: Any, name: str, model: Any = None) -> Any:
    """The `Output` of one of several fits of a run: it goes to folder/name.

    The run's own config is written when the fit starts, so that `reopen` finds it and the whole can be
    resumed.

    Args:
      output: of the run.
      name: of the sub-folder.
      model: see `Output`.
    """
    folder = output.folder and output.folder / name
    return dataclasses.replace(output, folder=folder, model=model, whole=output)


def reopen(folder: Path, experiment: str, config_type: type, given: dict[str, Any]) -> Any:
    """The config of the run in `folder`, with more epochs or steps if that was asked for.

    Args:
      folder: of the run to continue.
      experiment: its name.
      config_type: of the experiment's config.
      given: fields that the command line named, with their values.

    Raises:
      InputError: no such run, a run of another experiment, or another config.
    """
    runs = runs_inside(folder)
    sweep = runs and not (folder / CONFIG).exists()
    require(not sweep, "--resume", str(folder), "one run", f"resume one of {', '.join(runs)} in it")
    recorded = configs.read_json(folder / CONFIG, "--resume")
    require(
        recorded.get("experiment") == experiment,
        "--resume",
        str(folder),
        f"a run of {experiment!r}",
        f"this is a run of {recorded.get('experiment')!r}",
    )
    whole = isinstance(recorded.get("config"), dict) and isinstance(recorded.get("versions", {}), dict)
    remedy = f"{CONFIG} was changed by hand; start a new run"
    require(whole, "--resume", str(folder), "the config and the versions of a run", remedy)
    config = configs.restore(config_type, recorded["config"])
    for name, value in given.items():
        old = getattr(config, name)
        longer = name in LONGER and value >= old
        remedy = "leave it out, or start a new run: only --epochs or --steps may grow on a resume"
        require(longer or value == old, configs.option(name), value, f"{old!r} as in {folder}", remedy)
    return dataclasses.replace(config, **{name: value for name, value in given.items() if name in LONGER})


def runs_inside(folder: Path) -> list[str]:
    """The names of the runs in sub-folders of a folder: of a sweep, or the parts of an experiment."""
    return sorted(path.parent.name for path in folder.glob(f"*/{CONFIG}"))


def _suffixes() -> Iterator[str]:
    return itertools.chain([""], (f"-{i}" for i in itertools.count(2)))
