"""Several processes under a real launcher: they agree with one device, and end together."""

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import families
import members
import numpy as np
import pytest
from devices import BOUNDS

from jaxdl.run import processes
from jaxdl.run.checkpoint import flatten
from jaxdl.run.output import QUIET

ROOT = Path(__file__).parents[2]
launched = pytest.mark.skipif(not members.usable(), reason="Open MPI's mpirun cannot start two processes")


@cache
def alone(family):
    """The parameters that one device finds."""
    return flatten({"params": families.SHARED[family](QUIET).state.net.params})


@launched
@pytest.mark.parametrize(
    ("family", "count", "devices"),
    [
        *(("LSTM, batches", *shape) for shape in ((2, 1), (2, 2), (4, 1))),
        ("CNN, batches", 2, 2),
        ("MLP, own rows", 2, 2),
        ("DQN, seeds", 2, 1),
    ],
)
def test_several_processes_equal_one_device(family, count, devices, tmp_path):
    found = members.finish(members.launch(tmp_path / "run", family, count, devices), tmp_path / "run")
    assert (found["processes"], found["devices"]) == (count, count * devices)
    for name, array in alone(family).items():
        apart = np.abs(np.array(found["params"][name], np.float32) - array) / np.maximum(1, np.abs(array))
        assert apart.max() <= BOUNDS["float32"], name


@launched
def test_a_member_is_killed_or_asked_to_leave_and_all_go_on(tmp_path):
    expected = members.finish(members.launch(tmp_path / "whole", "LSTM"), tmp_path / "whole")
    folder, rng = tmp_path / "killed", np.random.default_rng(0)
    for word in (signal.SIGKILL, signal.SIGTERM):
        ended = members.kill_one(members.launch(folder, "LSTM"), folder, rng, word)
        assert ended is not None
        assert ended.code != 0
        assert ended.seconds < members.NOTICED
        # Who is asked saves first, and so does the other; JAX waits for both before either ends.
        assert ended.said.count("Interrupted: ") == (2 if word == signal.SIGTERM else 0), ended.said
    assert members.finish(members.launch(folder, "LSTM"), folder)["bits"] == expected["bits"]


@launched
def test_an_experiment_under_a_launcher_writes_once(tmp_path):
    launcher = [str(members.LAUNCHER), "--allow-run-as-root", "--oversubscribe", "-n", "2"]
    words = ["--epochs", "1", "--seeds", "1", "--no-progress", "--out", "run"]
    done = run_experiment(tmp_path, "mlp", *words, launcher=launcher)
    assert done.stdout.count("50,610 parameters") == 1, done.stderr
    assert "2 processes" in json.loads((tmp_path / "run" / "config.json").read_text())["form"]
    assert (tmp_path / "run" / "result.json").exists()


def run_experiment(folder, *words, launcher=()):
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "XLA_FLAGS": ""}
    command = [*launcher, sys.executable, "-m", "experiments", *words]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)


def test_a_process_of_its_own(monkeypatch):
    for name in processes.LAUNCHED:
        monkeypatch.delenv(name, raising=False)
    processes.join()  # nothing happens
    assert not processes.is_distributed()
    assert processes.is_main()
    assert processes.broadcast_json({"best": [1]}) == {"best": [1]}
    assert processes.all_max(3) == 3


def test_a_cluster_that_is_not_there_is_refused(tmp_path):
    done = run_experiment(tmp_path, "mlp", "--cluster", "--out", "run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --cluster: got True, expected a job that JAX can detect")
    assert not (tmp_path / "run").exists()
