"""The training doctor: every rule on numbers, provoked runs, silence, and that nothing depends on it."""

from typing import NamedTuple

import jax
import numpy as np
import optax
import pytest

from jaxdl import data, losses, models
from jaxdl.data import sequences, stream
from jaxdl.learner import ORDER
from jaxdl.learners import autoencoder, gan, sequence, supervised
from jaxdl.run import NonFiniteLoss, Output, doctor, fit, illnesses, probes, symptoms
from jaxdl.run.kernels import Kernel
from jaxdl.run.log import read
from jaxdl.transforms import resident

DIGITS = data.load("digits")
FEW = {name: x[:300] for name, x in DIGITS.train.items()}
MODEL = models.MLP((16,))
WELL = Kernel("dense1/kernel", 1.0, 1.2, 0.5, False, 1.0, 1.0)
LAST = WELL._replace(name="logits/kernel")
STILL, CALM = LAST._replace(change=0.0, same=True), WELL._replace(change=0.001)
RISING = [1.0, 0.5, 0.52, 0.6]


def losses_of(*levels):
    return np.repeat(np.array(levels, float), 10)


# (what is seen, the illness or None)
RULES = {
    "first loss of chance": (symptoms.far_from_chance(2.6, 2.3), None),
    "first loss far above": (symptoms.far_from_chance(12.0, 2.3), illnesses.WEIGHTS_TOO_LARGE),
    "chance unknown": (symptoms.far_from_chance(1e9, None), None),
    "explosion": (symptoms.exploded(losses_of(2, 11, 13), 2.0, 30), illnesses.RATE_TOO_HIGH),
    "explosion that came back": (symptoms.exploded(losses_of(2, 11, 1), 2.0, 30), illnesses.RATE_TOO_HIGH),
    "one bad batch": (symptoms.exploded(np.array([2.0, 2, 90, 2, 2, 2, 2]), 2.0, 7), None),
    "loss below its start": (symptoms.exploded(losses_of(2, 1.5), 2.0, 20), None),
    "loss that may be negative": (symptoms.exploded(losses_of(-2, 9), -2.0, 20), None),
    "weights ran away": (
        symptoms.ran_away([WELL._replace(norm=40.0)], (2.0, 3.0), 9), illnesses.RATE_TOO_HIGH),
    "weights grew while learning": (symptoms.ran_away([WELL._replace(norm=40.0)], (2.0, 0.3), 9), None),
    "weights as they were": (symptoms.ran_away([WELL], (2.0, 3.0), 9), None),
    "hardly moves": (symptoms.hardly_moves([CALM, CALM], (2.3, 2.29), 50), illnesses.RATE_TOO_LOW),
    "one layer moves": (symptoms.hardly_moves([CALM, WELL], (2.3, 2.29), 50), None),
    "hardly moves and learns": (symptoms.hardly_moves([CALM], (2.3, 1.0), 50), None),
    "units alike": (
        symptoms.units_alike([WELL, LAST._replace(distinct_began=0.1, distinct=0.1)], 9), illnesses.ALIKE),
    "units that parted": (symptoms.units_alike([LAST._replace(distinct_began=0.1)], 9), None),
    "units that became alike": (symptoms.units_alike([LAST._replace(distinct=0.1)], 9), None),
    "layer left out": (
        symptoms.not_touched([WELL, STILL], {"logits/kernel": 0.3}, 9), illnesses.NOT_TOUCHED),
    "gradient unknown": (symptoms.not_touched([WELL, STILL], None, 9), illnesses.NOT_TOUCHED),
    "dead layer": (symptoms.not_touched([WELL, STILL], {"logits/kernel": 0.0}, 9), illnesses.NO_GRADIENT),
    "nothing moves": (symptoms.not_touched([STILL], {"logits/kernel": 0.3}, 9), None),
    "over-fitting": (
        symptoms.over_fitting([1, 2, 3, 4], RISING, [1, 0.4, 0.3, 0.2]), illnesses.OVER_FITTING),
    "over-fitting that rises slowly": (
        symptoms.over_fitting([1, 2, 3, 4], [1, 0.5, 0.502, 0.51], [1, 0.4, 0.36, 0.33]),
        illnesses.OVER_FITTING),
    "a validation loss that has come to rest": (
        symptoms.over_fitting([1, 2, 3, 4], [1, 0.5, 0.502, 0.503], [1, 0.4, 0.36, 0.33]), None),
    "a training loss that has come to rest": (
        symptoms.over_fitting([1, 2, 3, 4], [1, 0.5, 0.502, 0.51], [1, 0.34, 0.33, 0.33]), None),
    "one evaluation after the minimum": (
        symptoms.over_fitting([1, 2, 3], [*RISING[1:3], 0.4], [1, 0.4, 0.3]), None),
    "training loss rises too": (symptoms.over_fitting([1, 2, 3, 4], RISING, [1, 0.2, 0.3, 0.3]), None),
    "a validation loss that is good": (
        symptoms.over_fitting([1, 2, 3, 4], RISING, [1, 0.4, 0.3, 0.2], chance=6.0), None),
    "both losses close": (symptoms.over_fitting([1, 2, 3, 4], RISING, [1, 0.58, 0.44, 0.41]), None),
    "NaN at the first step": (
        symptoms.not_finite(1, "first seen in the output of layer 'dense1'", np.nan, np.nan, True),
        illnesses.WEIGHTS_TOO_LARGE),
    "NaN later": (
        symptoms.not_finite(9, "first seen in parameter 'x'", 2.3, 80.0, True), illnesses.RATE_TOO_HIGH),
    "NaN from a label": (
        symptoms.not_finite(1, "first seen in the loss itself: every layer is finite", np.nan, np.nan, True),
        illnesses.BADLY_FED),
    "NaN in a pixel": (
        symptoms.not_finite(5, "first seen in the input batch", 2.3, 2.0, True), illnesses.BADLY_FED),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_a_rule_names_what_it_should(case):
    found, name = RULES[case]
    assert (found and found.name) == name
    if found:
        assert found.source.startswith("002:")
        assert any(character.isdigit() for character in found.seen), "what was seen has numbers"
        assert found.remedy in str(found)


def test_every_illness_cites_the_lines_of_its_slide():
    for meaning, remedy, source in illnesses.ILLNESSES.values():
        assert meaning
        assert remedy
        lines = [int(x) for x in source.replace(";", "-").replace("002:", "").replace("003:", "").split("-")]
        assert all(403 <= line <= 444 or 186 <= line <= 201 or 1629 <= line <= 1636 for line in lines)


def changed(name, change, rows=FEW):
    return {**rows, name: change(rows[name])}


def shuffled(x):
    return np.random.default_rng(1).permutation(x)


TASKS = {
    "images": FEW,
    "points": data.load("spiral").train,
    "a long memory": sequences.adding(0, 800, 60),
    "sequences of any length": sequences.unit(sequences.progressions(0, 500)),
    "tokens": (lambda x: {"input": x, "target": np.roll(x, 1, axis=1)})(
        np.random.default_rng(0).integers(0, 10, (60, 12))),
}  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
def test_labels_are_told_from_shuffled_ones(task):
    rows = TASKS[task]
    related = probes.relation(probes.take(rows))
    unrelated = probes.relation(probes.take(changed("target", shuffled, rows)))
    assert related is not None
    assert unrelated is not None
    assert unrelated < probes.RELATED < 8 < related


def test_labels_a_row_off_are_found_with_their_distance():
    late = changed("target", lambda y: np.roll(y, 2), DIGITS.train)
    found = probes.misaligned(probes.take(late), probes.take(late, scattered=False))
    assert found is not None
    assert found.name == illnesses.MISALIGNED
    assert "those 2 rows later do" in found.seen
    assert probes.misaligned(probes.take(FEW), probes.take(FEW, scattered=False)) is None


def test_without_labels_or_with_too_few_rows_nothing_is_said():
    assert probes.relation({"input": FEW["input"]}) is None
    assert probes.relation({name: x[:20] for name, x in FEW.items()}) is None
    assert probes.chance(None) is None
    assert probes.take(None) == {}


INPUTS = {
    "as they are": (lambda x: x, None),
    "bytes": (lambda x: np.uint8(255 * x), None),
    "not scaled": (lambda x: 255 * x, "root mean square"),
    "nearly 0": (lambda x: x / 1e4, "root mean square"),
    "all the same": (lambda x: np.full_like(x, 0.3), "all the same"),
    "with a NaN": (lambda x: np.where(np.arange(x.size).reshape(x.shape) == 7, np.nan, x), "not finite"),
}


@pytest.mark.parametrize("case", INPUTS)
def test_inputs(case):
    change, seen = INPUTS[case]
    found = probes.badly_fed(changed("input", change))
    assert (found is None) if seen is None else (found is not None and seen in found.seen)


def test_class_ratios_are_held_against_the_noise_of_drawing():
    labels = np.random.default_rng(0).integers(0, 3, 600)
    assert probes.other_ratio(labels[:400], labels[400:]) is None
    found = probes.other_ratio(labels[:400][labels[:400] > 0], labels[400:])
    assert found is not None
    assert "class 0 is 0.0% of the training rows" in found.seen


def run(learner=None, rows=FEW, steps=60, **options):
    """Names and messages of a short run of three seeds, and what was fitted."""
    said = []
    learner = learner or supervised.learner(MODEL, optax.adam(5e-3))
    output = options.pop("output", Output(progress=False, report=said.append, doctor=True))
    fitted = fit(resident(learner, 16, data.order.rows), rows, steps=steps, every=10, seeds=2,
                 output=output, **options)  # fmt: skip
    return fitted, said


JUDGED = {"evaluate": supervised.evaluate(MODEL), "validation": DIGITS.validation}


def test_a_healthy_run_is_left_alone_and_no_number_depends_on_the_doctor(tmp_path):
    out = Output(tmp_path / "with", progress=False, report=lambda text: None, doctor=True)
    watched, _ = run(output=out, **JUDGED)
    alone, _ = run(output=Output(progress=False, report=lambda text: None), **JUDGED)
    assert watched.diagnoses == alone.diagnoses == []
    for a, b in zip(jax.tree.leaves(watched.state), jax.tree.leaves(alone.state), strict=True):
        if jax.numpy.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert watched.rows == alone.rows == read(tmp_path / "with" / "metrics.jsonl")


def test_nothing_found_is_said_too():
    assert run()[1][-1] == "doctor: nothing found"


def test_an_ill_run_is_told_once_logged_and_not_again_on_resume(tmp_path):
    slow = supervised.learner(MODEL, optax.sgd(1e-6))
    said = []
    out = Output(tmp_path, progress=False, report=said.append, doctor=True)
    fitted, _ = run(slow, output=out)
    assert [(x.name, x.seeds) for x in fitted.diagnoses] == [(illnesses.RATE_TOO_LOW, (0, 1))]
    assert fitted.diagnoses[0].step == 20
    assert sum(text.startswith("doctor: learning rate too low at step 20") for text in said) == 1
    (row,) = doctor.read(tmp_path)
    assert row["name"] == illnesses.RATE_TOO_LOW
    assert row["part"] == "."
    again = Output(tmp_path, resume=True, progress=False, report=said.append, doctor=True)
    assert run(slow, output=again, steps=80)[0].diagnoses == []
    assert len(doctor.read(tmp_path)) == 1


def zeros(learner):
    """The learner with all of its initial parameters at 0."""

    def init(key, batch):
        state = learner.init(key, batch)
        return state.replace(net=state.net.replace(params=jax.tree.map(lambda x: 0 * x, state.net.params)))

    return learner._replace(init=init)


def test_one_cause_is_named_and_not_its_consequences():
    fitted, _ = run(zeros(supervised.learner(MODEL, optax.adam(1e-2))), **JUDGED)
    assert [x.name for x in fitted.diagnoses] == [illnesses.ALIKE]
    dead = changed("target", shuffled)
    assert [x.name for x in run(rows=dead)[0].diagnoses] == [illnesses.MISALIGNED]


def test_an_explosion_is_seen_across_short_chunks(monkeypatch):
    monkeypatch.setattr("jaxdl.run.loop.chunk_length", lambda *_: 2)
    rows = {"input": FEW["input"], "target": FEW["target"][:, None].astype(np.float32)}
    wild = supervised.learner(models.MLP((16,), outputs=1), optax.adam(5.0), loss=losses.squared_error)
    said = []
    out = Output(progress=False, report=said.append, doctor=True)
    fit(resident(wild, 16, data.order.rows), rows, steps=40, seeds=2, output=out)
    (told,) = [text for text in said if text.startswith("doctor")]
    assert "learning rate too high at step 6: loss " in told
    assert "around step 5" in told


def test_an_explosion_is_named_before_the_nan_and_a_nan_with_its_step_and_place():
    rows = {"input": FEW["input"], "target": FEW["target"][:, None].astype(np.float32)}
    said = []
    for rate in (10.0, 1e3):
        wild = supervised.learner(models.MLP((16,), outputs=1), optax.sgd(rate), loss=losses.squared_error)
        out = Output(progress=False, report=said.append, doctor=True)
        with pytest.raises(NonFiniteLoss) as error:
            run(wild, rows, output=out)
    warned, named = [text for text in said if text.startswith("doctor:")]
    assert "learning rate too high at step 10: loss " in warned, "the NaN comes in the second chunk"
    step = str(error.value).split("step ")[1].split()[0]
    where = str(error.value).split("): ")[1].split(";")[0]
    assert where.startswith("first seen in ")
    assert "learning rate too high" in named
    assert f"not finite at step {step}: {where}" in named


EVEN, LACKING = np.full(4, 0.25), np.array([0.5, 0.5, 0, 0])


class Seen(NamedTuple):
    """What is seen of a GAN at a check."""

    shares: np.ndarray
    accuracy: float


# (what is seen by step, of 40; what the doctor says, and when)
GAMES = {
    "healthy": (lambda step: Seen(EVEN, 0.8), []),
    "young, and told so": (lambda step: Seen(EVEN if step > 30 else LACKING, 0.8), []),
    "young, and every check brings more": (
        lambda step: Seen(LACKING + min(1, step / 40) * (EVEN - LACKING), 0.99 if step < 20 else 0.8), []),
    "collapsed": (lambda step: Seen(LACKING, 0.1), [(illnesses.MODE_COLLAPSE, 20)]),
    "lost": (
        lambda step: Seen(LACKING, 0.99),
        [(illnesses.DIMINISHED_GRADIENT, 20), (illnesses.MODE_COLLAPSE, 40)]),
    "lost later": (
        lambda step: Seen(LACKING if step > 20 else EVEN, 0.99 if step > 20 else 0.8),
        [(illnesses.DIMINISHED_GRADIENT, 28), (illnesses.MODE_COLLAPSE, 40)]),
}  # fmt: skip


def test_what_a_gan_draws_is_judged_while_it_trains():
    players = models.Generator((4,), 4, 1), models.Discriminator((4,), 4)
    adam = optax.adam(1e-3, b1=0.5)

    def observe(step, states):
        checks = [see(step) for see, _ in GAMES.values()]  # a seed for each
        shares = {f"share/{i}": np.array([check.shares[i] for check in checks]) for i in range(4)}
        norms = np.ones(len(checks))
        return {"accuracy": np.array([x.accuracy for x in checks]), "gradient_norm": norms, **shares}

    out = Output(progress=False, report=lambda text: None, doctor=True, observe=observe)
    learner = resident(gan.learner(*players, adam, adam, latents=4), 16, data.order.rows)
    rows = {"input": FEW["input"]}
    found = fit(learner, rows, steps=40, every=2, seeds=len(GAMES), output=out).diagnoses
    for i, (case, (_, told)) in enumerate(GAMES.items()):
        assert [(x.name, x.step) for x in found if i in x.seeds] == told, case


def test_the_host_road_and_a_generator_that_repeats_itself():
    key = jax.random.fold_in(jax.random.key(0), ORDER)
    output = Output(progress=False, report=lambda text: None, doctor=True)
    fed = supervised.learner(MODEL, optax.adam(5e-3))

    def named(batches):
        return [x.name for x in fit(fed, batches, steps=20, every=10, output=output).diagnoses]

    assert named(lambda start: stream(FEW, data.order.rows, key, 16, start)) == []
    first = {name: x[:16] for name, x in FEW.items()}

    def again(start):
        while True:
            yield first

    assert named(again) == [illnesses.BADLY_FED]


def test_families_without_labels_are_watched_too():
    pixels = {"input": FEW["input"]}
    model = models.Autoencoder((8, 8, 1), 2, widths=())
    coder = autoencoder.learner(model, optax.adam(1e-3))
    assert run(coder, pixels, steps=20)[0].diagnoses == []
    players = models.Generator((4,), 4, 1), models.Discriminator((4,), 4)
    adam, stopped = optax.adam(1e-3), optax.sgd(0.0)
    ill = run(gan.learner(*players, stopped, adam, latents=4), pixels, steps=20)[0].diagnoses
    assert [x.name for x in ill] == [illnesses.NOT_TOUCHED]


def test_a_layer_of_a_sequence_model_that_is_left_out():
    rows = sequences.adding(0, 200, 5)

    def layers(params):
        return {name: "rest" if name == "logits" else "learn" for name in params}

    partly = optax.multi_transform({"learn": optax.adam(1e-2), "rest": optax.set_to_zero()}, layers)
    net = models.RecurrentNet(8, 1, "rnn", many_to_many=False)
    fitted, _ = run(sequence.learner(net, partly, loss=losses.squared_error), rows, steps=20)
    assert [x.name for x in fitted.diagnoses] == [illnesses.NOT_TOUCHED]
    assert "logits after 10 steps" in fitted.diagnoses[0].seen
