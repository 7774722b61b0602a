"""Trained models: recorded in a run folder, loaded from it, or handed on as safetensors.

The run's `config.json` names the model and its fields, so that no code of the experiment is
needed to build it again; the weights come from the newest checkpoint that verifies. Nothing is
ever unpickled, and only modules and functions of `jaxdl.models` and `jax.nn` are looked up.
"""

import dataclasses
import importlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from jaxdl.errors import InputError, require, require_choice, require_number
from jaxdl.run.checkpoint import Arrays, Checkpoints
from jaxdl.run.config import read_json, write_json
from jaxdl.run.folder import CONFIG, runs_inside
from jaxdl.run.output import Output

ALLOWED = ("jaxdl.models", "jax.nn", "jax._src.nn")  # where a recorded name may point to


def record(output: Output, form: str) -> None:
    """Write config.json: the experiment's config, its model described, and what computes the run.

    Nothing is written where there is neither, or no folder, which must exist. The config of the run
    that this is a part of goes to its own folder.

    Args:
      output: of the run.
      form: what computes it, for a warning if that is another on a resume.

    Raises:
      InputError: a model whose fields cannot be written down.
    """
    if output.folder is None:
        return
    whole = output.whole
    if whole is not None and whole.folder is not None and whole.config is not None:
        written = whole.folder / CONFIG  # a fit in the folder itself has recorded its model and form there
        recorded = read_json(written, "folder") if written.exists() else {"model": None}
        write_json(written, {**recorded, **whole.config})
    if output.config is not None or output.model is not None:
        model = None if output.model is None else describe(output.model)
        write_json(output.folder / CONFIG, {**(output.config or {}), "model": model, "form": form})


def load(folder: str | Path, seed: int = 0, net: str = "net") -> tuple[nn.Module, dict[str, Any], dict]:
    """A trained model from a run folder.

    Args:
      folder: of a run, finished or not.
      seed: which of its runs, 0..seeds-1.
      net: name of the net in the state, for families with several, and of its model if each has one.

    Returns:
      The flax module, its variables (those of the best validation where the run selected them, and the
      averages of a net that has them, see `ema`), and the run's recorded config:
      `model.apply(variables, inputs)` predicts.

    Raises:
      InputError: no run, no intact checkpoint, no such seed or net, or a model that is not jaxdl's.
    """
    require_number("seed", seed, 0, whole=True, remedy="it counts the run's seeds from 0")
    folder = Path(folder)
    runs = runs_inside(folder)
    inside = runs and not (folder / CONFIG).exists()
    recorded = {} if inside else read_json(folder / CONFIG, "folder")
    remedy = (
        f"it holds the runs {', '.join(runs)}"
        if runs
        else "only models of jaxdl are recorded; build yours and read the checkpoint yourself"
    )
    require(recorded.get("model") is not None, "folder", str(folder), "a run with a recorded model", remedy)
    model = build(recorded["model"])
    if isinstance(model, dict):  # one for each net
        require_choice("net", net, sorted(model))
        model = model[net]
    with Checkpoints(folder / "checkpoints", read_only=True) as checkpoints:
        arrays = checkpoints.restore(logging.getLogger("jaxdl").warning).arrays
    chosen = "best" if any(path.startswith("best.") for path in arrays) else "state"
    nets = _nets(arrays, chosen)
    require_choice("net", net, sorted(nets))
    params, stats = (_nested(arrays, nets[net] + part, seed) for part in ("params.", "stats."))
    average = _nested(arrays, f"{chosen}.average.", seed)
    if average and _shapes(average) == _shapes(params):  # it is this net's
        params, stats = average, _nested(arrays, f"{chosen}.average_stats.", seed)
    return model, {"params": params, **stats}, recorded


