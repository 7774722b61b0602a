"""The host loop: resume, kill, stop, select, log."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import losses, metrics, models
from jaxdl.data import order, stream
from jaxdl.errors import InputError
from jaxdl.learner import ORDER
from jaxdl.learners import supervised
from jaxdl.run import Interrupted, NonFiniteLoss, Output, Select, fit, over_split
from jaxdl.run.chunks import chunk_length, count_flops
from jaxdl.run.config import environment
from jaxdl.run.log import read
from jaxdl.transforms import resident, skip_nonfinite

RNG = np.random.default_rng(0)
DATA = {
    "input": RNG.normal(size=(48, 6)).astype(np.float32),
    "target": RNG.integers(0, 3, 48).astype(np.int32),
}
MODEL = models.MLP((8,), outputs=3)


def learner(**options):
    return resident(supervised.learner(MODEL, optax.adam(1e-2), **options), 8, order.rows)


def run(**options):
    return fit(learner(), DATA, **{"steps": 30, "batch_size": 8, **options})


def same_bits(a, b):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert np.asarray(x).tobytes() == np.asarray(y).tobytes()


def test_a_folder_keeps_the_run_that_it_holds(tmp_path):
    output = Output(tmp_path, progress=False, report=lambda message: None)
    first = run(output=output, seed=np.int64(0))
    kept = (tmp_path / "metrics.jsonl").read_bytes()
    for options in ({"output": output}, {"output": output, "seed": 7}):
        with pytest.raises(InputError, match=r"out: got .* a folder without checkpoints of another run"):
            run(**options)
    with pytest.raises(InputError, match="seed: got 7, expected 0, which the run began with"):
        run(steps=40, seed=7, output=dataclasses.replace(output, resume=True))
    assert (tmp_path / "metrics.jsonl").read_bytes() == kept
    same_bits(run(output=dataclasses.replace(output, resume=True)).state, first.state)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    judge = {"evaluate": supervised.evaluate(MODEL), "validation": DATA, "select": Select("loss")}
    options = {"seeds": 2, **judge}
    whole = run(every=10, output=Output(tmp_path / "whole", progress=False), **options)
    run(steps=20, every=10, output=Output(tmp_path / "part", progress=False), **options)
    messages = []
    out = Output(tmp_path / "part", resume=True, progress=False, report=messages.append)
    rest = run(every=10, output=out, **options)
    assert messages[0] == "resumed at step 20"
    assert messages[1].endswith("2 seeds, 10 of 30 steps to go")
    same_bits(whole.state, rest.state)
    same_bits(whole.best, rest.best)
    assert (whole.best_step == rest.best_step).all()
    assert read(tmp_path / "whole/metrics.jsonl") == read(tmp_path / "part/metrics.jsonl") == rest.rows


def test_chunks_do_not_change_the_numbers(monkeypatch):
    whole = run()
    monkeypatch.setattr("jaxdl.run.loop.chunk_length", lambda *_: 7)
    same_bits(whole.state, run(every=11).state)


def test_chunks_do_not_change_the_numbers_of_convolutions_and_batch_norm(monkeypatch):
    model = models.CNN((4, 8), hidden=8, outputs=3, batch_norm=True, dropout=0.5)
    data = {**DATA, "input": RNG.uniform(size=(48, 8, 8, 1)).astype(np.float32)}
    convolutional = resident(supervised.learner(model, optax.adam(1e-2)), 8, order.rows)
    whole = fit(convolutional, data, steps=12, seeds=2)
    monkeypatch.setattr("jaxdl.run.loop.chunk_length", lambda *_: 5)
    same_bits(whole.state, fit(convolutional, data, steps=12, seeds=2, every=7).state)


def test_seed_i_is_the_same_run_however_many_run_beside_it():
    together = run(seeds=3)
    alone = run(seed=2)
    same_bits(jax.tree.map(lambda x: x[2:], together.state), alone.state)


def test_the_host_road_is_the_resident_road():
    key = jax.random.fold_in(jax.random.key(0), ORDER)
    fed = supervised.learner(MODEL, optax.adam(1e-2))
    on_host = fit(fed, lambda start: stream(DATA, order.rows, key, 8, start), steps=30, batch_size=8, every=7)
    same_bits(run(every=7).state, on_host.state)


def test_a_fixed_batch_of_a_fed_learner_needs_no_iterator():
    with pytest.raises(InputError, match="data: got"):
        fit(supervised.learner(MODEL, optax.sgd(0.1)), DATA, steps=3)


def test_a_process_has_no_rows_of_its_own_in_resident_data():
    with pytest.raises(InputError, match="own_rows: got True, expected False for a resident learner"):
        run(own_rows=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_a_run_that_continues(tmp_path, number):
    sent = []

    def logger(row):
        if row["step"] >= 10 and not sent:
            sent.append(os.kill(os.getpid(), number))

    handlers = [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    out = Output(tmp_path / "run", progress=False, logger=logger)
    with pytest.raises(Interrupted, match=r"saved; continue with --resume") as stopped:
        run(every=10, output=out)
    assert stopped.value.exit_code == 128 + number
    assert handlers == [signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGINT)]
    out = Output(tmp_path / "run", resume=True, progress=False, report=lambda message: None)
    same_bits(run(every=10).state, run(every=10, output=out).state)


def test_the_first_nan_stops_with_step_and_layer(tmp_path):
    poisoned = {**DATA, "input": DATA["input"].copy()}
    poisoned["input"][17, 2] = np.nan
    found = r"at step \d+ \(seed number 0\): first seen in the input batch; rows 17 of the data are to blame"
    with pytest.raises(NonFiniteLoss, match=found):
        fit(learner(), poisoned, steps=30)
    explosive = resident(supervised.learner(MODEL, optax.sgd(1e30)), 8, order.rows)
    with pytest.raises(NonFiniteLoss, match=r"at step 2 .*in the output of layer '(dense1|logits)'"):
        fit(explosive, DATA, steps=30, output=Output(tmp_path, progress=False))


def test_rows_that_overflow_are_named():
    """Finite numbers that are too large for the network: the row is found by its own loss."""
    batches = [jax.tree.map(lambda x, i=i: x[8 * i : 8 * i + 8].copy(), DATA) for i in range(6)]
    batches[3]["input"][5] = 3e38
    with pytest.raises(NonFiniteLoss, match=r"at step 4 .* rows 5 of the batch are to blame"):
        fit(supervised.learner(MODEL, optax.sgd(1e-2)), lambda start: iter(batches[start:]), steps=6)


def test_a_folder_in_use_is_refused(tmp_path):
    """Also by the same process: the lock belongs to the open file."""
    inside = []

    def logger(row):
        if not inside:
            with pytest.raises(InputError, match=rf"a folder that no run is using; process {os.getpid()} is"):
                run(output=Output(tmp_path, progress=False, resume=True))
            inside.append(row)

    run(output=Output(tmp_path, progress=False, logger=logger))
    assert inside
    run(output=Output(tmp_path, progress=False, resume=True, report=lambda message: None))


def test_a_resume_on_other_ground_is_warned_of(tmp_path):
    config = {"experiment": "x", "config": {}, **environment()}
    run(steps=20, output=Output(tmp_path, progress=False, config={**config, "device": "1 x abacus"}))
    messages = []
    out = Output(tmp_path, progress=False, resume=True, config=config, report=messages.append)
    run(output=out)
    assert messages[0].startswith("warning: device was 1 x abacus, is ")
    assert messages[0].endswith("the last bits may differ from here on")
    assert messages[1] == "resumed at step 20"


def test_a_signal_with_nothing_to_save_ends_the_process_at_once(tmp_path):
    """Even in the middle of compiled code, where Python's own handlers have to wait."""
    script = """
import os, signal, sys, threading, time
import jax, jax.numpy as jnp
from jaxdl.run.interrupt import Watch
with Watch(lambda: True) as watch:
    threading.Timer(0.5, os.kill, (os.getpid(), int(sys.argv[1]))).start()
    loop = jax.jit(lambda x: jax.lax.fori_loop(0, 300_000_000, lambda i, x: jnp.sin(x) + 1, x))
    loop(1.0).block_until_ready()
    sys.exit(0 if watch.received else 1)
"""
    for number in (signal.SIGTERM, signal.SIGINT):
        command = [sys.executable, "-c", script, str(int(number))]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
        assert ended.returncode == 128 + number, ended.stderr
        assert "no step was done since the last save" in ended.stderr


