"""Training processes that are killed or asked to leave at a random moment, and resumed."""

import hashlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import families
import numpy as np

from jaxdl.errors import InputError
from jaxdl.run import Interrupted, Output
from jaxdl.run.checkpoint import Checkpoints, flatten
from jaxdl.run.log import read

# Death by SIGTERM before the run listens is what a shell calls 143.
LEFT = (143, 130, -signal.SIGTERM)
ROOM = 16_384  # bytes, less than a checkpoint's arrays and more than a log
TMP = "*.orbax-checkpoint-tmp"  # what orbax calls a checkpoint that is being written


class Disturbed(NamedTuple):
    """A run that was stopped several times, and went on until its end."""

    bits: dict[str, str]  # digests of the final arrays and of the log, see `bits`
    begun: list[bool]  # of each stop, whether the training had begun: nothing is compiled any more
    inside: list[bool]  # of each stop, whether a save was under way
    seconds: list[float]  # of each stop, until the process was gone
    codes: list[int]  # exit codes of the processes that were stopped


def train(name: str, folder: Path, messages: Any, full_at: int = 0) -> None:
    """The child: train a family in a folder, continue what is there, tell when a save begins.

    From save number `full_at` on no file may grow beyond `ROOM`, as on a disk that is full.
    """
    messages.send("begun")
    families.same_configuration()
    save, count = Checkpoints.save, itertools.count(1)

    def told(self: Checkpoints, *args: Any) -> None:
        messages.send("save")
        if next(count) == full_at:
            resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, ROOM))
        save(self, *args)

    Checkpoints.save = told  # type: ignore[method-assign]
    output = Output(folder, resume=folder.exists(), progress=False, report=lambda message: None)
    try:
        fitted = families.FAMILIES[name](output)
    except Interrupted as stopped:
        sys.exit(stopped.exit_code)
    except KeyboardInterrupt:  # before the run listened, as at the command line
        sys.exit(130)
    except (InputError, OSError) as error:
        messages.send(f"{type(error).__name__}: {error}")
        sys.exit(2)
    messages.send(bits(fitted, folder))


def bits(fitted: Any, folder: Path) -> dict[str, str]:
    """SHA-256 of everything that a run leaves: the states, the best step, and the log, row by row."""
    arrays = {**flatten({"state": fitted.state, "best": fitted.best}), "best_step": fitted.best_step}
    digests = {name: hashlib.sha256(np.asarray(x).tobytes()).hexdigest() for name, x in arrays.items()}
    log = repr(read(folder / "metrics.jsonl"))
    return {**digests, "log": hashlib.sha256(log.encode()).hexdigest()}


def start(name: str, folder: Path, full_at: int = 0) -> tuple[Any, Any]:
    """A new training process, and the end of the pipe on which it talks.

    The processes are forked from a server that has imported JAX but not used it, which saves most
    of the time of their start.
    """
    context = multiprocessing.get_context("forkserver")
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)  # the server looks nowhere else
    context.set_forkserver_preload(["kills"])
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=train, args=(name, folder, theirs, full_at))
    process.start()
    theirs.close()
    return process, ours


def uninterrupted(name: str, folder: Path) -> dict[str, str]:
    """The digests of a run that nobody disturbs."""
    _, messages = start(name, folder)
    return _end(messages)


def disturbed(
    name: str, folder: Path, stops: int, rng: np.random.Generator, signals: tuple[int, ...]
) -> Disturbed:
    """A run that gets `signals` in turn at `stops` random moments, is resumed each time, and ends.

    A fifth of the moments are anywhere after the start of the process, in its compilation too; the
    others are soon after a save has begun.
    """
    begun, inside, seconds, codes = [], [], [], []
    while len(codes) < stops:
        process, messages = start(name, folder)
        messages.recv()  # "begun": the server that forks does not listen to signals
        # The first comes in a save: one before the run listens may be lost in a callback of Python's.
        saving = (not codes or rng.uniform() < 0.8) and _saves(messages)
        time.sleep(rng.uniform(0, 0.25) if saving else rng.uniform(0, 1.5))
        sent = time.perf_counter()
        if process.is_alive():
            os.kill(process.pid, signals[len(codes) % len(signals)])
        process.join()
        if process.exitcode == 0:  # it had just ended; its end is taken below, again
            break
        seconds.append(time.perf_counter() - sent)
        codes.append(process.exitcode)
        begun.append(bool(saving))
        inside.append(bool(saving and list((folder / "checkpoints").glob(TMP))))
    _, messages = start(name, folder)
    return Disturbed(_end(messages), begun, inside, seconds, codes)


def full_disk(name: str, folder: Path, full_at: int) -> tuple[str, int, dict[str, str]]:
    """A run whose disk is full from its save number `full_at` on, and resumed when there is room.

    Returns:
      What the process said last, its exit code, and the digests of the resumed run at its end.
    """
    process, messages = start(name, folder, full_at)
    said: Any = "begun"
    try:
        while said in ("begun", "save"):
            said = messages.recv()
    except EOFError:
        said = "nothing"
    process.join()
    return said, process.exitcode, uninterrupted(name, folder)


def _saves(messages: Any) -> bool:
    """Wait until a save begins; False if the process ends before."""
    try:
        return messages.recv() == "save"
    except EOFError:
        return False


def _end(messages: Any) -> dict[str, str]:
    """What a process says last."""
    said: Any = None
    try:
        while not isinstance(said, dict):
            said = messages.recv()
    except EOFError:
        raise AssertionError("the training process ended without a result") from None
    return said
