"""Lists and runs the experiments: `python -m experiments NAME --help`."""

import ast
import dataclasses
import difflib
import importlib
import itertools
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments._execute import execute
from jaxdl.errors import InputError

HERE = Path(__file__).parent
SHORT = 5  # minutes: what `all` runs without --long
LEFT = 128  # exit codes of a run that was asked to leave begin here
USAGE = """python -m experiments            this list
python -m experiments NAME       run one; --help for its options, --seeds 5 --out FOLDER for example
python -m experiments NAME --resume FOLDER
python -m experiments NAME --learning-rate 1e-3,3e-4   a sweep
python -m experiments all        every one of at most 5 minutes, then the gallery; --long for the rest too
python -m experiments table      the committed results as the README shows them
python -m experiments slides     every row of the slides with its state, as in docs/slides.md
python -m experiments benchmarks the measured speeds beside others' libraries; --quick for two minutes
python -m experiments gallery    a page with both and the figures of your runs; --lang fr in French"""


class Script(NamedTuple):
    """An experiment as its docstring describes it."""

    path: Path
    name: str
    title: str
    expected: str
    time: str

    @property
    def module(self) -> str:
        """What to import: experiments.mlp, experiments.foundations.neuron."""
        return ".".join(("experiments", *self.path.relative_to(HERE).with_suffix("").parts))

    @property
    def minutes(self) -> float:
        """What the docstring says it takes with its defaults."""
        return float(re.findall(r"[\d.]+", self.time)[0])


def scripts() -> dict[str, Script]:
    """All experiments of this folder, then of its sub-packages; found by glob, read without importing."""
    found = {}
    for path in [*sorted(HERE.glob("*.py")), *sorted(HERE.glob("*/*.py"))]:
        if not path.name.startswith("_") and path.parent.name != "benchmarks":
            text = ast.get_docstring(ast.parse(path.read_text())) or ""
            lines = dict(re.findall(r"^(Expected|Time): (.*)$", text, re.MULTILINE))
            assert path.stem not in found, f"{path}: two experiments of one name"
            found[path.stem] = Script(path, path.stem, text.splitlines()[0], lines["Expected"], lines["Time"])
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 a claim does not hold, 2 bad input."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words[1:] and words[0] in ("-h", "--help", "list", "table", "slides"):
            raise InputError("option", words[1], f"nothing after {words[0]!r}", "see python -m experiments")
        if not words or words[0] in ("-h", "--help", "list"):
            print(listing())
            return 0
        if words[0] in ("table", "slides"):
            print(importlib.import_module(f"experiments._{words[0]}").markdown())
            return 0
        if words[0] == "gallery":
            from experiments import _gallery

            return _gallery.main(words[1:], scripts())
        if words[0] == "benchmarks":
            from experiments.benchmarks import __main__ as benchmarks

            return benchmarks.main(words[1:])
        if words[0] == "all":
            return run_all(words[1:])
        return run_one(words[0], words[1:])
    except InputError as error:
        return refuse(error)
    except KeyboardInterrupt:  # outside of training, where nothing is to be saved
        return 130


def refuse(error: InputError) -> int:
    """Say what was wrong, as the command line calls it; the exit code."""
    message = str(error)
    # The library says batch_size, the command line --batch-size.
    lower = error.field.isidentifier() and error.field.islower()
    if lower and error.field not in ("experiment", "option", "data"):
        message = message.replace(error.field, "--" + error.field.replace("_", "-"), 1)
    print(f"error: {message}", file=sys.stderr)
    return 2


def listing() -> str:
    """Every experiment, by folder: name, what it reproduces, what is expected, how long it takes."""
    blocks = []
    for folder, group in itertools.groupby(scripts().values(), lambda script: script.path.parent):
        blocks += [] if folder == HERE else [f"-- {folder.name}"]
        blocks += [f"{s.name}\n  {s.title}\n  expected: {s.expected}\n  time: {s.time}" for s in group]
    return "\n".join([*blocks, "", USAGE])


