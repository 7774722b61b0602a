"""A frozen dataclass as a command line: `--help` from its comments, sweeps, and short errors."""

import contextlib
import dataclasses
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from jaxdl.errors import InputError, require_choice, require_number
from jaxdl.run import config as configs


@dataclasses.dataclass(frozen=True)
class Options:
    """What every experiment can be told beside its own options."""

    out: Path | None = None  # run folder; runs/NAME, runs/NAME-2, ... by default
    resume: Path | None = None  # run folder to continue, bit for bit
    data_dir: Path | None = None  # of data; then $JAXDL_DATA, $TFDS_DATA_DIR, ~/tensorflow_datasets
    progress: bool = True  # progress bar
    layers: bool = False  # log the norms of every layer at each evaluation
    doctor: bool = False  # name illnesses and their causes; costs a probe at the start and a few % after
    devices: int = 1  # of training: they share the seeds if they divide evenly, else every batch
    deterministic: bool = False  # the same bits each time on a GPU, at a price; a CPU gives them anyway
    cluster: bool = False  # join a Kubernetes job or a TPU pod; mpirun and srun are seen without it
    profile: bool = False  # trace one chunk of steps for Perfetto or TensorBoard


def parse(
    config_type: type[Any],
    argv: Sequence[str],
    program: str,
    description: str = "",
    presets: Mapping[str, Any] | None = None,
) -> tuple[list[Any], Options, set[str]]:
    """Parse the options of an experiment.

    Args:
      config_type: frozen dataclass with defaults; the comment of a field is its help.
      argv: the words after the experiment's name.
      program, description: shown in the help.
      presets: defaults by data set, for configs with a field `dataset`.

    Returns:
      The configs (several for a sweep: `--learning-rate 1e-3,3e-4` is two), the options of the
      runner, and the names of the config's fields that were given.

    Raises:
      InputError: unknown option, value of the wrong type or out of range.
      SystemExit: 0, after `--help`.
    """
    groups = _split(argv)
    types = get_type_hints(config_type) | get_type_hints(Options)
    options = [configs.option(name) for name in types]
    options += [f"--no-{configs.option(name)[2:]}" for name in types if types[name] is bool]
    for word, *values in groups:
        if word not in ("-h", "--help"):
            require_choice("option", word, options, "an option of this experiment (--help lists them)")
            _check_choice(word, values, types.get(_name(word)))
    own = {field.name for field in dataclasses.fields(config_type)}  # the runner's are not swept
    swept = [_sweep(g, types.get(_name(g[0]))) if _name(g[0]) in own else [g] for g in groups]
    alternatives = [list(itertools.chain(*words)) for words in itertools.product(*swept)]
    shown = {"prog": program, "description": description.replace("\n", "\n\n")}
    parsed = [_tyro(config_type, words, shown, presets, types) for words in alternatives]
    for found, _ in parsed:
        configs.check(found)
    runner = parsed[0][1]
    require_number("--devices", runner.devices, 1, whole=True, remedy="1 is a device alone")
    # A value that is asked for twice is one run.
    different = [found for i, (found, _) in enumerate(parsed) if found not in [x for x, _ in parsed[:i]]]
    return different, runner, {_name(group[0]) for group in groups} & own


def _split(argv: Sequence[str]) -> list[list[str]]:
    """Group the words: each option with its values; `--a=b` becomes two words."""
    groups: list[list[str]] = []
    for word in argv:
        if re.match(r"-[-a-zA-Z]", word):
            groups.append(word.split("=", 1))
        elif groups:
            groups[-1].append(word)
        else:
            raise InputError("option", word, "options that start with --", "see --help")
    return groups


def _sweep(group: list[str], kind: Any) -> list[list[str]]:
    """The alternatives of one option: a comma separates the values of a sweep."""
    if len(group) == 2 and "," in group[1] and get_origin(kind) is not tuple and kind is not Path:
        return [[group[0], value] for value in group[1].split(",")]
    return [group]


def _check_choice(word: str, values: list[str], kind: Any) -> None:
    """Refuse what is not among the choices of an option, with the nearest one."""
    if get_origin(kind) is Literal:
        for value in itertools.chain(*(value.split(",") for value in values)):
            require_choice(word, value, get_args(kind))


def _tyro(
    config_type: type[Any],
    words: list[str],
    shown: dict[str, Any],
    presets: Mapping[str, Any] | None,
    types: dict,
) -> tuple[Any, Options]:
    import tyro

    default = config_type()
    for option, value in itertools.pairwise(words):
        if option == "--dataset" and presets:
            default = presets.get(value, default)
    command = dataclasses.make_dataclass(
        "Command",
        [
            ("config", config_type, dataclasses.field(default=default)),
            ("runner", Options, dataclasses.field(default_factory=Options)),
        ],
    )
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parsed = tyro.cli(command, args=words, config=(tyro.conf.OmitArgPrefixes,), **shown)
    except SystemExit as error:
        if not error.code:
            raise
        raise _readable(said.getvalue(), words, types) from None
    return parsed.config, parsed.runner


def _readable(message: str, words: list[str], types: dict[str, Any]) -> InputError:
    """The option that tyro's message names, with its value and what it takes."""
    option = next((word for word in re.findall(r"--[a-z0-9-]+", message) if word in words), None)
    if option is None:
        return InputError("option", " ".join(words), "options as in --help", "see --help")
    given = itertools.takewhile(lambda word: not word.startswith("--"), words[words.index(option) + 1 :])
    kind = types.get(_name(option))
    return InputError(option, " ".join(given), _said(kind), f"tyro says: {_plain(message)}"[:200])


def _said(kind: Any) -> str:
    """A type as a user would say it.

    >>> _said(tuple[int, int]), _said(int | None)
    ('2 values, an integer and an integer', 'an integer or None')
    """
    simple = {int: "an integer", float: "a number", str: "a word", Path: "a path", bool: "no value"}
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        if arguments[-1] is Ellipsis:
            return f"values, each {_said(arguments[0])}"
        return f"{len(arguments)} values, " + " and ".join(_said(each) for each in arguments)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(arguments)
    if arguments:
        return " or ".join("None" if each is type(None) else _said(each) for each in arguments)
    return simple.get(kind, "a value as in --help")


def _plain(message: str) -> str:
    """The first sentence inside a box."""
    lines = [re.sub(r"[─│╭╮╰╯]", "", line).strip() for line in message.splitlines()[1:]]
    return next((line for line in lines if line), "")


def _name(word: str) -> str:
    return word.lstrip("-").replace("-", "_").removeprefix("no_")
