"""What `Output.observe` sees: the states before the first step and at every evaluation."""

import dataclasses

import numpy as np
import optax

from jaxdl import data, models
from jaxdl.learners import supervised
from jaxdl.run import Output, fit
from jaxdl.transforms import resident

ROWS = {"input": np.eye(4, dtype=np.float32), "target": np.arange(4, dtype=np.int32)}
LEARNER = resident(supervised.learner(models.MLP((), outputs=4), optax.sgd(0.1)), 2, data.order.rows)


def run(output, steps=5):
    return fit(LEARNER, ROWS, steps=steps, every=2, seeds=2, output=output)


def test_observe_sees_the_states_and_its_measures_are_logged(tmp_path):
    seen = []

    def observe(step, states):
        assert states.step.tolist() == [step, step]
        seen.append(step)
        return {"weight": np.asarray(states.net.params["logits"]["kernel"][:, 0, 0])}

    output = Output(tmp_path, progress=False, report=lambda text: None, observe=observe)
    fitted = run(output)
    assert seen == [0, 2, 4, 5]
    rows = [row for row in fitted.rows if row["kind"] == "observed"]
    assert [row["step"] for row in rows] == seen
    final = fitted.state.net.params["logits"]["kernel"][:, 0, 0]
    np.testing.assert_allclose(rows[-1]["weight"], final, rtol=1e-6)
    # A resumed run does not look at what it has seen already.
    resumed = run(dataclasses.replace(output, resume=True), steps=6)
    assert seen == [0, 2, 4, 5, 6]
    assert [row["step"] for row in resumed.rows if row["kind"] == "observed"] == seen


def test_without_measures_there_are_no_rows():
    fitted = run(Output(progress=False, report=lambda text: None, observe=lambda step, states: {}))
    assert {row["kind"] for row in fitted.rows} == {"train"}