def test_skipped_steps_are_no_accident():
    poisoned = {**DATA, "input": DATA["input"].copy()}
    poisoned["input"][17, 2] = np.nan
    safe = resident(skip_nonfinite(supervised.learner(MODEL, optax.adam(1e-2))), 8, order.rows)
    fitted = fit(safe, poisoned, steps=48)
    assert sum(np.sum(row["skipped"]) for row in fitted.rows) > 0
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(fitted.state.net.params))


def test_a_run_whose_every_step_is_skipped_stops():
    poisoned = {**DATA, "input": np.full_like(DATA["input"], np.nan)}
    safe = resident(skip_nonfinite(supervised.learner(MODEL, optax.adam(1e-2))), 8, order.rows)
    with pytest.raises(NonFiniteLoss, match=r"step 100 .*first seen in the input batch"):
        fit(safe, poisoned, steps=200, every=30)


def test_a_validation_that_is_no_number_is_said_once():
    judge = {"evaluate": supervised.evaluate(MODEL), "select": Select("loss")}
    bad, said = {**DATA, "target": DATA["target"] + 1}, []
    run(**judge, validation=bad, every=10, output=Output(progress=False, report=said.append))
    (warning,) = [text for text in said if text.startswith("warning")]
    assert "validation loss is not finite at step 10 for seed 0" in warning


