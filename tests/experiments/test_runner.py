"""The command line as its user meets it: every script, every refusal, resume."""

import errno
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import __main__ as runner
from jaxdl.data import idx
from jaxdl.errors import InputError
from jaxdl.run import lock
from jaxdl.run.log import read

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(runner.scripts())
# Whichever of them a script has.
TINY = {"epochs": "1", "seeds": "2", "batch_size": "256", "rows": "512", "sampled": "200",
        "steps": "2", "judge_epochs": "1", "episodes": "4", "changes": "one-step", "rates": "0.01",
        "cures": "dropout", "rivals": "CNN",
        "families": "MLP", "most": "1", "long_steps": "2"}  # fmt: skip


def tiny(name: str) -> list[str]:
    """Options that make a script as short as it goes."""
    fields = importlib.import_module(runner.scripts()[name].module).Config.__dataclass_fields__
    return [word for field, value in TINY.items() if field in fields
            for word in ("--" + field.replace("_", "-"), value)]  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_runs(name, tmp_path, capsys):
    out = tmp_path / "run"
    code = runner.main([name, *tiny(name), "--no-progress", "--out", str(out)])
    result = json.loads((out / "result.json").read_text())
    held = [claim["holds"] for claim in result["claims"]]
    assert code == (0 if all(held) else 1)
    assert result["experiment"] == name
    assert {"config", "versions", "device", "date", "seconds", "claims"} <= result.keys()
    assert held, "an experiment without a claim shows nothing"
    figures = list((out / "figures").glob("*.png"))
    assert figures
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)
    assert "expected" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["q_table", "--slip", "0"],
        ["autoencoder", "--code", "2"],
        ["vae", "--latents", "2", "2"],
        ["dqn_ablation", "--changes", "one-step", "one-step"],
    ],
    ids=lambda words: words[0],
)
def test_what_is_asked_for_twice_is_no_quarrel_over_a_folder(words, tmp_path):
    out = tmp_path / "run"
    assert runner.main([words[0], *tiny(words[0]), *words[1:], "--no-progress", "--out", str(out)]) in (0, 1)
    assert (out / "result.json").exists()


def test_seeds_on_two_devices_are_those_on_one_and_half_precision_is_near(tmp_path):
    measured = {}
    for way, words in {"one": [], "two": ["--devices", "2"], "bf16": ["--precision", "bf16"]}.items():
        out = tmp_path / way
        assert runner.main(["mlp", *tiny("mlp"), *words, "--no-progress", "--out", str(out)]) in (0, 1)
        rows = read(out / "metrics.jsonl")
        measured[way] = np.array([row["loss"] for row in rows if row["kind"] == "validation"])
    assert "2 devices" in json.loads((tmp_path / "two" / "config.json").read_text())["form"]
    np.testing.assert_array_equal(measured["one"], measured["two"])
    assert not np.array_equal(measured["one"], measured["bf16"])
    np.testing.assert_allclose(measured["one"], measured["bf16"], rtol=0.05)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_what_it_is(name):
    script = runner.scripts()[name]
    assert script.expected
    assert script.minutes > 0
    source = script.path.read_text()
    assert all(f"\n{word}: " in source for word in ("Reproduces", "Paper", "Command", "Expected", "Time"))
    assert len(source.splitlines()) <= 88


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_explains_every_option(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        runner.main([name, "--help"])
    shown = capsys.readouterr().out
    fields = importlib.import_module(runner.scripts()[name].module).Config.__dataclass_fields__
    for field in [*fields, "out", "resume", "data_dir"]:
        assert "--" + field.replace("_", "-") in shown
    assert "$JAXDL_DATA" in shown


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_option_has_a_comment(name):
    config = importlib.import_module(runner.scripts()[name].module).Config
    source = "".join(inspect.getsource(kind) for kind in config.__mro__[:-1])
    for field in config.__dataclass_fields__:
        # On the line itself: a formatter that wraps a long line takes the comment out of --help.
        assert re.search(rf"^    {field}: .*  # \w", source, re.MULTILINE), field


def test_the_list_names_every_script(capsys):
    assert runner.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SCRIPTS)
    assert shown.index("\nvae\n") < shown.index("\n-- foundations\n") < shown.index("\nneuron\n")


