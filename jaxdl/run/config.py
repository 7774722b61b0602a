"""What a run was told to do: the ranges of its hyper-parameters, and the record of it on the disk."""

import contextlib
import dataclasses
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jax

from jaxdl.errors import InputError, require

Range = tuple[Callable[[Any], bool], str, str]  # accepts, expected, remedy

POSITIVE: Range = (lambda x: math.isfinite(x) and x > 0, "a finite number > 0", "try the default, see --help")
# Steps are counted in int32, which would wrap in silence.
COUNT: Range = (lambda x: 1 <= x < 2**31, "an integer >= 1 and < 2**31", "try the default, see --help")
SEVERAL: Range = (lambda x: 2 <= x < 2**31, "an integer >= 2 and < 2**31", "try the default, see --help")
AT_LEAST_ZERO: Range = (lambda x: math.isfinite(x) and x >= 0, "a finite number >= 0", "0 switches it off")
CHANCE: Range = (lambda x: 0 <= x <= 1, "a number in [0, 1]", "try the default, see --help")
SHARE: Range = (lambda x: 0 <= x < 1, "a number in [0, 1)", "0 switches it off")
FINITE: Range = (lambda x: math.isfinite(x), "a finite number", "try the default, see --help")

# One place that knows the range of every hyper-parameter by its name, for all experiments.
RANGES: dict[str, Range] = {
    "learning_rate": POSITIVE,
    "batch_size": COUNT,
    "epochs": COUNT,
    "steps": COUNT,
    "seeds": (lambda x: 1 <= x <= 10_000, "an integer in 1..10000", "1 is a single run"),
    "seed": (lambda x: 0 <= x < 2**32 - 10_000, "an integer in 0..2**32-10001", "larger seeds would collide"),
    "features": COUNT,
    "hidden": COUNT,
    "widths": COUNT,
    "kernel_size": COUNT,
    "dropout": SHARE,
    "label_smoothing": SHARE,
    "l1": AT_LEAST_ZERO,
    "l2": AT_LEAST_ZERO,
    "weight_decay": AT_LEAST_ZERO,
    "noise": AT_LEAST_ZERO,
    "degrees": (lambda x: 0 <= x <= 180, "degrees in 0..180", "0 switches rotation off"),
    "scale": SHARE,
    "translate": AT_LEAST_ZERO,
    "patience": COUNT,
    "depth": COUNT,
    "embedding": COUNT,
    "length": COUNT,
    "rows": SEVERAL,
    "sampled": COUNT,
    "temperature": POSITIVE,
    "sparsity": AT_LEAST_ZERO,
    "code": COUNT,
    "units": COUNT,
    "points": SEVERAL,
    "spread": AT_LEAST_ZERO,
    "latents": COUNT,
    "samples": COUNT,
    "importance": COUNT,
    "beta": AT_LEAST_ZERO,
    "free_bits": AT_LEAST_ZERO,
    "discriminator_steps": COUNT,
    "provoked_steps": COUNT,
    "judge_epochs": COUNT,
    "checks": COUNT,
    "factor": POSITIVE,
    "ema": SHARE,
    "environments": COUNT,
    "rollout": COUNT,
    "updates": COUNT,
    "capacity": COUNT,
    "warmup": (lambda x: 0 <= x < 2**31, "an integer >= 0 and < 2**31", "try the default, see --help"),
    "atoms": COUNT,
    "n_step": COUNT,
    "target_every": COUNT,
    "episodes": COUNT,
    "discount": CHANCE,
    "tau": CHANCE,
    "epsilon": CHANCE,
    "exploration": CHANCE,
    "slip": CHANCE,
    "rates": POSITIVE,
    "width": COUNT,
    "most": COUNT,
    "long_steps": COUNT,
    "every": COUNT,
    "momentum": SHARE,
    "correlation": (lambda x: -1 < x < 1, "a number in (-1, 1)", "0.95 are near twins"),
    "outliers": (lambda x: 0 <= x < 0.5, "a share in [0, 0.5)", "with half of the points they are the rule"),
    "weight": AT_LEAST_ZERO,
    "sigma": AT_LEAST_ZERO,
    "pixels": AT_LEAST_ZERO,
    "margin": POSITIVE,
    "difference": POSITIVE,
    "size": COUNT,
    "side": COUNT,
    "top": AT_LEAST_ZERO,
    "left": AT_LEAST_ZERO,
    "there": AT_LEAST_ZERO,
    "elsewhere": AT_LEAST_ZERO,
    "shown": COUNT,
    "cells": COUNT,
    "scenes": COUNT,
    "classes": COUNT,
    "outputs": COUNT,
    "per_person": COUNT,
    "triplets": COUNT,
    # A number that is given to a neuron, or how many a network is given.
    "inputs": (
        lambda x: math.isfinite(x) and (isinstance(x, float) or x >= 1),
        "finite numbers, or a count >= 1",
        "try the default, see --help",
    ),
}


