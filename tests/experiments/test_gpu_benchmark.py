"""The GPU benchmark on a CPU: every part runs tiny, rows survive, and the table says what was not run."""

import json
import math
import os
import subprocess
import sys
import time

import jax
import pytest

from experiments import __main__ as runner
from experiments.benchmarks import (
    _gpu_book,
    _gpu_families,
    _gpu_page,
    _gpu_parts,
    _gpu_profile,
    _gpu_row,
    _gpu_runs,
    _page,
    _processes,
    gpu,
)
from experiments.benchmarks._cases import CASES, WIDER, case, gpu_variants
from experiments.benchmarks._gpu_parts import PARTS

HERE = {"backend": "cpu", "device": "1 x abacus", "versions": {"jax": "1"}}


@pytest.fixture
def _quick_compile(monkeypatch):
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # of the processes that a row starts
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def finite(row):
    """All numbers of a row, however deep."""
    if isinstance(row, dict | list):
        return all(map(finite, row.values() if isinstance(row, dict) else row))
    return not isinstance(row, float) or math.isfinite(row)


@pytest.mark.usefixtures("_quick_compile")
@pytest.mark.parametrize("row", PARTS["seeds"].tiny)
def test_seeds(row):
    found = _gpu_row.measure("seeds", row, tiny=True)
    assert finite(found)
    assert found["examples_per_second"] >= found["lowest"] > 0
    assert _gpu_page.summary("seeds", found).startswith("examples per second, all seeds ")


@pytest.mark.usefixtures("_quick_compile")
def test_mnist():
    found = _gpu_row.measure("mnist", "99 float32", tiny=True)
    assert finite(found)
    assert found["of"] == len(found["runs"]) == 2
    for run in found["runs"]:
        assert 0 < run["compile_seconds"] < run["seconds"]
        assert run["without_compile"] == pytest.approx(run["seconds"] - run["compile_seconds"], abs=2e-3)
    reached = [run for run in found["runs"] if run["accuracy"] >= found["target"]]
    assert found["reached"] == len(reached) > 0
    assert found["seconds"] == pytest.approx(sum(run["seconds"] for run in reached) / len(reached), abs=1e-3)
    assert _gpu_page.to_target(found)[-1] == f"{len(reached)} of 2"


@pytest.mark.usefixtures("_quick_compile")
def test_deep_q_learning():
    found = _gpu_row.measure("dqn", "2", tiny=True)
    assert finite(found)
    assert found["environment_steps"] <= 2048
    assert 0 <= found["solved"] <= 1
    assert "2,048" not in _gpu_page.summary("dqn", found)


@pytest.mark.usefixtures("_quick_compile")
def test_profile():
    found = _gpu_row.measure("profile", "mlp", tiny=True)
    assert finite(found)
    assert 0.5 < sum(each["share"] for each in found["kernels"]) <= 1.001
    assert all(not each["kernel"].startswith(_gpu_profile.CONTROL) for each in found["kernels"])
    assert any("dot" in each["kernel"] for each in found["kernels"])
    assert len(_gpu_page.profiled(found)) == 4


def test_a_trace_of_a_gpu_counts_its_streams_once():
    lines = {1: "Stream #7(Compute)", 2: "XLA Ops", 3: "python"}
    named = [
        {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}}
        for tid, name in lines.items()
    ]
    durations = [(1, "gemm_1", 30), (1, "gemm_2", 30), (1, "add", 20), (2, "gemm_1", 80), (3, "call", 99)]
    timed = [
        {"ph": "X", "pid": 1, "tid": tid, "name": name, "ts": 1e3 * i, "dur": dur, "args": {"hlo_op": name}}
        for i, (tid, name, dur) in enumerate(durations)
    ]
    kernels = _gpu_profile.device_events([*named, *timed])
    assert _gpu_profile.by_kernel(kernels) == [
        {"kernel": "gemm", "share": 0.75, "launches": 2},
        {"kernel": "add", "share": 0.25, "launches": 1},
    ]
    assert _gpu_profile.busy(kernels) == pytest.approx(80e-6)


