"""A frozen dataclass as a command line: `--help` from its comments, sweeps, and short errors."""

import contextlib
import dataclasses
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxdl.errors import InputError, require_choice
from jaxdl.run import config as configs


@dataclasses.dataclass(frozen=True)
class Options:
    """What every experiment can be told beside its own options."""

    out: Path | None = None  # run folder; runs/NAME, runs/NAME-2, ... by default
    resume: Path | None = None  # run folder to continue, bit for bit
    data_dir: Path | None = (
        None  # folder of data sets; then $JAXDL_DATA, $TFDS_DATA_DIR, ~/tensorflow_datasets
    )
    progress: bool = True  # progress bar
    layers: bool = False  # log the norms of every layer at each evaluation
    profile: bool = False  # trace one chunk of steps for Perfetto or TensorBoard


def parse(
    config_type: type[Any], argv: Sequence[str], program: str, presets: Mapping[str, Any] | None = None
) -> tuple[list[Any], Options, set[str]]:
    """Parse the options of an experiment.

    Args:
      config_type: frozen dataclass with defaults; the comment of a field is its help.
      argv: the words after the experiment's name.
      program: shown in the help.
      presets: defaults by data set, for configs with a field `dataset`.

    Returns:
      The configs (several for a sweep: `--learning-rate 1e-3,3e-4` is two), the options of the
      runner, and the names of the config's fields that were given.

    Raises:
      InputError: unknown option, value of the wrong type or out of range.
      SystemExit: 0, after `--help`.
    """
    groups = _split(argv)
    fields = [*dataclasses.fields(config_type), *dataclasses.fields(Options)]
    options = [configs.option(field.name) for field in fields]
    options += [f"--no-{configs.option(f.name)[2:]}" for f in fields if isinstance(f.default, bool)]
    for word, *_ in groups:
        require_choice("option", word, [*options, "--help", "-h"])
    scalars = {f.name for f in dataclasses.fields(config_type) if not isinstance(f.default, tuple)}
    swept = [_sweep(group, scalars) for group in groups]
    alternatives = [list(itertools.chain(*words)) for words in itertools.product(*swept)]
    parsed = [_tyro(config_type, words, program, presets) for words in alternatives]
    for found, _ in parsed:
        configs.check(found)
    given = {_name(group[0]) for group in groups} & {f.name for f in dataclasses.fields(config_type)}
    return [found for found, _ in parsed], parsed[0][1], given


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


def _sweep(group: list[str], scalars: set[str]) -> list[list[str]]:
    """The alternatives of one option: a comma separates the values of a sweep."""
    if len(group) == 2 and "," in group[1] and _name(group[0]) in scalars:
        return [[group[0], value] for value in group[1].split(",")]
    return [group]


def _tyro(
    config_type: type[Any], words: list[str], program: str, presets: Mapping[str, Any] | None
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
            parsed = tyro.cli(
                command, args=words, prog=program, description="", config=(tyro.conf.OmitArgPrefixes,)
            )
    except SystemExit as error:
        if not error.code:
            raise
        raise _readable(said.getvalue(), words) from None
    return parsed.config, parsed.runner


def _readable(message: str, words: list[str]) -> InputError:
    """Tyro's boxed message as one line."""
    lines = [re.sub(r"[─│╭╮╰╯]", "", line).strip() for line in message.splitlines()]
    text = " ".join(line for line in lines if line)
    option = re.search(r"(--[a-z][a-z0-9-]*)", text)
    if option is None or option[1] not in words:
        return InputError("option", " ".join(words), "options as in --help", text[:200])
    given = " ".join(
        itertools.takewhile(lambda w: not w.startswith("--"), words[words.index(option[1]) + 1 :])
    )
    kind = re.search(
        re.escape(option[1]) + r"(?:, --no-\S+)? ([^a-z(][^a-z(]*|\{[^}]*\})", text.split("helptext", 1)[-1]
    )
    expected = kind[1].strip() if kind else "a value as in --help"
    return InputError(option[1], given, expected, "see --help")


def _name(word: str) -> str:
    return word.lstrip("-").replace("-", "_")
