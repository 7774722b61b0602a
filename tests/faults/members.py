"""Runs of several processes under Open MPI, of which one is killed: `python members.py FOLDER NAME`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__)
LAUNCHER = shutil.which("mpirun")
NOTICED = 15  # seconds until all members have ended after one was killed
LEFT_ALONE = ("--enable-recovery",)  # then Open MPI does not end the other members
RESULT = "bits.json"  # what the first member leaves beside the run


class Ended(NamedTuple):
    """A job that one member less has ended."""

    seconds: float  # from the kill to the end of the whole job
    code: int  # of the launcher
    said: str


def usable() -> bool:
    """Whether Open MPI is here and can start two processes."""
    if LAUNCHER is None:
        return False
    command = [LAUNCHER, "--allow-run-as-root", "--oversubscribe", "-n", "2", "true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def launch(folder: Path, family: str, members: int = 2, devices: int = 1, *words: str) -> subprocess.Popen:
    """Start a job that trains a family in a folder, and goes on with what is there."""
    command = [
        *(str(LAUNCHER), "--allow-run-as-root", "--oversubscribe", *words, "-n", str(members)),
        *(sys.executable, str(HERE), str(folder), family, "resume" if folder.exists() else "begin"),
    ]
    paths = os.pathsep.join([str(HERE.parents[2]), str(HERE.parent)])
    flags = f"--xla_force_host_platform_device_count={devices}"
    variables = {**os.environ, "PYTHONPATH": paths, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def finish(job: subprocess.Popen, folder: Path) -> dict[str, Any]:
    """Wait for a job, and take what its first member left."""
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    return json.loads((folder / RESULT).read_text())


def kill_one(
    job: subprocess.Popen, folder: Path, rng: np.random.Generator, word: signal.Signals = signal.SIGKILL
) -> Ended | None:
    """Kill a random member at a random moment after its first checkpoint; None if the job had ended.

    `word` is what it is told; SIGTERM asks it to leave.
    """
    had = set(folder.glob("checkpoints/[0-9]*"))
    while job.poll() is None and set(folder.glob("checkpoints/[0-9]*")) <= had:
        time.sleep(0.05)
    time.sleep(rng.uniform(0, 1.5))
    found = subprocess.run(["pgrep", "-P", str(job.pid)], capture_output=True, text=True).stdout.split()
    if job.poll() is not None or not found:
        return None
    sent = time.perf_counter()
    os.kill(int(rng.choice(found)), word)
    said, _ = job.communicate(timeout=120)
    return Ended(time.perf_counter() - sent, job.returncode, said)


def main() -> None:
    """One member."""
    import families
    import jax
    from kills import bits

    from jaxdl.run import Output, processes
    from jaxdl.run.checkpoint import flatten

    folder, family, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    families.same_configuration()
    jax.config.update("jax_compilation_cache_dir", str(HERE.parents[2] / ".jax_cache"))
    processes.join()
    with processes.aside() as scratch:
        output = Output(scratch or folder, how == "resume", progress=False, report=lambda message: None)
        fitted = (families.FAMILIES | families.SHARED)[family](output)
        if processes.is_main():
            arrays = flatten({"params": fitted.state.net.params})
            content = {
                "processes": jax.process_count(),
                "devices": jax.device_count(),
                "bits": bits(fitted, folder),
                "params": {name: array.tolist() for name, array in arrays.items()},
            }
            (folder / RESULT).write_text(json.dumps(content))


if __name__ == "__main__":
    main()
