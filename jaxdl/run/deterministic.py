"""The same bits each time on a GPU, whose fastest kernels add in any order and are chosen by the clock."""

import os
from pathlib import Path

from jaxdl.errors import InputError
from jaxdl.run import config as configs
from jaxdl.run.folder import CONFIG

FLAG = "--xla_gpu_deterministic_ops"


def demand() -> None:
    """Tell XLA to take deterministic kernels only, and to choose them without a clock.

    Call it before JAX is used: `XLA_FLAGS` is read once, when a backend starts. What the user has
    there stays. It changes nothing on a CPU.

    Source: `xla_gpu_deterministic_ops` in openxla/xla, xla/xla.proto: "Guarantees run-to-run determinism."
    """
    os.environ["XLA_FLAGS"] = flags(os.environ.get("XLA_FLAGS", ""))


def flags(given: str) -> str:
    """The flags with ours last.

    >>> flags("--xla_dump_to=/tmp/dump")
    '--xla_dump_to=/tmp/dump --xla_gpu_deterministic_ops=true'
    """
    return " ".join([*(word for word in given.split() if word.split("=")[0] != FLAG), f"{FLAG}=true"])


def wanted(asked: bool, resumed: Path | None) -> bool:
    """Whether a run is to be so: it was asked for, or the run in the folder that goes on is."""
    if asked or resumed is None:
        return asked
    try:
        return configs.read_json(resumed / CONFIG, "--resume").get("deterministic", False) is True
    except InputError:  # `folder.reopen` refuses it, after what is wrong with the words themselves
        return False
