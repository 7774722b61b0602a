"""A run on several devices is the run on one."""

import dataclasses
import json

import jax
import numpy as np
import optax
import pytest

from jaxdl import data, envs, models
from jaxdl.errors import InputError
from jaxdl.learners import dqn, supervised
from jaxdl.run import chunks, fit
from jaxdl.run.checkpoint import flatten
from jaxdl.run.output import QUIET
from jaxdl.run.spread import Spread
from jaxdl.transforms import resident

ROWS = {
    "input": np.random.default_rng(0).uniform(size=(64, 12)).astype(np.float32),
    "target": (np.arange(64) % 4).astype(np.int32),
}
LEARNER = supervised.learner(models.MLP((8,), 4, dropout=0.2), optax.sgd(0.1))
RESIDENT = resident(LEARNER, 16, data.order.rows)
SHARED = chunks.SHARED


@pytest.fixture(autouse=True)
def _small_batches_are_shared(monkeypatch):
    monkeypatch.setattr(chunks, "SHARED", 0)


def batches(step):
    while True:
        yield {name: rows[step * 16 % 64 :][:16] for name, rows in ROWS.items()}
        step += 1


def run(devices=1, learner=RESIDENT, source=ROWS, seeds=1, steps=30, output=QUIET):
    judge = {"evaluate": supervised.evaluate(models.MLP((8,), 4, dropout=0.2)), "validation": ROWS}
    output = dataclasses.replace(output, devices=devices)
    return fit(learner, source, steps=steps, every=10, seeds=seeds, output=output, **judge)


def worst(one, other):
    one, other = flatten(one), flatten(other)
    floats = [name for name, array in one.items() if array.dtype == np.float32]
    return max(np.abs(one[name] - other[name]).max(initial=0) for name in floats)


@pytest.mark.parametrize("devices", [2, 8])
@pytest.mark.parametrize(
    ("learner", "source"), [(RESIDENT, ROWS), (LEARNER, batches)], ids=["resident", "host"]
)
def test_batches_are_shared(learner, source, devices):
    one, several = run(1, learner, source), run(devices, learner, source)
    assert worst(one.state, several.state) < 1e-6
    assert several.rows[-1]["accuracy"] == pytest.approx(one.rows[-1]["accuracy"])
    assert {len(x.devices()) for x in jax.tree.leaves(several.state)} == {1}  # handed back as from one device


def test_the_rows_of_a_batch_are_computed_on_different_devices():
    spread = Spread(RESIDENT, ROWS, 10, 1, "map", devices=8)
    state = jax.vmap(lambda key: RESIDENT.init(key, ROWS))(jax.random.split(jax.random.key(0), 1))
    spread.step(spread.put(state), 10, ROWS)
    program = spread._step.lower(spread.put(state), (np.int32(10), spread._data)).compile().as_text()
    assert "f32[2,8]" in program  # 16 rows over 8 devices, 8 units
    assert "f32[16,8]" not in program
    assert spread.describe() == "batches over 8 devices"


@pytest.mark.parametrize("devices", [2, 4])
def test_seeds_that_divide_evenly_are_shared_bit_for_bit(devices):
    one, several = run(seeds=8), run(devices, seeds=8)
    assert worst(one.state, several.state) == 0
    assert worst(one.best, several.best) == 0


def test_deep_q_learning_is_shared_by_its_seeds():
    catch = envs.make("Catch")
    agent = dqn.agent(models.QNetwork(catch.actions, (8,)), optax.sgd(1e-3), envs.uniform(64),
                      environments=2, rollout=2, updates=1, batch_size=8, warmup=8)  # fmt: skip
    learner = dqn.learner(catch, agent)
    one = fit(learner, None, steps=20, seeds=2)
    several = fit(learner, None, steps=20, seeds=2, output=dataclasses.replace(QUIET, devices=2))
    assert worst(one.state, several.state) < 1e-6
    with pytest.raises(InputError, match=r"seeds: got 3, expected a multiple of 2; --seeds 2"):
        fit(learner, None, steps=20, seeds=3, output=dataclasses.replace(QUIET, devices=2))


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(InputError, match=r"batch_size: got \[16\], expected a multiple of 5"):
        run(5, LEARNER, batches)
    with pytest.raises(InputError, match="devices: got 9, expected 1 to 8"):
        run(9)


def test_a_run_goes_on_with_another_number_of_devices(tmp_path):
    said = []
    output = dataclasses.replace(
        QUIET, folder=tmp_path / "run", report=said.append, config={"config": {}, "versions": {}}
    )
    whole = run(steps=30)
    run(8, steps=10, output=output)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["form"] == "batches over 8 devices"
    resumed = run(2, steps=30, output=dataclasses.replace(output, resume=True))
    assert "warning: form was batches over 8 devices, is batches over 2 devices" in "\n".join(said)
    assert worst(whole.state, resumed.state) < 1e-6


def test_a_step_that_is_too_short_is_not_shared(monkeypatch):
    """Its numbers are those of one device, bit for bit, and the user is told."""
    monkeypatch.setattr(chunks, "SHARED", SHARED)
    said = []
    one, asked = run(1), run(8, output=dataclasses.replace(QUIET, report=said.append))
    for a, b in zip(flatten(one.state).values(), flatten(asked.state).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert "too small to be shared over 8 devices of a CPU" in "\n".join(said)
