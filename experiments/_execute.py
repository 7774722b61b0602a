"""Runs one experiment with one config into one folder."""

import contextlib
import dataclasses
import errno
import os
import sys
import time
from pathlib import Path
from typing import Any

from jaxdl.errors import InputError


def execute(module: Any, name: str, config: Any, options: Any, out: Path) -> int:
    """Run an experiment with a config into a folder, write its result, print its claims.

    Raises:
      InputError: what the experiment refuses, another process in the folder, or no room on the disk.
    """
    from jaxdl.run import folder, lock

    made = [place for place in (out, *out.parents) if not place.exists()]
    folder.make(out)
    try:
        with lock.held(out, lock.WHOLE):
            return run_into(out, module, name, config, options)
    except InputError:
        if made and [path.name for path in out.iterdir()] == [lock.WHOLE]:  # refused before it began
            (out / lock.WHOLE).unlink()
            for place in made:
                with contextlib.suppress(OSError):  # not empty
                    place.rmdir()
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        remedy = f"checkpoints that were written are intact: make room, then --resume {out}; {error}"
        raise InputError("--out", str(out), "room for what the run writes", remedy) from error


def run_into(out: Path, module: Any, name: str, config: Any, options: Any) -> int:
    """What `execute` does, once the folder is its own."""
    import jax

    from jaxdl.run import Interrupted, NonFiniteLoss, Output, cache, doctor, processes, report
    from jaxdl.run import config as configs

    cache.keep_compiled()
    rows: list[dict[str, Any]] = []  # of all logs, whether or not they go to a folder
    output = Output(
        out,
        resume=options.resume is not None,
        progress=options.progress and processes.is_main(),
        layers=options.layers,
        doctor=options.doctor,
        devices=options.devices,
        profile=options.profile,
        data_dir=options.data_dir,
        logger=rows.append,
        config={
            **configs.describe(name, config),
            "deterministic": options.deterministic,
            "layers": os.environ.get("JAXDL_LAYERS") or "auto",
        },
    )
    if getattr(config, "precision", "float32") == "bf16" and jax.default_backend() == "cpu":
        output.report("bf16 is for accelerators: on a CPU it usually takes longer than float32")
    start = time.perf_counter()
    if output.resume and (out / "result.json").exists():  # a finished run that goes on
        seconds = configs.read_json(out / "result.json", "--resume").get("seconds")
        if not isinstance(seconds, int | float):
            remedy = "remove the file and resume again"
            raise InputError("--resume", str(out / "result.json"), "the result of a run", remedy)
        start -= seconds
    try:
        result = module.run(config, output)
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return stopped.exit_code
    except NonFiniteLoss as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    # A run that is resumed may be at its end already.
    trained = any(row["kind"] == "train" for row in rows) or any(out.rglob("metrics.jsonl"))
    if options.doctor and trained:
        found = doctor.read(out) or doctor.entries("", rows)
        result = dataclasses.replace(result, facts={**result.facts, "doctor": found})
    idle = [] if trained else [name for name in ("layers", "doctor", "profile") if getattr(options, name)]
    for name in idle:
        print(f"--{name}: nothing of this experiment is trained by `fit`; there was nothing to look at")
    if options.devices > 1 and not trained:
        print(f"--devices {options.devices}: nothing of this experiment can be shared; it ran on one")
    written = report.write(out, name, config, result, time.perf_counter() - start)
    print(report.table(result.claims))
    print(f"{written['seconds']} s; result, figures and checkpoints in {out}")
    return 0 if all(claim.holds for claim in result.claims) else 1
