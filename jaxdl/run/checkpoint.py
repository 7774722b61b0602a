"""Checkpoints that are checked: orbax writes them, a digest of every array proves them.

Orbax saves atomically, but restores an array whose bits were flipped without an error, and takes
an empty folder named like a step for a checkpoint. So a SHA-256 digest of each array, of its
dtype and shape, and of the host's own record, is stored beside the arrays and compared on every
restore. The newest checkpoint that verifies wins, and each one that was passed over is named.

A state is stored flat, an array per path (`net.params.conv1.kernel`), as NumPy arrays: it can be
read without knowing its structure, on any number of devices.
"""

import contextlib
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import InputError, require
from jaxdl.learner import path_name, plain, typed

Arrays = dict[str, np.ndarray]
INTACT = "a folder with an intact checkpoint"
DAMAGED = "damaged"  # folder beside the checkpoints for those that did not verify


class Restored(NamedTuple):
    """What the newest checkpoint that verifies holds."""

    step: int  # updates done when it was saved
    arrays: Arrays  # by path
    host: dict[str, Any]  # the host's own record


class Checkpoints:
    """The checkpoints of one run folder; use as a context manager, so that the last save is awaited.

    In a job of several processes only the first one has them.

    Args:
      folder: made when missing.
      keep: how many of the newest to keep. More than one, so that a damaged one can be passed over.
      read_only: only `restore`, and leave everything as it is: a run may be writing there.

    Raises:
      InputError: a file is where the folder should be, or there is none to read.
    """

    def __init__(self, folder: Path, keep: int = 3, read_only: bool = False):
        import orbax.checkpoint as ocp

        logging.getLogger("absl").setLevel(logging.CRITICAL)  # what orbax logs in pages it raises as well
        self.folder, self.read_only = Path(folder).absolute(), read_only
        require(not read_only or self.folder.is_dir(), "resume", str(folder), INTACT, "has the run saved?")
        blocked = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        remedy = f"{blocked} is a file; choose another"
        require(blocked.is_dir(), "folder", str(folder), "a folder that can be made", remedy)
        if not read_only:
            self.folder.mkdir(parents=True, exist_ok=True)
        # In a job of several processes it waits for no other than itself.
        process = jax.process_index()
        alone = ocp.options.MultiprocessingOptions(primary_host=process, active_processes={process})
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            create=False,
            multiprocessing_options=alone,
        )
        self._ocp, self._manager = ocp, ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self, step: int, state: Any, host: dict[str, Any]) -> None:
        """Write `state` (any pytree of arrays) and `host` (JSON) as checkpoint `step`.

        The arrays are copied before this returns and written in the background; an error of that
        writing is raised by the next `save` or by `close`.

        Raises:
          InputError: this or the save before could not be written. Earlier ones are intact.
        """
        arrays = flatten(state)
        record = {"host": host, "digests": {path: _digest(array) for path, array in arrays.items()}}
        record["digest"] = _record_digest(record)
        stored = {path: array for path, array in arrays.items() if array.size}  # orbax refuses empty ones
        args = self._ocp.args
        with self._writing():
            self._manager.wait_until_finished()
            self._manager.save(
                step, args=args.Composite(state=args.StandardSave(stored), host=args.JsonSave(record))
            )

    def saving(self) -> bool:
        """True while a save is being written in the background."""
        return self._manager.is_saving_in_progress()

    def exist(self) -> bool:
        """True if there is any checkpoint, intact or not."""
        return bool(self._manager.all_steps())

    def restore(self, report: Callable[[str], None] = lambda message: None) -> Restored:
        """The newest checkpoint whose digests are right.

        Damaged ones are reported by file and reason, and moved to the folder `damaged`, so that their
        step can be saved again. Where none is intact all stay where they are.

        Raises:
          InputError: there is none.
        """
        damaged: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                restored = self._read(step)
            except Exception as error:  # whatever orbax raises on a damaged folder
                reason = _first_line(error)
                report(f"checkpoint {self.folder / str(step)} is damaged and was passed over: {reason}")
                damaged.append(step)
                continue
            for passed_over in [] if self.read_only else damaged:
                self._set_aside(passed_over)
            return restored
        raise InputError("resume", str(self.folder), INTACT, "start the run again without --resume")

    def wait(self) -> None:
        """Wait for the last save; an error of it is raised here."""
        with self._writing():
            self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait for the last save, as `wait` does, and close."""
        try:
            self.wait()
        finally:
            with self._writing():
                self._manager.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in one line what orbax says in many about a disk that is full or cannot be written."""
        try:
            yield
        except Exception as error:  # OSError, or what tensorstore makes of one
            remedy = f"earlier checkpoints are intact: make room, then --resume; {_first_line(error)}"
            raise InputError("out", str(self.folder), "room for a checkpoint", remedy) from error

    def _read(self, step: int) -> Restored:
        args = self._ocp.args
        read: Any = self._manager.restore(
            step, args=args.Composite(state=args.StandardRestore(), host=args.JsonRestore())
        )
        record, stored = read.host, read.state
        if record["digest"] != _record_digest(record):
            raise ValueError("the host record does not match its digest")
        arrays = {}
        for path, digest in record["digests"].items():
            shape = tuple(digest["shape"])
            array = np.asarray(stored[path]) if np.prod(shape) else np.zeros(shape, digest["dtype"])
            if _digest(array) != digest:
                raise ValueError(f"{path} does not match its digest")
            arrays[path] = array
        return Restored(step, arrays, record["host"])

    def _set_aside(self, step: int) -> None:
        target = self.folder.parent / DAMAGED / str(step)
        target.parent.mkdir(exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(self.folder / str(step), target)
        self._manager.reload()


def require_unused(folder: Path, exist: bool) -> None:
    """Raise `InputError` if a new run finds checkpoints: orbax would keep those instead of its own."""
    remedy = "resume that run, or choose another folder"
    require(not exist, "out", str(folder), "a folder without checkpoints of another run", remedy)


def require_seed(seed: int, host: dict[str, Any], seeds: int = 1) -> None:
    """Raise `InputError` if a run is resumed with another seed, or number of them, than it began with."""
    for name, number in {"seed": seed, "seeds": seeds}.items():
        began = host.get(name, number)
        remedy = f"leave the {name} as it was, or choose another folder"
        require(number == began, name, number, f"{began}, which the run began with", remedy)


def flatten(state: Any) -> Arrays:
    """The arrays of a pytree on the host, by dotted path; typed keys as their key data."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return {path_name(path).replace("/", "."): np.asarray(plain(leaf)) for path, leaf in leaves}


def unflatten(template: Any, arrays: Arrays) -> Any:
    """The inverse of `flatten`: `arrays` in the structure of `template`.

    Raises:
      InputError: a path is missing or left over, or a shape or dtype differs. Nothing is cast.
    """
    remedy = "the checkpoint was written by another model or another version"
    leaves, structure = jax.tree_util.tree_flatten_with_path(template)
    names = [path_name(path).replace("/", ".") for path, _ in leaves]
    if set(names) != set(arrays):
        raise InputError("resume", sorted(set(names) ^ set(arrays))[:3], "the arrays of this learner", remedy)
    restored = []
    for name, (_, leaf) in zip(names, leaves, strict=True):
        wanted, array = plain(leaf), arrays[name]
        if (wanted.shape, wanted.dtype) != (array.shape, array.dtype):
            expected = f"{wanted.dtype}{wanted.shape} for {name}"
            raise InputError("resume", f"{array.dtype}{array.shape}", expected, remedy)
        restored.append(typed(jnp.asarray(array), leaf))
    return jax.tree.unflatten(structure, restored)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _digest(array: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return {"sha256": digest, "dtype": str(array.dtype), "shape": list(array.shape)}


def _record_digest(record: dict[str, Any]) -> str:
    content = {"host": record["host"], "digests": record["digests"]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