def timed_row(part, row, variants):
    found = _gpu_row.measure(part, row, tiny=True)
    assert finite(found)
    assert found["failed"] == {}
    assert list(found["variants"]) == list(found["first_losses"]) == list(variants)
    assert len({each["parameters"] for each in found["variants"].values()}) == 1
    assert set(found["ratios"]) == set(variants) - {"ours"}
    return found


@pytest.mark.usefixtures("_quick_compile")
def test_the_price_of_the_same_bits():
    found = timed_row("deterministic", "mlp", _gpu_families.TWINS)
    assert found["repeats"] == {"ours": True, "ours, deterministic": True}
    assert found["first_losses"]["ours"] == found["first_losses"]["ours, deterministic"]  # on a CPU
    assert _gpu_page.priced(found)[-1] == "yes / yes"
    flags = {name: _gpu_families.environment(name).get("XLA_FLAGS", "") for name in _gpu_families.TWINS}
    assert [name for name, words in flags.items() if "deterministic_ops=true" in words] == [
        *_gpu_families.TWINS[2:]
    ]


@pytest.mark.oracle
@pytest.mark.usefixtures("_quick_compile")
@pytest.mark.parametrize(("part", "row"), [(p, r) for p in ("families", "lstm") for r in PARTS[p].tiny])
def test_families_beside_torch(part, row):
    pytest.importorskip("torch")
    name, precision = row.split()
    found = timed_row(part, row, gpu_variants(case(name, True), "cpu", short=part == "lstm"))
    assert found["difference"] < (1e-5 if precision == "float32" else 2e-2)
    assert len(_gpu_page.timed(found)) == len(_gpu_page.FORMS)


@pytest.mark.oracle
@pytest.mark.usefixtures("_quick_compile")
@pytest.mark.parametrize("name", ["lstm2", "vae", "dcgan28", "resnet50"])
def test_bfloat16_is_the_same_step_on_both_sides(name):
    pytest.importorskip("torch")
    from experiments.benchmarks import _equal, _ours, _torch_ways

    small = case(name, tiny=True, precision="bf16")
    assert 0 < _equal.difference(small, "torch channels_last" if small.images else "torch") < 3e-2
    assert math.isfinite(_torch_ways.way(small, "torch").run(1))
    assert math.isfinite(_ours.way(small, gpu_variants(small)[1]).run(2))


def test_the_whole_set_in_one_dispatch_predicts_the_same():
    from experiments.benchmarks import _ours

    small = case("resnet50", tiny=True)
    single = small._replace(rows=small.batch)
    ways = [_ours.way(single, form) for form in ("ours", "ours, epoch scan")]
    assert ways[0].run(3) == pytest.approx(ways[1].run(3), rel=1e-5)


def test_a_worker_that_waits_makes_nothing_before_it_is_told():
    words = ["mlp", "ours", "--tiny", "--wait"]
    with _processes.started(words, os.environ) as process:
        assert _processes.ask(process, "begin")["parameters"] == 17 * 6 + 7 * 5 + 6 * 10
        assert math.isfinite(_processes.ask(process, 2)["loss"])
    with _processes.started(words, os.environ) as process:
        said, _ = process.communicate("\n", timeout=120)
    assert (said, process.returncode) == ("", 0)


def counted(monkeypatch, seconds=0.0, broken=()):
    """Rows without measuring: the words of every call, each of which takes so many seconds."""
    calls, clock = [], [0.0]
    monkeypatch.setattr(gpu, "look", lambda: HERE)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: clock[0])

    def call(words, left):
        calls.append(" ".join(words[:2]))
        clock[0] += min(seconds, left)
        if seconds > left:
            raise _gpu_book.OutOfTime
        if words[1] in broken:
            return {"error": "out of memory", "seconds": seconds}
        return {"examples_per_second": 1.0, "lowest": 1.0, "first_step_s": 1.0, "seconds": seconds}

    monkeypatch.setattr(_gpu_book, "call", call)
    return calls


