"""One process per run folder: two that write the same metrics and checkpoints would spoil both."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from jaxdl.errors import InputError

# The files; they stay behind, but a lock ends with the process, however that ends.
LOCK = "lock"  # of a fit
WHOLE = "lock-run"  # of a run that may be several fits and more, in the folder and in sub-folders


@contextlib.contextmanager
def held(folder: Path, name: str = LOCK) -> Iterator[None]:
    """Keep other processes out of a run folder, which must exist.

    Args:
      folder: of the run.
      name: of the file, `LOCK` or `WHOLE`.

    Raises:
      InputError: another process is in it.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    with (folder / name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            remedy = f"process {file.read().strip() or '?'} is running in it; wait for it or choose another"
            raise InputError("out", str(folder), "a folder that no run is using", remedy) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
