"""Run folders, checkpoints and arguments of a run that cannot be used."""

import itertools
import json
import shutil

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments import mlp
from jaxdl import models
from jaxdl.data import order
from jaxdl.learners import dqn, supervised
from jaxdl.run import Output, Select, config, export, fit, load, report
from jaxdl.run.checkpoint import Checkpoints, unflatten
from jaxdl.run.folder import fresh
from jaxdl.run.play import play
from jaxdl.run.trained import describe
from jaxdl.transforms import resident

LINEAR = models.MLP((), outputs=2)
ARRAYS = {"net": {"params": {"logits": {"kernel": np.ones((1, 3, 2)), "bias": np.ones((1, 2))}}}}


def a_run(folder):
    """A run folder as a small classifier leaves it: config.json and one checkpoint."""
    run = folder / "run"
    run.mkdir()
    written = config.describe("mlp", mlp.Config()) | {"model": describe(LINEAR)}
    config.write_json(run / "config.json", written)
    with Checkpoints(run / "checkpoints") as checkpoints:
        checkpoints.save(3, {"state": ARRAYS}, {})


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """One such folder, to be copied: writing it takes longer than all refusals."""
    folder = tmp_path_factory.mktemp("saved")
    a_run(folder)
    return folder / "run"


def changed(change):
    """Change the record in config.json by hand."""

    def prepare(folder):
        path = folder / "run" / "config.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps(change(record) or record))

    return prepare


def text(name, content):
    return lambda folder: (folder / "run" / name).write_text(content)


def model(**fields):
    return changed(lambda record: record["model"].update(fields))


def flip(folder):
    """One bit of the largest file of the checkpoint."""
    path = max((folder / "run" / "checkpoints").rglob("*"), key=lambda p: p.is_file() * p.stat().st_size)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def only_empty(folder):
    shutil.rmtree(folder / "run" / "checkpoints")
    (folder / "run" / "checkpoints" / "7").mkdir(parents=True)


def nothing(folder):
    """Leave the folder as it is."""


def load_run(folder):
    load(folder / "run")