def test_every_row_is_kept_and_a_resume_leaves_it_out(monkeypatch, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    words = ["seeds", "--tiny", "--results", str(path)]
    calls = counted(monkeypatch, broken=["mlp 1"])
    assert gpu.main([*words, "--only", "mlp"]) == 1
    assert calls == ["seeds mlp 1", "seeds mlp 4"]
    assert "seeds: mlp 1: failed: out of memory" in capsys.readouterr().out
    rows = json.loads(path.read_text())["1 x abacus"]["parts"]["seeds"]
    assert list(rows) == ["mlp 1", "mlp 4"]
    assert rows["mlp 4"]["date"]
    calls.clear()
    monkeypatch.undo()
    calls = counted(monkeypatch)
    assert gpu.main([*words, "--resume"]) == 0
    assert calls == ["seeds cnn 4", "seeds mlp 1"], "what failed comes last"
    assert "error" not in json.loads(path.read_text())["1 x abacus"]["parts"]["seeds"]["mlp 1"]
    calls.clear()
    assert gpu.main([*words, "--resume"]) == 0
    assert calls == []
    assert gpu.main(words) == 0
    assert len(calls) == 3, "without --resume all are measured again"
    other = {**HERE, "device": "1 x slide rule"}
    monkeypatch.setattr(gpu, "look", lambda: other)
    calls.clear()
    assert gpu.main([*words, "--resume"]) == 0
    assert len(calls) == 3, "rows of another device are no rows of this one"
    assert set(json.loads(path.read_text())) == {"1 x abacus", "1 x slide rule"}


def test_the_budget_ends_a_command(monkeypatch, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    words = ["seeds", "--tiny", "--results", str(path), "--resume"]
    calls = counted(monkeypatch, seconds=30)
    assert gpu.main([*words, "--budget", "70"]) == 0
    assert calls == ["seeds mlp 1", "seeds mlp 4"], "the third would not end in time"
    assert "stopped by the budget: 1 rows left" in capsys.readouterr().out
    assert gpu.main([*words, "--budget", "70"]) == 0
    assert calls[2:] == ["seeds cnn 4"]
    path.unlink()
    assert gpu.main([*words, "--budget", "20"]) == 1
    assert (
        json.loads(path.read_text())["1 x abacus"]["parts"]["seeds"]["mlp 1"]["error"] == "longer than 20 s"
    )


def test_a_row_out_of_time_is_ended_with_its_workers():
    start = time.monotonic()
    with pytest.raises(_gpu_book.OutOfTime):
        _gpu_book.call(["deterministic", "mlp", "--tiny"], 3)
    assert time.monotonic() - start < 30
    mine = subprocess.run(["ps", "-o", "args", "--ppid", str(os.getpid())], capture_output=True, text=True)
    assert "_gpu_row" not in mine.stdout


def test_a_row_that_breaks_says_why(capsys):
    found = _gpu_book.call(["seeds", "nobody 4", "--tiny"], 120)
    assert found["error"] == "KeyError: 'nobody'"
    assert found["seconds"] > 0
    assert "Traceback" in capsys.readouterr().err


def test_the_command_itself(tmp_path):
    path = tmp_path / "gpu.json"
    command = [
        sys.executable,
        "-m",
        "experiments.benchmarks.gpu",
        "profile",
        "--tiny",
        "--results",
        str(path),
    ]
    ended = subprocess.run(command, cwd=_processes.ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("profile: mlp: ms per step ")
    (device,) = json.loads(path.read_text()).values()
    assert {"jax", "torch", "python"} <= device["versions"].keys()
    assert device["parts"]["profile"]["mlp"]["kernels"]


REFUSED = {
    "no accelerator": (["families"], ["device: got 'cpu', expected a GPU that JAX sees", "--tiny"]),
    "unknown part": (["familys"], ["part: got 'familys'", "did you mean 'families'?"]),
    "no time": (["seeds", "--budget", "0"], ["--budget: got 0.0", "seconds > 0", "540"]),
    "unknown row": (["families", "--only", "mpl"], ["--only: got 'mpl'", "cnn", "leave it out"]),
    "no folder": (["seeds", "--results", "/no/such/gpu.json"], ["--results: got '/no/such", "make it"]),
    "no images": (["mnist", "--data-dir", "/no/such"], ["--data-dir: got '/no/such'", "four IDX files"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(name, monkeypatch, tmp_path, capsys):
    words, parts = REFUSED[name]
    for variable in ("JAXDL_DATA", "TFDS_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(gpu, "look", lambda: HERE)
    path = tmp_path / "gpu.json"
    assert gpu.main(words if "--results" in words else [*words, "--results", str(path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert all(part in lines[0] for part in parts), lines[0]
    assert not path.exists()


def test_the_list_says_what_is_there(monkeypatch, tmp_path, capsys):
    path = tmp_path / "gpu.json"
    assert gpu.main(["--results", str(path)]) == 0
    shown = capsys.readouterr().out
    for name, part in PARTS.items():
        assert f"{name}\n  {part.title}\n  not run: {len(part.rows)} rows" in shown
    counted(monkeypatch)
    book = _gpu_book.Book(path, HERE)
    book.put("dqn", "1000", {"error": "out of memory"})
    book.put("dqn", "1", {"compile_s": 1})
    assert gpu.main(["--results", str(path)]) == 0
    assert "  done 1 of 2, 1 failed: 1 x abacus" in capsys.readouterr().out


def test_all_benchmarks_go_on_without_an_accelerator(monkeypatch, capsys):
    monkeypatch.setattr(gpu, "look", lambda: HERE)
    assert runner.main(["benchmarks", "gpu"]) == 0
    assert "not run: no accelerator" in capsys.readouterr().out
    assert runner.main(["benchmarks"]) == 0
    assert "\ngpu\n" in capsys.readouterr().out
    asked = []
    monkeypatch.setattr(gpu, "look", lambda: {**HERE, "backend": "gpu"})
    monkeypatch.setattr(gpu, "has_mnist", lambda folder: False)
    monkeypatch.setattr(gpu, "main", lambda words: asked.extend(words) or 0)
    assert gpu.unattended() == 0
    assert asked == [*(part for part in PARTS if part != "mnist"), "--budget", "inf"]
    assert "mnist: not run: no data" in capsys.readouterr().out


def test_the_page_has_every_row_measured_or_not():
    nothing = _gpu_page.page({})
    assert nothing.startswith("Not run: no accelerator.")
    assert nothing.count("| not run |") == sum(len(part.rows) for part in PARTS.values())
    for part, (_, rows, _) in PARTS.items():
        text = _gpu_page.table(part, {})
        assert len({line.count("|") for line in text.splitlines()}) == 1
        assert len(set(text.splitlines())) == len(rows) + 2, "no two rows have one name"
    speeds = {"ours": 2e6, "torch": 1e6, "torch channels_last": 5e5}
    facts = {"peak_mb": 3, "first_step_s": 0.5}
    row = {
        "variants": {name: {"examples_per_second": x, **facts} for name, x in speeds.items()},
        "ratios": {name: {"ratio": 2e6 / x, "min": 1.0, "max": 9.0} for name, x in speeds.items() if x < 2e6},
        "failed": {"torch graph": "does not run"},
        "difference": 1.2e-6,
    }  # fmt: skip
    found = {
        "parts": {"families": {"cnn bf16": row, "mlp bf16": {"error": "a | b"}}},
        "versions": {"jax": "1"},
    }
    text = _gpu_page.page({"1 x abacus": found})
    assert text.startswith("Measured on 1 x abacus; jax 1.")
    expected = "| 2,000,000 | 2.00 [1.00-9.00] | - | - | - | does not run | - | 1e-06 | 3 / 3 | 0.5 / 0.5 |"
    assert f"| CNN 32-64-256-10, bf16 {expected}" in text
    assert "| MLP 784-512-512-10, bf16 | failed: a / b | - |" in text
    assert text.count("| not run |") == nothing.count("| not run |") - 2


def test_the_committed_results_are_on_the_page():
    text = (_page.DOCS / "benchmarks.md").read_text()
    assert _gpu_page.page(_gpu_book.read(_gpu_book.RESULTS)) in text


def test_every_name_of_a_row_is_a_case():
    for part in ("families", "lstm", "deterministic", "profile"):
        assert {row.split()[0] for row in PARTS[part].rows} <= {*CASES, *WIDER}
    assert {case(name, device="cuda").steps for name in CASES} == {100}
    assert case("lstm2-1024").sizes == {"vocabulary": 65, "features": 1024, "layers": 2}
    assert _gpu_parts.rows("seeds", False, ["1024"]) == ["mlp 1024", "cnn 1024"]
    assert _gpu_runs.union([(0.0, 1.0), (5.0, 6.0), (0.5, 2.0)]) == 3.0
