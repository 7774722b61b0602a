"""Several processes that train one model together: how they find each other, agree, and part.

JAX itself detects the launcher (Open MPI, SLURM, Kubernetes, TPU pods) and watches the members; nothing
stands in between. Every process runs the same program on the same numbers, so only what differs from
process to process has to be agreed on: signals, files, and measures that a processor may round.
"""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import jax
import numpy as np

from jaxdl.errors import InputError

HEARTBEAT = 10  # seconds without a sign of life until a member counts as dead; the others then abort
PATIENCE = 60  # seconds that the first process waits for the others at the start
# Names of the number of processes under Open MPI's mpirun and SLURM's srun.
LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS")


def join(asked: bool = False) -> None:
    """Become a member of the job that a launcher started; nothing for a process of its own.

    Call it before JAX is used. When a member dies, the others end within about `HEARTBEAT` seconds
    with exit code 134 (SIGABRT) and a message of JAX, so that the launcher can start all of them again.

    Args:
      asked: join although no launcher is seen: in a Kubernetes job (which needs the package
        `kubernetes`) or a TPU pod, or with `JAX_COORDINATOR_ADDRESS`.

    Raises:
      InputError: it was asked for, and JAX finds no job.
    """
    if jax.distributed.is_initialized() or not (asked or launched()):
        return
    try:
        jax.distributed.initialize(
            heartbeat_timeout_seconds=HEARTBEAT,
            initialization_timeout=PATIENCE,
            shutdown_timeout_seconds=HEARTBEAT,
        )
    except ValueError as error:  # JAX found no coordinator
        remedy = f"use Open MPI 4, SLURM, Kubernetes or a TPU pod, or one process; {error}"
        raise InputError("cluster", asked or "a launcher", "a job that JAX can detect", remedy) from None


def launched() -> bool:
    """Whether mpirun or srun started this process beside others."""
    return any(int(os.environ.get(name, "1")) > 1 for name in LAUNCHED)


def is_distributed() -> bool:
    """Whether this process is one of several."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_main() -> bool:
    """Whether this process is the one that writes and talks."""
    return not is_distributed() or jax.process_index() == 0


@contextlib.contextmanager
def aside(resumed: Path | None = None) -> Iterator[Path | None]:
    """Silence, and a folder that is thrown away, for all members but the first; for that one, None.

    So every member runs the whole program, and one set of files is left. All wait for each other at
    the end: a launcher ends every member as soon as one has left with an error code.

    Args:
      resumed: the folder of a run that goes on. The others begin with a copy of what it holds, without
        its checkpoints: what the log and the experiment read back has to be alike.
    """
    if is_main():
        barrier("begin")
        yield None
    else:
        with (
            tempfile.TemporaryDirectory() as folder,
            open(os.devnull, "w") as nowhere,
            contextlib.redirect_stdout(nowhere),
        ):
            if resumed is not None and resumed.is_dir():
                kept = shutil.ignore_patterns("checkpoints", "damaged", "lock*", "tensorboard", "*.tmp")
                shutil.copytree(resumed, folder, ignore=kept, dirs_exist_ok=True)
            barrier("begin")
            yield Path(folder)
    barrier("end")


def leave(code: int) -> NoReturn:
    """End the process at once where it is one of several: a normal exit would wait for the others."""
    if is_distributed():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def broadcast(tree: Any) -> Any:
    """The arrays of the first process, in all of them; shapes and dtypes are alike everywhere."""
    if not is_distributed():
        return tree
    from jax.experimental import multihost_utils

    return jax.tree.map(np.asarray, multihost_utils.broadcast_one_to_all(tree))


def broadcast_json(record: Any) -> Any:
    """What the first process knows, as JSON, in all of them."""
    if not is_distributed():
        return record
    text = np.frombuffer(json.dumps(record).encode(), np.uint8)
    length = int(broadcast(np.int32(text.size)))
    text = np.resize(text, length)  # of the others: only the size matters
    return json.loads(broadcast(text).tobytes())


def part() -> tuple[int, int]:
    """Which process this is, and of how many: its part of every batch, see `jaxdl.data.stream`."""
    return (jax.process_index(), jax.process_count()) if is_distributed() else (0, 1)


def all_gather(parts: Any, axis: int = 0) -> Any:
    """The arrays of all processes one after the other along an axis; shapes are alike everywhere."""
    if not is_distributed():
        return parts
    from jax.experimental import multihost_utils

    stacked = multihost_utils.process_allgather(parts)
    return jax.tree.map(lambda x: np.concatenate(x, axis), stacked)


def all_max(number: int) -> int:
    """The largest of the numbers that the processes come with."""
    if not is_distributed():
        return number
    from jax.experimental import multihost_utils

    return int(np.max(multihost_utils.process_allgather(np.int32(number))))


def barrier(place: str) -> None:
    """Wait until every process is here: a launcher ends all of them as soon as one has left."""
    if is_distributed():
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(place)