def option(name: str) -> str:
    """The command-line option of a field: `learning_rate` -> `--learning-rate`."""
    return "--" + name.replace("_", "-")


def check(config: Any) -> None:
    """Refuse the first field of a config that is outside the range of its name, or not finite.

    Raises:
      InputError: named like the command-line option.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        accepts, expected, remedy = RANGES.get(field.name, FINITE)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, int | float) and not isinstance(item, bool):
                require(accepts(item), option(field.name), value, expected, remedy)


def describe(experiment: str, config: Any) -> dict[str, Any]:
    """Everything a result depends on, as JSON: what was asked, with which versions, on which device."""
    return {"experiment": experiment, "config": dataclasses.asdict(config), **environment()}


def environment() -> dict[str, Any]:
    """Versions, devices, and the processor with its cores: any of them may change the last bits."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    versions = {name: importlib.metadata.version(name) for name in packages}
    device = jax.devices()[0]
    return {
        "versions": {"python": platform.python_version(), **versions},
        "device": f"{len(jax.devices())} x {device.device_kind}, {_cores()} CPU cores ({_processor()})",
    }


def differences(recorded: Path, form: Mapping[str, Any]) -> list[str]:
    """What of the versions, the device, the cores and the form is not as in a `config.json`, a line each.

    An older record lacks some of the form, and then does not differ in it.
    """
    if not recorded.exists():
        return []
    then, now = read_json(recorded, "--resume"), environment()
    before = {**then.get("versions", {}), **{name: then[name] for name in ("device", *form) if name in then}}
    today = {**form, "device": now["device"], **now["versions"]}
    return [
        f"{name} was {before[name]}, is {today[name]}"
        for name in today
        if before.get(name, today[name]) != today[name]
    ]


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file in one piece: a reader sees the old file or the new one, never half of it."""
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    scratch.replace(path)


def read_json(path: Path, field: str) -> Any:
    """Read a JSON file.

    Raises:
      InputError: named `field`, if it is missing or broken, or no JSON object.
    """
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
        return content
    except (OSError, ValueError) as error:
        raise InputError(
            field, str(path), "a readable JSON file", f"{type(error).__name__}: {error}"
        ) from None


def restore(config_type: type, recorded: dict[str, Any]) -> Any:
    """The inverse of `dataclasses.asdict` after a way through JSON.

    Raises:
      InputError: fields that this version of the experiment does not have, or lacks, values of
        another type, or out of range.
    """
    names = {field.name for field in dataclasses.fields(config_type)}
    remedy = "it was written by another version of the experiment; start a new run"
    require(set(recorded) == names, "--resume", sorted(set(recorded) ^ names), "the same options", remedy)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in recorded.items()}
    for name, kind in get_type_hints(config_type).items():
        expected = f"a value of the type {getattr(kind, '__name__', kind)}"
        remedy = "config.json was changed by hand; start a new run"
        require(_fits(values[name], kind), option(name), values[name], expected, remedy)
    config = config_type(**values)
    check(config)
    return config


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of the type of a field.

    >>> _fits((1, 2), tuple[int, ...]), _fits("1", int | None), _fits(1, float)
    (True, False, True)
    """
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return value in arguments
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if arguments:
        return any(_fits(value, each) for each in arguments)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    return isinstance(value, int | float if kind is float else kind)


def _processor() -> str:
    """The name of the processor, as the system has it."""
    with contextlib.suppress(OSError, StopIteration):  # not on macOS
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return platform.processor() or platform.machine()


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