def run_one(name: str, words: Sequence[str]) -> int:
    """Run one experiment, or the several of a sweep; the exit code is the worst of them."""
    known = scripts()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "python -m experiments lists them"
        raise InputError("experiment", name, "one of " + ", ".join(known), remedy)
    from jaxdl.run import deterministic, processes, spread

    module, found, options, given = parsed(known[name], words)
    if options.devices > 1:
        spread.provide(options.devices)
    if deterministic.wanted(options.deterministic, options.resume):
        options = dataclasses.replace(options, deterministic=True)
        deterministic.demand()
    processes.join(options.cluster)
    with processes.aside(options.resume) as scratch:
        return run_parsed(module, name, found, options, given, scratch)


def parsed(script: Script, words: Sequence[str]) -> tuple[Any, list[Any], Any, set[str]]:
    """An experiment's module, and what `cli.parse` makes of the words."""
    from jaxdl.run import cli

    module = importlib.import_module(script.module)
    presets = getattr(module, "PRESETS", None)
    program = f"python -m experiments {script.name}"
    return module, *cli.parse(module.Config, words, program, module.__doc__ or "", presets)


def run_parsed(
    module: Any, name: str, found: list[Any], options: Any, given: set[str], scratch: Path | None
) -> int:
    """Run what the command line asked for; into `scratch` where another process does the writing."""
    from jaxdl.run import folder

    if options.resume is not None:
        if options.out is not None:
            raise InputError("--out", str(options.out), "no other folder on a resume", "leave it out")
        if len(found) > 1:
            raise InputError("--resume", str(options.resume), "one run", "a sweep cannot be resumed at once")
        changes = {field: getattr(found[0], field) for field in given}
        config = folder.reopen(options.resume, name, module.Config, changes)
        return execute(module, name, config, options, scratch or options.resume)
    out = scratch or folder.fresh(options.out, name)
    if len(found) == 1:
        return execute(module, name, found[0], options, out)
    changing = [
        f.name for f in dataclasses.fields(module.Config) if len({getattr(c, f.name) for c in found}) > 1
    ]
    codes = []
    for config in found:
        label = ",".join(f"{field}={getattr(config, field)}" for field in changing).replace("/", "_")
        print(f"== {label}")
        try:
            codes.append(execute(module, name, config, options, out / label))
        except InputError as error:  # the other settings may be right
            codes.append(refuse(error))
        if codes[-1] >= LEFT:
            break
    return max(codes)


def run_all(words: Sequence[str]) -> int:
    """Run every experiment that declares at most `SHORT` minutes, or with --long every one."""
    if {"-h", "--help"} & set(words):
        print(USAGE)
        return 0
    chosen = [s for s in scripts().values() if "--long" in words or s.minutes <= SHORT]
    words = [word for word in words if word != "--long"]
    from jaxdl.run import processes

    if processes.launched():
        remedy = "start the experiments one by one there"
        raise InputError("experiment", "all", "the name of one under mpirun or srun", remedy)
    root = None
    for script in chosen:  # before the first of them runs
        try:
            root = parsed(script, words)[2].out
        except InputError as error:
            remedy = f"{error.remedy}; so says {script.name}, and nothing was run"
            raise InputError(error.field, error.value, error.expected, remedy) from None
    codes = {}
    for script in chosen:
        print(f"== {script.name}: {script.title}")
        into = [] if root is None else ["--out", str(root / script.name)]
        try:
            codes[script.name] = run_one(script.name, [*words, *into])
        except InputError as error:  # such as seeds that the devices do not divide
            codes[script.name] = refuse(error)
        if codes[script.name] >= LEFT:
            return codes[script.name]
    print("\n".join(f"{name}: {'ok' if code == 0 else f'exit code {code}'}" for name, code in codes.items()))
    from experiments import _gallery
    from jaxdl.run.folder import RUNS

    runs = root or RUNS
    print(f"open {_gallery.build(runs, runs / 'gallery', scripts())}")
    return max(codes.values(), default=0)


if __name__ == "__main__":
    try:
        code, failed = main(), False
    except Exception:
        traceback.print_exc()
        code, failed = 1, True
    if failed or code > 1:
        from jaxdl.run import processes

        processes.leave(code)
    sys.exit(code)
