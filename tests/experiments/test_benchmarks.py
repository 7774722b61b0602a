"""The benchmarks run, their two sides do equal work, and their tables say what was measured. No clocks."""

import importlib
import inspect
import json
import math
import runpy
import sys

import jax
import pytest

from experiments import __main__ as runner
from experiments.benchmarks import __main__ as benchmarks
from experiments.benchmarks import _command, _ours, _page, families
from experiments.benchmarks._cases import CASES, QUICK, case, variants

FORMS = ["ours", "ours, step by step", "ours, epoch scan", "ours, host road", "naive flax"]


@pytest.fixture
def _quick_compile():
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("_quick_compile")
@pytest.mark.parametrize("name", ["cnn", "lstm2", "conv_vae", "resnet18", "resnet50"])
def test_every_family_takes_a_step(name):
    assert math.isfinite(_ours.way(case(name, tiny=True), "ours").run(1))


@pytest.mark.usefixtures("_quick_compile")
def test_every_form_takes_the_steps_that_it_says():
    small = case("mlp_seeds", tiny=True)
    assert {*FORMS} == {
        v for v in variants(small, 1) if not v.startswith(families.PEERS) and "malloc" not in v
    }
    ways = {form: _ours.way(small, form) for form in FORMS}
    assert all(math.isfinite(way.run(small.steps)) for way in ways.values())
    assert {way.parameters for way in ways.values()} == {17 * 6 + 7 * 5 + 6 * 10}
    alone = case("mlp", tiny=True)
    many = [_ours.way(alone, form).run(2) for form in ("ours", "ours, epoch scan")]
    assert many[0] == pytest.approx(many[1], rel=1e-6), "the same steps in another dispatch"
    assert math.isfinite(_ours.way(alone, "ours, 2 devices").run(2))


@pytest.mark.parametrize("name", CASES)
def test_the_naive_side_has_the_same_parameters(name):
    small = case(name, tiny=True)
    rows = _ours.arrays(small)

    def sizes(naive):
        state = jax.eval_shape(lambda key: _ours.learner(small, naive).init(key, rows), jax.random.key(0))
        return sum(leaf.size for leaf in jax.tree.leaves(state)), jax.tree.structure(state)

    assert sizes(True)[0] == sizes(False)[0]
    if small.network not in ("lstm", "vgg"):  # whose layers flax names otherwise
        assert sizes(True)[1] == sizes(False)[1]


@pytest.mark.oracle
@pytest.mark.parametrize(
    "name", ["mlp", "cnn", "lstm2", "vae", "conv_vae", "dcgan28", "resnet18", "resnet50"]
)
def test_torch_takes_the_same_step(name):
    pytest.importorskip("torch")
    from experiments.benchmarks import _equal, _torch_ways

    small = case(name, tiny=True)
    layout = "torch channels_last" if small.images else "torch"
    assert _equal.difference(small, layout, fused=small.trains) < 1e-5
    for form in variants(small, 1):
        if form.startswith("torch") and form not in ("torch compile", layout):
            assert math.isfinite(_torch_ways.way(small, form).run(1))


@pytest.mark.oracle
def test_keras_has_the_same_network():
    _keras_ways = pytest.importorskip("experiments.benchmarks._keras_ways", exc_type=ModuleNotFoundError)
    for name in ("mlp", "cnn", "lstm2"):
        small = case(name, tiny=True)
        with jax.numpy_rank_promotion("allow"):  # Keras broadcasts its biases
            way = _keras_ways.way(small)
            assert math.isfinite(way.run(2))
        assert way.parameters == _ours.way(small, "ours").parameters