def export(folder: str | Path, path: str | Path, seed: int = 0, net: str = "net") -> None:
    """Write the weights of a run to a safetensors file, which any framework reads.

    Names are those of flax, `params.conv1.kernel`; convolutions are [height, width, in, out].

    Raises:
      InputError: as for `load`; a path that cannot be written.
    """
    from safetensors.numpy import save_file

    free = Path(path).absolute().parent.is_dir() and not Path(path).is_dir()
    require(free, "path", str(path), "a file in a folder that can be written", "make its folder first")
    _, variables, recorded = load(folder, seed, net)
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    tensors = {jax.tree_util.keystr(p, simple=True, separator="."): np.asarray(x) for p, x in leaves}
    metadata = {"format": "flax", "experiment": str(recorded.get("experiment", "")), "seed": str(seed)}
    save_file(tensors, str(path), metadata)


def describe(value: Any) -> Any:
    """A flax module, or several by name, as JSON: its class and fields; functions by their names.

    Raises:
      InputError: a field that is neither simple nor has a name.

    >>> describe(nn.Dense(3))["class"]
    'flax.linen.linear.Dense'
    """
    if isinstance(value, nn.Module):
        fields = [f.name for f in dataclasses.fields(value) if f.name not in ("parent", "name")]
        described = {name: describe(getattr(value, name)) for name in fields}
        return {"class": _qualified(type(value)), "fields": described}
    if isinstance(value, tuple | list):
        return [describe(each) for each in value]
    if isinstance(value, dict):
        return {name: describe(each) for name, each in value.items()}
    if callable(value):
        return {"function": _qualified(value)}
    remedy = "of a model in half precision record the one inside, its `model`"
    simple = value is None or isinstance(value, str | int | float)
    require(simple, "model", type(value).__name__, "a flax module of simple fields", remedy)
    return value


def build(spec: Any) -> Any:
    """The inverse of `describe`, for modules and functions of jaxdl.

    Raises:
      InputError: a class or function of elsewhere or of another version, or other fields.
    """
    if isinstance(spec, dict) and "class" in spec:
        make = _find(spec["class"])
        try:
            return make(**{name: build(each) for name, each in spec["fields"].items()})
        except (TypeError, KeyError) as error:
            remedy = f"install the run's version ({error})"
            raise InputError("model", spec["class"], "a model with the recorded fields", remedy) from None
    if isinstance(spec, dict) and "function" in spec:
        return _find(spec["function"])
    if isinstance(spec, dict):
        return {name: build(each) for name, each in spec.items()}
    return tuple(build(each) for each in spec) if isinstance(spec, list) else spec


def _qualified(thing: Any) -> str:
    thing = getattr(thing, "__wrapped__", thing)  # jax.nn.relu is a compiled wrapper
    named = hasattr(thing, "__qualname__")
    require(named, "model", thing, "fields that have a name", "give it a def of its own instead of a partial")
    return f"{thing.__module__}.{thing.__qualname__}"


def _find(name: Any) -> Callable[..., Any]:
    module, _, attribute = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    allowed = any(module == each or module.startswith(each + ".") for each in ALLOWED)
    require(allowed, "model", name, "a model of jaxdl", "build it yourself and read the checkpoint")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        found = None
    if found is None:
        raise InputError("model", name, "a model of this version of jaxdl", "install the run's version")
    return found


def _nets(arrays: Arrays, chosen: str) -> dict[str, str]:
    """The prefix of each net's arrays by its name; `ema` has the state inside of its own."""
    found = (re.match(rf"({chosen}\.(?:state\.)*(\w+)\.)params\.", path) for path in arrays)
    return {match[2]: match[1] for match in found if match}


def _shapes(tree: Any) -> Any:
    return jax.tree.map(lambda x: x.shape, tree)


def _nested(arrays: Arrays, prefix: str, seed: int) -> dict[str, Any]:
    """The arrays under a dotted prefix as a nested dict, those of one seed."""
    nested: dict[str, Any] = {}
    for path, array in arrays.items():
        if path.startswith(prefix):
            require(
                0 <= seed < len(array), "seed", seed, f"an integer in 0..{len(array) - 1}", "see config.json"
            )
            *parents, leaf = path.removeprefix(prefix).split(".")
            place = nested
            for parent in parents:
                place = place.setdefault(parent, {})
            place[leaf] = jnp.asarray(array[seed])
    return nested
