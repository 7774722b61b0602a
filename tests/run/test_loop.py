"""The host loop: resume, kill, stop, select, log."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdl import envs, models
from jaxdl.data import order, stream
from jaxdl.errors import InputError
from jaxdl.learner import ORDER
from jaxdl.learners import dqn, supervised
from jaxdl.run import Interrupted, NonFiniteLoss, Output, Select, fit, over_split
from jaxdl.run.chunks import chunk_length
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
    monkeypatch.setattr("jaxdl.run.loop.chunk_length", lambda flops, every: 7)
    same_bits(whole.state, run(every=11).state)


def test_chunks_do_not_change_the_numbers_of_convolutions_and_batch_norm(monkeypatch):
    model = models.CNN((4, 8), hidden=8, outputs=3, batch_norm=True, dropout=0.5)
    data = {**DATA, "input": RNG.uniform(size=(48, 8, 8, 1)).astype(np.float32)}
    convolutional = resident(supervised.learner(model, optax.adam(1e-2)), 8, order.rows)
    whole = fit(convolutional, data, steps=12, seeds=2)
    monkeypatch.setattr("jaxdl.run.loop.chunk_length", lambda flops, every: 5)
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


TRAINER = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_loop
from jaxdl.run import Output
out = Output(Path(sys.argv[1]), resume=Path(sys.argv[1]).exists(), progress=False,
             logger=lambda row: print(row["step"], flush=True))
getattr(test_loop, sys.argv[2])(out)
print("done", flush=True)
"""


def long_run(output):
    return run(steps=8000, every=100, seeds=2, evaluate=supervised.evaluate(MODEL), validation=DATA,
               select=Select("loss"), output=output)  # fmt: skip


def long_play(output):
    """Deep Q-learning: the environment and the replay buffer are in the state."""
    breakout = envs.make("Breakout")
    network = models.QNetwork(breakout.actions, (8,), (4,))
    sizes = {"environments": 2, "rollout": 2, "updates": 1, "batch_size": 8, "warmup": 8, "n_step": 3}
    agent = dqn.agent(network, optax.adam(1e-3), envs.prioritized(256), **sizes)
    return fit(dqn.learner(breakout, agent), None, steps=3000, every=100, output=output)


def trainer(tmp_path, folder, name):
    here = Path(__file__).parent
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER.format(tests=str(here)))
    env = {**os.environ, "PYTHONPATH": str(here.parents[1])}
    command = [sys.executable, str(script), str(folder), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


@pytest.mark.parametrize("train", [long_run, long_play])
def test_killed_at_random_and_resumed_is_bit_identical(train, tmp_path):
    whole = train(Output(tmp_path / "whole", progress=False))
    rng = np.random.default_rng(time.time_ns())
    kills, folder = 0, tmp_path / "killed"
    for _ in range(30):
        process = trainer(tmp_path, folder, train.__name__)
        if kills < 3:
            process.stdout.readline()  # the first chunk is done: from here on a moment at random
            time.sleep(rng.uniform(0, 0.4))
            process.kill()
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        kills += 1
    assert kills >= 3, "the run ended before it was killed three times"
    assert "done" in out
    resumed = train(Output(folder, resume=True, progress=False, report=lambda message: None))
    same_bits(whole.state, resumed.state)
    same_bits(whole.best, resumed.best)
    steps = [(row["kind"], row["step"]) for row in read(folder / "metrics.jsonl")]
    assert len(set(steps)) == len(steps)
    if train is long_run:
        validations = [step for kind, step in steps if kind == "validation"]
        assert validations == list(range(100, 8001, 100))


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
    with pytest.raises(NonFiniteLoss, match=r"at step \d+ \(seed number 0\): first seen in the input batch"):
        fit(learner(), poisoned, steps=30)
    explosive = resident(supervised.learner(MODEL, optax.sgd(1e30)), 8, order.rows)
    with pytest.raises(NonFiniteLoss, match=r"at step 2 .*in the output of layer '(dense1|logits)'"):
        fit(explosive, DATA, steps=30, output=Output(tmp_path, progress=False))


def test_skipped_steps_are_no_accident():
    poisoned = {**DATA, "input": DATA["input"].copy()}
    poisoned["input"][17, 2] = np.nan
    safe = resident(skip_nonfinite(supervised.learner(MODEL, optax.adam(1e-2))), 8, order.rows)
    fitted = fit(safe, poisoned, steps=48)
    assert sum(np.sum(row["skipped"]) for row in fitted.rows) > 0
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(fitted.state.net.params))


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


def test_chunks_are_short_on_a_cpu():
    assert chunk_length(1e12, 400) == 1
    assert chunk_length(1e9, 400) == 50
    assert chunk_length(1e3, 400) == 400
    assert chunk_length(float("nan"), 400) == 400