def row(ours, torch, fused, naive, host):
    counted = {
        "ours": ours,
        "torch": torch,
        "torch fused": fused,
        "naive flax": naive,
        "ours, host road": host,
    }
    facts = {"peak_mb": 7, "first_step_cpu_s": 1.5}
    return {
        "variants": {name: {"examples_per_second": 1000 / s[0], **facts} for name, s in counted.items()},
        "failed": {"torch compile": "does not run"},
        "ratios": {name: families.spread(counted[name], ours) for name in ("torch", "torch fused")},
        "ratios_tuned_malloc": {},
        "over_naive": {name: families.spread(naive, counted[name]) for name in ("ours", "ours, host road")},
    }


def test_the_table_says_what_holds_and_what_does_not():
    measured = row([1, 1, 2], [4, 2, 4], [1, 1, 2], [2, 2, 2], [4, 4, 4])
    assert measured["ratios"]["torch"] == {"ratio": 2.0, "min": 2.0, "max": 4.0}
    assert families.verdict(CASES["mlp"], measured) == [
        ("eager", 3.0, 2.0, False),
        ("fused", 1.8, 1.0, False),
    ]
    measured["variants"]["ours, 2 devices"] = {"examples_per_second": 1500}
    wall = _page.all_cores({"mlp": measured})
    assert wall.endswith("| 1,000 | **2.00** [2.00-4.00] | 6.00 |")
    text = _page.table({"mlp": measured})
    line = next(line for line in text.splitlines() if line.startswith("| MLP 784"))
    assert "**2.00** [2.00-4.00] (**missed** >= 3.0)" in line
    assert "| does not run | - | - | 2.00 | 0.50 | 7 / 7 |" in line
    assert text.count("not run") == 1 + len(CASES) - 1
    assert len({line.count("|") for line in text.splitlines()}) == 1


def test_the_committed_results_are_the_table_of_the_page():
    found = json.loads((_page.RESULTS / "families.json").read_text())
    assert {"versions", "device"} <= found.keys()
    wall = json.loads((_page.RESULTS / "families-all.json").read_text())
    page = _page.PAGE.read_text()
    assert _page.table(found["families"]) in page
    assert _page.all_cores(wall["families"]) in page
    assert _page.short(found) in _page.README.read_text()


def test_the_committed_results_are_those_of_deep_q_learnings_page():
    found = json.loads((_page.RESULTS / "dqn.json").read_text())
    page = (_page.DOCS / "deep-q-learning.md").read_text()
    for row in found["systems"].values():
        scores = ", ".join(f"{score:.0f}" for score in row["greedy"])
        compiling = f"{row['compile_s']:.1f}" if row["compile_s"] else ""
        seconds = f"{row['run_s']:.{2 if row['run_s'] < 1 else 1 if row['run_s'] < 20 else 0}f}"
        cells = f"| {row['steps']:,} | {compiling} | {seconds} | {scores} |".replace("|  |", "| |")
        assert cells in page
    for name, digits in {
        "loop over ours, with compilation": 0,
        "loop over ours, without": 0,
        "scan over ours, the same settings (engineering alone)": 2,
    }.items():
        ratio = found["ratios"][name]
        middle, least, most = (f"{ratio[key]:.{digits}f}" for key in ("ratio", "ratio_min", "ratio_max"))
        assert middle in page, name
        assert f"({least} to {most})" in page, name
    for name, phases in found["starts"].items():
        cells = [phases[phase] for phase in ("lower", "compile", "from the cache")]
        shown = " | ".join(f"{median:.2f} ({least:.2f} to {most:.2f})" for median, least, most in cells)
        assert f" | {shown} |" in page, name


