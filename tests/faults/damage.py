"""Checkpoint folders that are damaged at random, and what a restore makes of them."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import models
from jaxdl.learners import supervised
from jaxdl.run.checkpoint import Arrays, Checkpoints, flatten

LEARNER = supervised.learner(models.MLP((16,), outputs=5), optax.adam(1e-2))
BATCH = {"input": jnp.ones((4, 24)), "target": jnp.arange(4)}
STEPS = (1, 2, 3)


def states() -> dict[int, Arrays]:
    """What each checkpoint of the folder holds, by its step."""
    state = LEARNER.init(jax.random.key(3), BATCH)
    return {step: flatten(state.replace(step=jnp.int32(step))) for step in STEPS}


def intact(folder: Path) -> None:
    """Write a folder of three checkpoints."""
    with Checkpoints(folder) as checkpoints:
        for step, arrays in states().items():
            checkpoints.save(step, arrays, {"note": step})


def spoil(checkpoint: Path, rng: np.random.Generator) -> str:
    """Damage one checkpoint; returns what was done to it."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file())
    # Large files more often than small ones, as accidents would have it, but each at times.
    sizes = np.array([path.stat().st_size + 50 for path in files], float)
    path = files[rng.choice(len(files), p=sizes / sizes.sum())]
    content = path.read_bytes()
    kind = str(rng.choice(["flipped", "cut", "zeroed", "deleted", "emptied", "half gone"]))
    if kind == "flipped":
        place, bit = int(rng.integers(max(1, len(content)))), int(rng.integers(8))
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
    elif kind == "cut":
        path.write_bytes(content[: int(rng.integers(len(content)))])
    elif kind == "zeroed":
        begin = int(rng.integers(len(content)))
        path.write_bytes(content[:begin] + bytes(len(content) - begin))
    elif kind == "deleted":
        path.unlink()
    elif kind == "emptied":
        shutil.rmtree(checkpoint)
        checkpoint.mkdir()
    else:
        for each in files:
            if rng.uniform() < 0.5:
                each.unlink()
    return f"{kind} {path.relative_to(checkpoint)}"


def trial(whole: Path, scratch: Path, rng: np.random.Generator, expected: dict[int, Arrays]) -> str | None:
    """Damage one or two of the newest of three checkpoints, restore, compare all bits.

    Returns:
      None if the newest intact checkpoint came back and each damaged one was named with a reason;
      else what went wrong. A damage that changes nothing that is read (an unused byte) leaves its
      checkpoint intact: then it must come back as it was.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    folder = scratch / "checkpoints"
    shutil.copytree(whole, folder)
    damaged = STEPS[-int(rng.integers(1, 3)) :]
    done = {step: spoil(folder / str(step), rng) for step in damaged}
    messages: list[str] = []
    with Checkpoints(folder) as checkpoints:
        restored = checkpoints.restore(messages.append)
    right = expected[restored.step]
    same = right.keys() == restored.arrays.keys() and all(
        right[name].dtype == array.dtype and right[name].tobytes() == array.tobytes()
        for name, array in restored.arrays.items()
    )
    if not same or restored.host != {"note": restored.step}:
        return f"step {restored.step} came back with other bits after {done}"
    newer = [step for step in STEPS if step > restored.step]
    if not set(newer) <= set(damaged):
        return f"step {restored.step} came back, though {newer} was intact, after {done}"
    for step, message in zip(reversed(newer), messages, strict=False):
        if str(folder / str(step)) not in message or not message.split("passed over: ")[-1].strip():
            return f"no file or reason in {message!r} after {done}"
    return None if len(messages) == len(newer) else f"{messages} for {newer}"