def test_a_validation_row_with_mask_0_does_not_count():
    state = run().state
    masked = {**DATA, "mask": (np.arange(48) < 20).astype(np.float32)}
    first = {name: rows[:20] for name, rows in DATA.items()}
    judge = supervised.evaluate(MODEL)
    for name, value in over_split(judge, masked)(state).items():
        np.testing.assert_allclose(value, over_split(judge, first)(state)[name], rtol=1e-5)


def test_a_run_keeps_its_seeds_and_only_grows(tmp_path):
    run(seeds=2, output=Output(tmp_path, progress=False))
    again = Output(tmp_path, resume=True, progress=False)
    with pytest.raises(InputError, match="seeds: got 3, expected 2"):
        run(seeds=3, output=again)
    with pytest.raises(InputError, match="steps: got 20, expected at least the 30"):
        run(seeds=2, steps=20, output=again)


def test_a_refused_resume_leaves_the_record_as_it_was(tmp_path):
    model, wider = MODEL, models.MLP((16,), outputs=3)
    out = Output(tmp_path, progress=False, config={"number": 1}, model=model)
    run(output=out)
    before = (tmp_path / "config.json").read_bytes()
    again = dataclasses.replace(out, resume=True, config={"number": 2}, model=wider)
    other = resident(supervised.learner(wider, optax.adam(1e-2)), 8, order.rows)
    with pytest.raises(InputError, match="resume: got"):
        fit(other, DATA, steps=30, output=again)
    with pytest.raises(InputError, match="steps: got 20"):
        run(steps=20, output=again)
    assert (tmp_path / "config.json").read_bytes() == before
    run(steps=40, output=again)
    assert json.loads((tmp_path / "config.json").read_text())["number"] == 2


def test_a_resume_selects_by_the_same_measure(tmp_path):
    judge = {"evaluate": supervised.evaluate(MODEL), "validation": DATA}
    run(select=Select("accuracy", True), output=Output(tmp_path, progress=False), **judge)
    again = Output(tmp_path, resume=True, progress=False)
    for select in (Select("loss"), None):
        with pytest.raises(InputError, match=r"select: got .* expected \['accuracy', True\], which"):
            run(steps=40, select=select, output=again, **judge)


def test_measures_that_cannot_be_logged_or_selected_are_refused():
    plain = supervised.learner(MODEL, optax.adam(1e-2))

    def measuring(change):
        def step(state, batch):
            state, measured = plain.step(state, batch)
            return state, change(measured)

        return resident(plain._replace(step=step), 8, order.rows)

    with pytest.raises(InputError, match=r"learner: got \['error'\], expected a step that measures"):
        fit(measuring(lambda measured: {"error": measured["loss"]}), DATA, steps=3)
    with pytest.raises(InputError, match=r"train measure: got \['step'\]"):
        fit(measuring(lambda measured: {**measured, "step": measured["loss"]}), DATA, steps=3)
    measures = {"loss": losses.cross_entropy, "confusion": metrics.confusion}
    judge = {"evaluate": supervised.evaluate(MODEL, measures), "validation": DATA}
    with pytest.raises(InputError, match=r"select\.measure: got 'confusion', expected one of loss"):
        run(select=Select("confusion"), **judge)
    with pytest.raises(InputError, match=r"evaluate: got \['loss'\], expected sums"):
        run(evaluate=lambda state, batch: {"loss": jnp.float32(0)}, validation=DATA)


def test_numpy_numbers_and_lists_of_batches_are_taken():
    fed = supervised.learner(MODEL, optax.adam(1e-2))
    fitted = fit(fed, lambda step: [DATA] * 5, steps=np.int64(3), seeds=np.int64(2), every=np.int64(3))
    assert fitted.state.step.tolist() == [3, 3]