def test_the_command_lists_and_refuses(capsys):
    assert runner.main(["benchmarks"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{name}\n" in f"\n{shown}" for name in ("families", "start", "dqn", "scan"))
    assert runner.main(["benchmarks", "familys"]) == 2
    assert "familys" in capsys.readouterr().err
    assert runner.main(["benchmarks", "dqn", "--quick"]) == 2
    assert set(QUICK) < set(CASES)
    assert benchmarks.benchmarks().keys().isdisjoint(runner.scripts().keys() - {"doctor", "dqn"})


@pytest.mark.parametrize("name", benchmarks.benchmarks())
def test_a_benchmark_is_run_whole_and_says_what_it_does(name, monkeypatch, capsys):
    module = importlib.import_module(f"experiments.benchmarks.{name}")
    run = benchmarks.entry(module)
    assert run is (module.unattended if name == "gpu" else module.main)
    inspect.signature(run).bind()  # it can be called without words
    for words, code in ((["--help"], 0), (["--no-such-option"], 2)):
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(module.__file__, run_name="__main__")
        assert left.value.code == code
    assert module.__doc__.splitlines()[0] in capsys.readouterr().out


def test_benchmarks_refuse_what_they_lack(monkeypatch, capsys):
    for words, said in (
        (["--only", "foo"], "--only: got 'foo'"),
        (["--only", "mlp", "--variants", "foo"], "--variants: got 'foo'"),
    ):
        assert families.main(words) == 2
        assert said in capsys.readouterr().err
    monkeypatch.setattr(_command.importlib.util, "find_spec", lambda name: None)
    for run in (["families"], ["--quick"], ["dqn"], ["start"]):
        assert runner.main(["benchmarks", *run]) == 2
        assert "pip install -c constraints.txt" in capsys.readouterr().err
    assert families.main(["--quick"]) == 2


def test_a_row_that_is_slow_broken_or_of_other_work_is_a_fault():
    fast, slow = {"ratio": 1.01, "min": 0.9, "max": 1.1}, {"ratio": 0.99, "min": 0.9, "max": 1.1}
    row = {"over_naive": {"ours": fast}, "failed": {"torch": "does not run"}}
    assert families.faults(row | {"difference": 1e-7}) == []
    assert families.faults(row | {"difference": None}) == []
    (found,) = families.faults(row | {"over_naive": {"ours, host road": slow}, "difference": 0.0})
    assert found == "ours, host road: slower than the naive flax loop"
    for form in ("ours", "naive flax"):
        assert families.faults(row | {"failed": {form: ""}, "difference": 0.0}) == [f"{form}: does not run"]
    for difference in (0.1, float("inf"), float("nan")):
        (found,) = families.faults(row | {"difference": difference})
        assert found.startswith("other work")
        assert not families.whole(row | {"difference": difference, "variants": {"ours": 1, "naive flax": 1}})
    assert families.whole(row | {"difference": 1e-7, "variants": {"ours": 1, "naive flax": 1}})
    assert not families.whole(row | {"difference": 1e-7, "variants": {"ours": 1}})


def test_a_row_without_ours_is_reported_and_not_kept(monkeypatch):
    worker = families.worker

    def broken(name, variant, *words):
        if variant == "ours":
            raise BrokenPipeError
        return worker(name, variant, *words)

    monkeypatch.setattr(families, "worker", broken)
    row = families.measure("mlp", ["ours", "naive flax"], 1, core=families.CORES[-1], tiny=True)
    assert families.faults(row | {"difference": None}) == ["ours: does not run"]
    assert not families.whole(row | {"difference": None})


def test_a_row_keeps_where_it_was_measured(tmp_path, monkeypatch):
    path, old = tmp_path / "families.json", {"versions": {"jax": "1"}, "device": "old"}
    monkeypatch.setattr(families, "here", lambda: old)
    families.write(path, {"mlp": {"batch": 1, **old}})
    monkeypatch.setattr(families, "here", lambda: {"versions": {"jax": "1"}, "device": "new"})
    rows = json.loads(path.read_text())["families"]
    families.write(path, {**rows, "cnn": {"batch": 2, **families.here()}})
    found = json.loads(path.read_text())
    assert (found["device"], found["versions"]) == ("old", {"jax": "1"})
    assert found["families"] == {"mlp": {"batch": 1}, "cnn": {"batch": 2, "device": "new"}}
    assert _page._elsewhere(found["families"]["cnn"]) == " (new)"
    assert _page._elsewhere(found["families"]["mlp"]) == ""