def test_scripts_of_a_sub_package_run_by_their_plain_name():
    script = runner.scripts()["neuron"]
    assert script.path == ROOT / "experiments" / "foundations" / "neuron.py"
    assert script.module == "experiments.foundations.neuron"
    assert not {"scan", "lstm", "replay"} & set(SCRIPTS), "benchmarks are no experiments"


def damaged_idx(folder: Path, images: np.ndarray, labels: np.ndarray) -> list[str]:
    folder.mkdir()
    for split in ("train", "t10k"):
        idx.write(folder / f"{split}-images-idx3-ubyte", images)
        idx.write(folder / f"{split}-labels-idx1-ubyte", labels)
    return ["--dataset", "idx", "--data-dir", str(folder)]


LABELS = np.arange(20, dtype=np.uint8) % 10
IMAGES = np.zeros((20, 8, 8), np.uint8)


def nan_images(folder):
    images = np.zeros((20, 8, 8), np.float32)
    images[3, 1, 1] = np.nan
    return damaged_idx(folder, images, LABELS)


def unknown_test_label(folder):
    words = damaged_idx(folder, IMAGES, LABELS)
    idx.write(folder / "t10k-labels-idx1-ubyte", np.full(20, 10, np.uint8))
    return words


# (words, what the first line must contain: option, value, expected, remedy)
REFUSED = {
    "unknown experiment": (["cnnn"], ["experiment", "'cnnn'", "one of", "did you mean 'cnn'?"]),
    "nothing like it": (["zzz"], ["experiment", "'zzz'", "one of", "python -m experiments lists them"]),
    "mistyped option": (
        ["cnn", "--lerning-rate", "1"],
        ["'--lerning-rate'", "did you mean '--learning-rate'?"],
    ),
    "stray word": (["cnn", "fast"], ["'fast'", "options that start with --", "--help"]),
    "unknown data set": (
        ["cnn", "--dataset", "minst"],
        ["--dataset", "'minst'", "digits, mnist", "'mnist'?"],
    ),
    "negative rate": (["cnn", "--learning-rate", "-1e-3"], ["--learning-rate", "-0.001", "> 0", "--help"]),
    "zero rate": (["cnn", "--learning-rate", "0"], ["--learning-rate", "0.0", "> 0", "--help"]),
    "rate that is no number": (
        ["cnn", "--learning-rate", "nan"],
        ["--learning-rate", "nan", "> 0", "--help"],
    ),
    "rate that is no float": (["cnn", "--learning-rate", "fast"], ["--learning-rate", "'fast'", "a number"]),
    "bad value in a sweep": (["cnn", "--learning-rate", "1e-3,-1"], ["--learning-rate", "-1.0", "> 0"]),
    "empty batch": (["cnn", "--batch-size", "0"], ["--batch-size", "0", ">= 1", "--help"]),
    "batch beyond the data": (
        ["cnn", "--batch-size", "5000"],
        ["--batch-size", "5000", "1..1005", "1005 rows"],
    ),
    "fraction of an epoch": (["cnn", "--epochs", "1.5"], ["--epochs", "'1.5'", "an integer"]),
    "missing value": (["cnn", "--epochs"], ["--epochs", "an integer"]),
    "too few values": (["cnn", "--features", "3"], ["--features", "'3'", "2 values"]),
    "negative width": (["mlp", "--widths", "10", "-3"], ["--widths", "(10, -3)", ">= 1"]),
    "dropout of everything": (["cnn", "--dropout", "1"], ["--dropout", "1.0", "[0, 1)", "0 switches it off"]),
    "no seeds": (["cnn", "--seeds", "0"], ["--seeds", "0", "1..10000"]),
    "colliding seed": (["cnn", "--seed", str(2**40)], ["--seed", str(2**40), "collide"]),
    "negative penalty": (["mlp", "--l2", "-1"], ["--l2", "-1.0", ">= 0"]),
    "no folder of IDX files": (["cnn", "--dataset", "idx"], ["--data-dir", "None", "four IDX files"]),
    "resume of nothing": (["cnn", "--resume", "no/such/run"], ["--resume", "no/such/run", "readable"]),
    "unknown environment": (
        ["dqn", "--env", "CartPole"],
        ["--env", "'CartPole'", "one of", "'CartPole-v1'?"],
    ),
    "epsilon above 1": (["dqn", "--epsilon", "1.5"], ["--epsilon", "1.5", "[0, 1]"]),
    "gamma below 0": (["dqn", "--discount", "-0.1"], ["--discount", "-0.1", "[0, 1]"]),
    "buffer smaller than a batch": (
        ["dqn", "--capacity", "256", "--batch-size", "512"],
        ["--batch-size", "512", "at most the capacity 256", "enlarge the buffer"],
    ),
    "more steps than the buffer": (
        ["dqn", "--n-step", "5000"],
        ["--n-step", "5000", "at most 1024", "enlarge the buffer"],
    ),
    "buffer that does not fit": (["dqn", "--capacity", "1000"], ["--capacity", "1000", "a multiple of 128"]),
    "sweep of a resume": (["cnn", "--resume", "a", "--seeds", "1,2"], ["--resume", "'a'", "one run"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_in_one_line(case, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words, parts = REFUSED[case]
    assert (
        runner.main([*words, "--no-progress"] if len(words) > 1 and case != "missing value" else words) == 2
    )
    check_message(capsys.readouterr(), parts)
    assert list(tmp_path.iterdir()) == [], "something was written"


def check_message(captured, parts):
    lines = captured.err.strip().splitlines()
    assert 1 <= len(lines) <= 10
    assert all(part in lines[0] for part in parts), lines[0]
    assert "Traceback" not in captured.err + captured.out


DATA = {
    "NaN in an image": (nan_images, ["NaN or infinity in row 3", "finite", "repair or remove"]),
    "label beyond the classes": (unknown_test_label, ["10 in row 0", "labels in 0..9", "number of classes"]),
    "images of the wrong rank": (
        lambda folder: damaged_idx(folder, IMAGES.reshape(20, 64), LABELS),
        ["shape (20, 64)", "[n, height, width]", "swapped?"]),
    "fewer labels than images": (
        lambda folder: damaged_idx(folder, IMAGES, LABELS[:19]), ["20 inputs, 19 targets"]),
}  # fmt: skip


@pytest.mark.parametrize("case", DATA)
def test_bad_data_are_refused_in_one_line(case, tmp_path, capsys):
    make, parts = DATA[case]
    out = tmp_path / "run"
    words = make(tmp_path / "data")
    assert runner.main(["cnn", *words, "--no-progress", "--out", str(out)]) == 2
    check_message(capsys.readouterr(), parts)
    assert not out.exists()


def test_missing_data_without_a_network(tmp_path, capsys, monkeypatch):
    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    for name in ("JAXDL_DATA", "TFDS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert runner.main(["cnn", "--dataset", "mnist", "--out", str(tmp_path / "run")]) == 2
    check_message(capsys.readouterr(), ["--dataset", "'mnist'", "four files", "--data-dir", "$JAXDL_DATA"])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("out", "parts"),
    [
        (lambda path: path / "file" / "run", ["--out", "a folder", "is a file"]),
        (lambda path: path / "used", ["--out", "a new or an empty folder", "choose another"]),
        (lambda path: path / ("long" * 100), ["--out", "a folder that can be made", "too long"]),
        (lambda path: Path("/proc/no/run"), ["--out", "/proc/no/run", "a folder that can be"]),
    ],
)
def test_an_output_folder_that_cannot_be_used(tmp_path, capsys, out, parts):
    (tmp_path / "file").write_text("")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes").write_text("mine")
    assert runner.main(["mlp", *tiny("mlp"), "--no-progress", "--out", str(out(tmp_path))]) == 2
    check_message(capsys.readouterr(), parts)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "notes", "used"]


def mlp(*words):
    return runner.main(["mlp", "--no-progress", "--seeds", "2", *words])


def test_resume_continues_its_own_run_only(tmp_path, capsys):
    run, whole = tmp_path / "run", tmp_path / "whole"
    mlp("--epochs", "2", "--out", str(run))
    result = json.loads((run / "result.json").read_text())
    assert runner.main(["cnn", "--resume", str(run)]) == 2
    check_message(capsys.readouterr(), ["--resume", "'cnn'", "'mlp'"])
    assert mlp("--resume", str(run), "--learning-rate", "0.5") == 2
    check_message(capsys.readouterr(), ["--learning-rate", "0.5", "0.002", "leave it out"])
    assert mlp("--resume", str(run), "--epochs", "1") == 2
    check_message(capsys.readouterr(), ["--epochs", "1", "2 as in", "may grow"])
    # A finished run resumed does nothing more and measures the same.
    assert mlp("--resume", str(run)) in (0, 1)
    assert json.loads((run / "result.json").read_text())["claims"] == result["claims"]
    mlp("--resume", str(run), "--epochs", "3")
    mlp("--epochs", "3", "--out", str(whole))
    assert read(run / "metrics.jsonl")[-1]["step"] == read(whole / "metrics.jsonl")[-1]["step"]


def test_a_damaged_checkpoint_is_named_and_passed_over(tmp_path, capsys):
    run = tmp_path / "run"
    mlp("--epochs", "3", "--out", str(run))
    expected = json.loads((run / "result.json").read_text())["claims"]
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    largest = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 4
    largest.write_bytes(data)
    capsys.readouterr()
    mlp("--resume", str(run))
    shown = capsys.readouterr().out
    assert f"{newest} is damaged and was passed over" in shown
    assert "resumed at step" in shown
    assert json.loads((run / "result.json").read_text())["claims"] == expected


def test_a_sweep_is_one_run_per_value(tmp_path, capsys):
    mlp("--epochs", "1", "--learning-rate", "1e-3,3e-4", "--out", str(tmp_path / "sweep"))
    rates = {json.loads(p.read_text())["config"]["learning_rate"] for p in tmp_path.rglob("result.json")}
    assert rates == {1e-3, 3e-4}
    mlp("--epochs", "1", "--learning-rate", "1e-3,0.001", "--out", str(tmp_path / "once"))
    assert (tmp_path / "once" / "result.json").exists()
    assert runner.main(["mlp", "--resume", str(tmp_path / "sweep")]) == 2
    assert "resume one of learning_rate=0.0003, learning_rate=0.001 in it" in capsys.readouterr().err


def test_one_bad_setting_of_a_sweep_leaves_the_others(tmp_path, capsys):
    words = ["names", *tiny("names"), "--no-progress", "--seeds", "1", "--cell", "gri,rnn"]
    assert runner.main([*words, "--out", str(tmp_path / "sweep")]) == 2
    check_message(capsys.readouterr(), ["--cell", "'gri'"])
    assert [path.parent.name for path in tmp_path.rglob("result.json")] == ["cell=rnn"]


def test_a_refused_run_of_parts_leaves_nothing(tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--no-progress", "--out", str(out)]
    assert runner.main(["q_table", "--devices", "2", *words]) == 2
    check_message(capsys.readouterr(), ["--seeds", "3", "a multiple of 2"])
    assert not out.exists()


def test_a_resume_goes_to_its_own_folder(tmp_path, capsys):
    assert runner.main(["mlp", "--resume", str(tmp_path), "--out", str(tmp_path / "other")]) == 2
    check_message(capsys.readouterr(), ["--out", "other", "no other folder on a resume", "leave it out"])


def test_a_run_of_parts_keeps_others_out(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    with lock.held(tmp_path / "run", lock.WHOLE):
        assert runner.main(["point_cloud", "--no-progress", "--out", str(tmp_path / "run")]) == 2
    check_message(capsys.readouterr(), ["--out", "a folder that no run is using", str(os.getpid())])


def test_a_full_disk_is_no_claim_that_does_not_hold(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("experiments._execute.run_into", full)
    assert runner.main(["neuron", "--out", str(tmp_path / "run")]) == 2
    check_message(capsys.readouterr(), ["--out", "room for what the run writes", "No space left", "--resume"])


def test_the_doctor_is_heard_where_no_log_is_kept(tmp_path, capsys):
    out = tmp_path / "run"
    runner.main(["decay", *tiny("decay"), "--doctor", "--no-progress", "--out", str(out)])
    assert "nothing of this experiment" not in capsys.readouterr().out
    assert "doctor" in json.loads((out / "result.json").read_text())


def test_what_nothing_comes_of_is_said(tmp_path, capsys):
    out = tmp_path / "run"
    assert runner.main(["neuron", "--doctor", "--layers", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert all(f"--{name}: nothing of this experiment is trained" in shown for name in ("doctor", "layers"))
    assert "doctor" not in json.loads((out / "result.json").read_text())


def test_default_folders_do_not_collide(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        mlp("--epochs", "1", "--seeds", "1")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["mlp", "mlp-2"]


def test_a_killed_terminal_gets_the_exit_code_of_its_signal(tmp_path):
    import signal

    command = [sys.executable, "-m", "experiments", "mlp", "--epochs", "5000", "--no-progress", "--out"]
    run = tmp_path / "run"
    with subprocess.Popen([*command, str(run)], cwd=ROOT, stderr=subprocess.PIPE, text=True,
                          env={**os.environ}) as process:  # fmt: skip
        while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").stat().st_size:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "saved; continue with --resume" in err
    assert any((run / "checkpoints").iterdir())


def test_all_runs_the_short_ones_and_long_the_others_too(tmp_path, monkeypatch, capsys):
    short = runner.scripts()["mlp"]._replace(time="1 minute")
    long = runner.scripts()["cnn"]._replace(time="30 minutes")
    monkeypatch.setattr(runner, "scripts", lambda: {"mlp": short, "cnn": long})
    monkeypatch.chdir(tmp_path)  # where the gallery goes without --out
    ran = []
    monkeypatch.setattr(runner, "run_one", lambda name, words: ran.append((name, *words)) or len(ran) - 1)
    assert runner.main(["all", "--no-progress", "--out", str(tmp_path)]) == 0
    # The last one counts.
    assert ran == [("mlp", "--no-progress", "--out", str(tmp_path), "--out", str(tmp_path / "mlp"))]
    assert (tmp_path / "gallery" / "index.html").exists()
    ran.clear()
    assert runner.main(["all", "--long"]) == 1
    assert [name for name, *_ in ran] == ["mlp", "cnn"]
    assert "cnn: exit code 1" in capsys.readouterr().out


def test_all_goes_on_after_one_that_is_refused(tmp_path, monkeypatch, capsys):
    def run_one(name, words):
        into.append(words)
        if name == "mlp":
            raise InputError("seeds", 3, "a multiple of 2", "--seeds 2")
        return 0

    into = []
    chosen = {name: runner.scripts()[name]._replace(time="1 minute") for name in ("mlp", "cnn")}
    monkeypatch.setattr(runner, "scripts", lambda: chosen)
    monkeypatch.setattr(runner, "run_one", run_one)
    assert runner.main(["all", f"--out={tmp_path}"]) == 2
    assert into == [[f"--out={tmp_path}", "--out", str(tmp_path / name)] for name in ("mlp", "cnn")]
    said = capsys.readouterr()
    assert "--seeds: got 3" in said.err
    assert "mlp: exit code 2\ncnn: ok" in said.out


@pytest.mark.parametrize("words", [["--epochs", "2"], ["--devices", "many"]])
def test_all_refuses_what_one_of_them_lacks_before_the_first_one_runs(words, monkeypatch, capsys):
    chosen = {name: runner.scripts()[name] for name in ("mlp", "dqn")}
    monkeypatch.setattr(runner, "scripts", lambda: chosen)
    monkeypatch.setattr(runner, "execute", lambda *words: pytest.fail("it ran"))
    assert runner.main(["all", *words]) == 2
    said = capsys.readouterr().err
    assert f"got {words[0]!r}" in said or f"{words[0]}: got" in said
    assert "so says " in said


def test_all_has_help(capsys):
    assert runner.main(["all", "--help"]) == 0
    assert "every one of at most" in capsys.readouterr().out
