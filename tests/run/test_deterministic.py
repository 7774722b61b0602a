"""`--deterministic` reaches XLA before it starts, stays with a run, and changes nothing on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import __main__ as runner
from jaxdl.run import deterministic
from jaxdl.run.log import read

ROOT = Path(__file__).parents[2]
WORDS = ["mlp", "--epochs", "1", "--seeds", "1", "--batch-size", "256", "--widths", "8", "--no-progress"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "--xla_gpu_deterministic_ops=true"),
        ("--xla_dump_to=/a --xla_b=1", "--xla_dump_to=/a --xla_b=1 --xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops_not=1", "--xla_gpu_deterministic_ops_not=1 "
         "--xla_gpu_deterministic_ops=true"),
    ],
)  # fmt: skip
def test_the_users_flags_stay(monkeypatch, before, after):
    monkeypatch.setenv("XLA_FLAGS", before)
    deterministic.demand()
    deterministic.demand()  # the second of several runs in one process
    assert os.environ["XLA_FLAGS"] == after


def test_xla_hears_of_it_and_the_bits_of_a_cpu_are_the_same(tmp_path):
    """In processes of their own: XLA reads its flags once."""
    words = {True: "--deterministic", False: "--no-deterministic"}
    running = []
    for asked, word in words.items():
        flags = f"--xla_dump_to={tmp_path / word}"
        env = {**os.environ, "XLA_FLAGS": flags, "JAX_COMPILATION_CACHE_DIR": ""}
        command = [sys.executable, "-m", "experiments", *WORDS, word, "--out", str(tmp_path / f"run{asked}")]
        running.append(subprocess.Popen(command, cwd=ROOT, env=env))
    for process in running:
        process.wait(timeout=300)
    for asked, word in words.items():
        said = [path.read_text() for path in (tmp_path / word).glob("*.debug_options")]
        assert said
        assert {"xla_gpu_deterministic_ops: true" in text for text in said} == {asked}
    measured = [read(tmp_path / f"run{asked}" / "metrics.jsonl") for asked in words]
    assert measured[0] == measured[1]
    assert measured[0]


def test_a_resumed_run_stays_so(tmp_path, monkeypatch, capsys):
    mine = "--xla_cpu_enable_fast_math=false"
    monkeypatch.setenv("XLA_FLAGS", mine)
    plain, run = tmp_path / "plain", tmp_path / "run"
    runner.main([*WORDS, "--out", str(plain)])
    assert os.environ["XLA_FLAGS"] == mine
    assert json.loads((plain / "config.json").read_text())["deterministic"] is False
    runner.main([*WORDS, "--deterministic", "--out", str(run)])
    measured = read(run / "metrics.jsonl")
    assert measured == read(plain / "metrics.jsonl")
    monkeypatch.setenv("XLA_FLAGS", mine)  # as a new process has it
    capsys.readouterr()
    runner.main(["mlp", "--no-progress", "--resume", str(run), "--epochs", "2"])
    assert os.environ["XLA_FLAGS"] == f"{mine} {deterministic.FLAG}=true"
    assert "deterministic was" not in capsys.readouterr().out
    assert json.loads((run / "config.json").read_text())["deterministic"] is True
    assert read(run / "metrics.jsonl")[: len(measured)] == measured


def test_a_run_that_was_not_so_is_warned_of(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XLA_FLAGS", "")
    runner.main([*WORDS, "--out", str(tmp_path / "run")])
    monkeypatch.setenv("JAXDL_LAYERS", "plain")
    runner.main(["mlp", "--no-progress", "--resume", str(tmp_path / "run"), "--deterministic"])
    said = capsys.readouterr().out
    assert "warning: deterministic was False, is True" in said
    assert "warning: layers was auto, is plain" in said