# name: (what was done to the folder, call, field, words of the message)
FOLDERS = {
    "no folder": (nothing, lambda folder: load(folder / "none"), "folder", ["none", "a readable JSON file"]),
    "no config": (lambda folder: (folder / "run/config.json").unlink(), load_run, "folder", ["config.json"]),
    "half a config": (text("config.json", '{"model": '), load_run, "folder", ["JSONDecodeError"]),
    "a list as config": (text("config.json", "[1]"), load_run, "folder", ["it holds a list"]),
    "bytes as config": (lambda folder: (folder / "run/config.json").write_bytes(b"\xff\xfe"), load_run,
        "folder",
        ["UnicodeDecodeError"]),
    "a sweep": (lambda folder: ((folder / "run").rename(folder / "run-1") and
                (folder / "run").mkdir()) or (folder / "run-1").rename(folder / "run" / "seed=1"),
        load_run, "folder",
        ["it holds the runs seed=1"]),
    "no model": (changed(lambda record: record.update(model=None)), load_run, "folder", ["a recorded model"]),
    "code as model": (model(**{"class": "os.system"}), load_run, "model",
        ["'os.system'", "a model of jaxdl"]),
    "code beside models": (model(**{"class": "jaxdl.models.mlp.os.system"}), load_run, "model",
        ["this version"]),
    "model of another version": (model(**{"class": "jaxdl.models.mlp.MLPMixer"}), load_run, "model",
        ["install"]),
    "field of another version": (model(fields={"wings": 2}), load_run, "model", ["wings", "install"]),
    "no fields": (changed(lambda record: record["model"].pop("fields") and None), load_run, "model",
        ["fields"]),
    "number as model": (model(**{"class": 7}), load_run, "model", ["7", "a model of jaxdl"]),
    "unknown net": (nothing, lambda folder: load(folder / "run", net="nett"), "net", ["did you mean 'net'?"]),
    "seed beyond": (nothing, lambda folder: load(folder / "run", seed=1), "seed",
        ["1", "0..0", "config.json"]),
    "seed -1": (nothing, lambda folder: load(folder / "run", seed=-1), "seed", ["-1", ">= 0"]),
    "no checkpoint": (lambda folder: shutil.rmtree(folder / "run/checkpoints"), load_run, "resume",
        ["intact"]),
    "empty folder named like a step": (only_empty, load_run, "resume",
        ["a folder with an intact checkpoint"]),
    "damaged checkpoint": (flip, load_run, "resume", ["a folder with an intact checkpoint"]),
    "export to nowhere": (nothing, lambda folder: export(folder / "run", folder / "none/w.safetensors"),
        "path",
        ["none", "can be written"]),
    "used folder": (nothing, lambda folder: fresh(folder / "run", "mlp"), "--out",
        ["--resume", "an empty folder"]),
    "file as a folder": (nothing, lambda folder: fresh(folder / "run/config.json/a", "mlp"), "--out",
        ["is a file"]),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_bad_folders_are_refused(case, refused, saved):
    damage, call, field, words = FOLDERS[case]

    def prepare(folder):
        shutil.copytree(saved, folder / "run")
        damage(folder)

    refused(call, field, words, prepare)


KERNEL = {"kernel": np.ones((3, 2), np.float32)}
TEMPLATES = {
    "another width": ({"kernel": jnp.ones((3, 4))}, ["(3, 2)", "float32(3, 4) for kernel", "another model"]),
    "another dtype": ({"kernel": jnp.ones((3, 2), jnp.bfloat16)}, ["float32", "bfloat16(3, 2)"]),
    "another layer": ({"kernels": jnp.ones((3, 2))}, ["kernel", "the arrays of this learner"]),
    "one more array": ({"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}, ["bias", "arrays of this learner"]),
    "one array less": ({}, ["kernel", "another model"]),
}


@pytest.mark.parametrize("case", TEMPLATES)
def test_arrays_of_another_learner_are_refused(case, refused):
    template, words = TEMPLATES[case]
    refused(lambda folder: unflatten(template, KERNEL), "resume", words)


ROWS = {"input": np.zeros((8, 3), np.float32), "target": np.arange(8) % 2}
LEARNER = supervised.learner(LINEAR, optax.sgd(0.1))
RESIDENT = resident(LEARNER, 4, order.rows)
JUDGE = supervised.evaluate(LINEAR)


def run(learner=RESIDENT, rows=ROWS, **options):
    return lambda folder: fit(learner, rows, **({"steps": 2} | options))


def player(**options):
    agent = dqn.agent(models.QNetwork(2), optax.sgd(0.1), dqn_buffer())
    return lambda folder: play(None, agent, **({"steps": 100_000} | options))


def dqn_buffer():
    from jaxdl import envs

    return envs.uniform(1024)


RUNS = {
    "no steps": (run(steps=0), "steps", ["0", "1..2147483647"]),
    "steps beyond 32 bits": (run(steps=2**31), "steps", ["2147483648", "32 bits"]),
    "half a step": (run(steps=0.5), "steps", ["0.5", "an integer"]),
    "evaluation every 0 steps": (run(every=0), "every", ["0", ">= 1", "leave it out"]),
    "no seeds": (run(seeds=0), "seeds", ["0", ">= 1"]),
    "seed -1": (run(seed=-1), "seed", ["-1", "0..4294967295", "wrap"]),
    "seed equal to 0 in 32 bits": (run(seed=2**40), "seed", [str(2**40), "wrap"]),
    "seeds that wrap": (run(seed=2**32 - 1, seeds=2), "seed", ["4294967295", "0..4294967294"]),
    "batches of 0 rows": (run(batch_size=0), "batch_size", ["0", ">= 1"]),
    "unknown loop": (run(loop="vmpa"), "loop", ["did you mean 'vmap'?"]),
    "no patience": (run(evaluate=JUDGE, validation=ROWS, select=Select(patience=0)), "patience",
        ["0", ">= 1"]),
    "measure that is not taken": (lambda folder: fit(RESIDENT, ROWS, steps=2, evaluate=JUDGE, validation=ROWS,
            select=Select("val_loss"), output=Output(folder / "new")),
        "select.measure",
        ["'val_loss'", "accuracy, loss"]),
    "model instead of a learner": (run(LINEAR), "learner", ["'MLP'", "a Learner", "supervised.learner"]),
    "rows without names": (run(rows=(ROWS["input"], ROWS["target"])), "batch", ["'tuple'", "'target'"]),
    "rows of other names": (run(rows={"x": ROWS["input"], "y": ROWS["target"]}), "batch",
        ["['x', 'y']", "'input' and 'target'"]),
    "evaluation of nothing": (run(evaluate=JUDGE), "evaluate", ["with `validation`", "give both"]),
    "choice without evaluation": (run(select=Select()), "evaluate", ["given for `select`"]),
    "empty validation": (run(evaluate=JUDGE, validation={"input": ROWS["input"][:0]}), "validation",
        ["(0, 3)"]),
    "uneven data": (run(rows=ROWS | {"target": ROWS["target"][:4]}), "data", ["input: 8, target: 4"]),
    "one label for all": (run(rows=ROWS | {"target": ROWS["target"][:1]}), "data", ["target: 1"]),
    "data without rows": (run(rows={"input": ROWS["input"][:0]}), "data", ["(0, 3)", "empty?"]),
    "label of 34 bits": (run(rows=ROWS | {"target": ROWS["target"] + 2**33}), "data", ["32 bits"]),
    "label beyond the outputs": (run(rows=ROWS | {"target": np.arange(8)}), "target", ["2 in row 2", "0..1"]),
    "label beyond in a late row": (run(rows=ROWS | {"target": np.array([0] * 7 + [5])}), "target",
        ["5 in row 7", "0..1"]),
    "label beyond on a device": (run(rows={"input": jnp.asarray(ROWS["input"]),
                                           "target": jnp.array([0] * 7 + [5])}), "target", ["5 in row 7"]),
    "batches of two sizes": (run(LEARNER, lambda start: iter([ROWS, {k: x[:3] for k, x in ROWS.items()}])),
        "data",
        ["(8, 3)", "(3, 3)", "the last batch"]),
    "no device": (lambda folder: fit(RESIDENT, ROWS, steps=2, output=Output(devices=0)), "devices", ["0"]),
    "batch beyond the data": (run(resident(LEARNER, 9, order.rows)), "batch_size", ["9", "1..8"]),
    "data of a host": (run(LEARNER), "data", ["'dict'", "a function from a step", "jaxdl.data.stream"]),
    "host without batches": (run(LEARNER, lambda start: iter([])), "data", ["no batch 0", "empty?"]),
    "host with too few": (run(LEARNER, lambda start: itertools.islice([ROWS] * 3, start, 3), steps=4), "data",
        ["no batch 3", "a batch for every step"]),
    "too few steps to play": (player(steps=20), "steps", ["20", "at least", "warm-up"]),
    "environment that is made": (player(), "make", ["'NoneType'", "a function", "lambda"]),
    "checkpoints every 0 rounds": (player(every=0), "every", ["0", ">= 1"]),
    "player of seed -1": (player(seed=-1), "seed", ["-1", "0..4294967295"]),
    "claim that cannot be read": (lambda folder: report.claim("a", "b", "about 1", [1]), "expected",
        ["'> 0.99'"]),
    "claim without a number": (lambda folder: report.claim("a", "b", "> 1", []), "values", ["one per seed"]),
}  # fmt: skip


@pytest.mark.parametrize("case", RUNS)
def test_bad_runs_are_refused(case, refused):
    call, field, words = RUNS[case]
    refused(call, field, words)


def test_checkpoints_in_a_file_are_refused(refused):
    refused(
        lambda folder: Checkpoints(folder / "file"),
        "folder",
        ["file", "a folder that can be made"],
        lambda folder: (folder / "file").write_text("mine"),
    )


def options(**values):
    return changed(lambda record: record["config"].update(values))


def grown(folder):
    config.write_json(folder / "run" / "result.json", {"seconds": "many"})


# name: (what was done to the folder, further words, words of the first line)
RESUMES = {
    "half a config": (text("config.json", "{"), [], ["--resume", "a readable JSON file", "JSONDecodeError"]),
    "a list as config": (text("config.json", "[]"), [], ["--resume", "it holds a list"]),
    "another experiment": (changed(lambda record: record.update(experiment="cnn")), [],
        ["--resume", "'mlp'", "'cnn'"]),
    "no options": (changed(lambda record: record.pop("config") and None), [], ["--resume", "by hand"]),
    "options as a list": (changed(lambda record: record.update(config=[])), [], ["--resume", "by hand"]),
    "versions as a list": (changed(lambda record: record.update(versions=[])), [], ["--resume", "by hand"]),
    "option of another version": (options(wings=2), [], ["--resume", "wings", "another version"]),
    "missing option": (changed(lambda record: record["config"].pop("epochs") and None), [],
        ["epochs", "version"]),
    "word for a number": (options(epochs="many"), [], ["--epochs", "'many'", "type int", "by hand"]),
    "number for a word": (options(dataset=3), [], ["--dataset", "3", "Literal"]),
    "number for several": (options(widths=30), [], ["--widths", "30", "tuple"]),
    "rate out of range": (options(learning_rate=-1.0), [], ["--learning-rate", "-1.0", "> 0"]),
    "another rate": (nothing, ["--learning-rate", "0.5"],
        ["--learning-rate", "0.5", "0.002 as in", "leave it out"]),
    "fewer epochs": (nothing, ["--epochs", "1"], ["--epochs", "1", "60 as in", "may grow"]),
    "broken result": (text("result.json", "{"), [], ["--resume", "result.json", "a readable JSON file"]),
    "result of words": (grown, [], ["--resume", "result.json", "the result of a run", "remove the file"]),
    "checkpoint of another model": (nothing, [], ["--resume", "the arrays of this learner", "another model"]),
}  # fmt: skip


@pytest.mark.parametrize("case", RESUMES)
def test_bad_resumes_are_refused_in_one_line(case, tmp_path, refused_in_one_line, saved):
    damage, words, parts = RESUMES[case]
    shutil.copytree(saved, tmp_path / "run")
    damage(tmp_path)
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    command = ["mlp", "--resume", str(tmp_path / "run"), "--no-progress", *words]
    refused_in_one_line(command, "--[a-z-]+", parts)
    after = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert [path for path in after if not path.name.startswith("lock")] == before, "something was written"