def test_early_stopping_keeps_the_best_and_stops_each_seed_for_itself():
    measured = iter([[3.0, 3.0], [2.0, 2.5], [2.2, 2.4], [2.3, 2.6], [1.0, 2.7], [0.5, 9.0]])

    class Judge:
        def __init__(self, *_):
            pass

        def __call__(self, states):
            return {"loss": np.array(next(measured))}

    options = {"evaluate": supervised.evaluate(MODEL), "validation": DATA, "seeds": 2, "every": 5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jaxdl.run.training.over_split", Judge)
        stopped = run(steps=1000, select=Select("loss", patience=2), **options)
    # Seed 0 is best at step 10 and out of patience at 20; seed 1 is best at 15 and out at 25.
    assert stopped.best_step.tolist() == [10, 15]
    assert stopped.state.step.tolist() == [25, 25]
    assert stopped.best.step.tolist() == [10, 15]


def test_over_split_counts_uneven_batches_exactly():
    fitted = run(seeds=2)
    data = {name: np.concatenate([array] * 14)[:601] for name, array in DATA.items()}
    measured = over_split(supervised.evaluate(MODEL), data)(fitted.state)
    logits = jax.vmap(lambda s: supervised.predict(MODEL)(s, data["input"]))(fitted.state)
    expected = (np.asarray(logits).argmax(-1) == data["target"]).mean(1)
    np.testing.assert_allclose(measured["accuracy"], expected, rtol=1e-6)


def test_logs_and_layers(tmp_path):
    rows = []
    run(seeds=2, every=15, output=Output(tmp_path, progress=False, layers=True, logger=rows.append))
    assert rows == [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    layers = [row for row in rows if row["kind"] == "layers"]
    assert [row["step"] for row in layers] == [15, 30]
    assert len(layers[0]["gradient_norm/dense1/kernel"]) == 2
    assert list((tmp_path / "tensorboard").glob("events*"))


def test_profile_writes_a_trace(tmp_path):
    run(every=10, output=Output(tmp_path, progress=False, profile=True))
    assert list((tmp_path / "profile").rglob("*.pb"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: got 0"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": 2**40}, "seed: got 1099511627776"),
        ({"every": 0}, "every: got 0"),
        ({"evaluate": supervised.evaluate(MODEL)}, "evaluate: got"),
        ({"select": Select()}, "evaluate: got"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        run(**options, output=Output(tmp_path / "run", progress=False))
    assert not (tmp_path / "run").exists()


def test_an_unknown_measure_is_refused():
    with pytest.raises(InputError, match=r"select.measure: got 'acuracy'.*did you mean 'accuracy'"):
        run(evaluate=supervised.evaluate(MODEL), validation=DATA, select=Select("acuracy"))


@pytest.mark.parametrize(
    ("function", "shapes", "products"),
    [
        (lambda x, w: x @ w, [(8, 16), (16, 4)], 2 * 8 * 16 * 4),
        (lambda x, w: jax.grad(lambda w: (x @ w).sum())(w), [(8, 16), (16, 4)], 4 * 8 * 16 * 4),
        (lambda x, k: models.conv(x, k), [(2, 8, 8, 3), (5, 5, 3, 7)], 2 * 2 * 8 * 8 * 7 * 5 * 5 * 3),
        (lambda x, w: jax.lax.scan(lambda x, _: (x @ w, None), x, length=9)[0], [(2, 4), (4, 4)], 9 * 64),
        (lambda x, w: jax.lax.map(lambda row: jax.jit(jnp.dot)(row, w), x), [(9, 4), (4, 4)], 9 * 2 * 4 * 4),
    ],
)  # fmt: skip
def test_operations_are_counted_by_hand(function, shapes, products):
    counted = count_flops(jax.jit(function).trace(*map(jnp.zeros, shapes)).jaxpr.jaxpr)
    assert products <= counted < 1.2 * products  # the rest is not in a product


def test_chunks_are_short_on_a_cpu():
    assert chunk_length(1e12, 400) == 1
    assert chunk_length(1e9, 400) == 150
    assert chunk_length(1e3, 400) == 400
    assert chunk_length(float("nan"), 400) == 400


def test_chunks_of_an_accelerator_are_longer_and_short_too(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chunk_length(1e9, 10**6) == 15_000
    assert chunk_length(1e12, 10**6) == 75


def test_a_chunk_of_fed_batches_is_bounded_by_its_bytes(monkeypatch):
    batch = {name: x[:8] for name, x in DATA.items()}
    one = sum(x.nbytes for x in batch.values())
    monkeypatch.setattr("jaxdl.run.chunks.FED", 3 * one)
    stacked = []

    def batches(step):
        for _ in itertools.count():
            stacked.append(batch)
            yield batch

    fed = supervised.learner(MODEL, optax.adam(1e-2))
    fitted = fit(fed, batches, steps=30, batch_size=8)
    assert len(stacked) == 1 + 30  # the first is looked at
    assert [row["step"] for row in fitted.rows if row["kind"] == "train"] == list(range(3, 33, 3))
    assert chunk_length(1e3, 400, 10 * one) == 1
