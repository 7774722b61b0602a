"""What the experiments on practice compare: the same but for one thing, seed by seed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image, ImageSequence

from experiments import _architectures, _classification, _film, _practice, architectures, decay, overfitting
from jaxdl import data, models, plots
from jaxdl.errors import InputError
from jaxdl.run import Output, Select
from jaxdl.run.output import QUIET

DIGITS = _practice.few(data.load("digits"), 40)
TINY = _classification.Config(epochs=3, batch_size=20, seeds=2, seed=5)
MODEL = models.MLP((4,))


@pytest.fixture(scope="module")
def fitted():
    film = _film.Film(lambda states: states.step[0])
    output = film.output(Output(progress=False, report=lambda _: None))
    select = Select("loss", maximize=True)  # the worst: the loss falls, so it is the first
    fitted, epoch = _classification.train(MODEL, DIGITS, TINY, output, optax.adam(0.01), select)
    return fitted, epoch, film


def test_every_schedule_starts_at_the_peak_and_only_one_stays_there():
    shapes = decay.schedules(100)
    assert {name: float(shape(0)) for name, shape in shapes.items()} == dict.fromkeys(shapes, 1.0)
    ends = {name: float(shape(99)) for name, shape in shapes.items()}
    assert ends == {"constant": 1.0, "step": pytest.approx(0.01), "exponential": pytest.approx(0.01, rel=0.1),
                    "cosine": pytest.approx(0.0, abs=1e-3)}  # fmt: skip
    assert [float(shapes["step"](at)) for at in (49, 51, 74, 76)] == pytest.approx([1, 0.1, 0.1, 0.01])


def test_decay_is_compared_at_the_same_rate_and_seed():
    constant = {"loss": np.array([1.0, 2.0]), "accuracy": np.array([0.5, 0.5])}
    other = {"loss": np.array([2.0, 1.0]), "accuracy": np.array([0.7, 0.6])}
    results = {("constant", 0.1): constant, ("step", 0.1): other, ("constant", 1.0): other,
               ("step", 1.0): other}  # fmt: skip
    share, gained = decay.claims(results, (0.1, 1.0))
    assert share.measured == 0.75  # worse for one seed at one rate, equal at the other
    assert gained.measured == pytest.approx(0.075)
    assert decay.share(results, 0.1) == 0.5


def test_the_given_optimizer_trains_and_the_given_choice_is_made(fitted):
    found, epoch, _ = fitted
    assert epoch == 2
    losses = np.array([row["loss"] for row in found.rows if row["kind"] == "validation"])
    assert (np.diff(losses, axis=0) < 0).all()
    assert found.best_step.tolist() == [2, 2]
    still, _ = _classification.train(MODEL, DIGITS, TINY, QUIET, optax.sgd(0.0))
    start = MODEL.init(jax.random.fold_in(jax.random.fold_in(jax.random.key(5), 0x1A17), 0),
                       DIGITS.train["input"])  # fmt: skip
    for ours, theirs in zip(jax.tree.leaves(still.state.net.params), jax.tree.leaves(start["params"]),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(ours[0], theirs)


def test_few_rows_are_the_first_and_nothing_else_changes():
    whole = data.load("digits")
    np.testing.assert_array_equal(DIGITS.train["target"], whole.train["target"][:40])
    assert len(DIGITS.test["target"]) == len(whole.test["target"])
    with pytest.raises(InputError, match="rows"):
        _practice.few(whole, 0)


def test_the_gap_is_of_the_plain_losses(fitted):
    found, _, _ = fitted
    measured = _practice.Look(MODEL, DIGITS).measure(found.state)
    params = jax.tree.map(lambda x: x[1], found.state.net.params)
    expected = {}
    for split in ("train", "test"):
        rows = getattr(DIGITS, split)
        logits = MODEL.apply({"params": params}, rows["input"])
        each = optax.softmax_cross_entropy_with_integer_labels(logits, rows["target"])
        expected[split] = float(each.mean())
        right = (np.asarray(logits).argmax(1) == rows["target"]).mean()
        assert measured[f"{split}_accuracy"][1] == pytest.approx(right)
    assert measured["gap"][1] == pytest.approx(expected["test"] - expected["train"], rel=1e-4)


def test_a_cure_is_held_against_the_provoked_run_of_its_seed():
    def result(gap, accuracy):
        return {"gap": np.array(gap), "test_accuracy": np.array(accuracy), "train_accuracy": np.ones(2)}

    results = {overfitting.PROVOKED: result([1.0, 2.0], [0.5, 0.9]), "L2": result([0.5, 1.6], [0.6, 0.7])}
    found = {each.name: each for each in overfitting.claims(results, np.array([1.5, 2.0]))}
    narrows, gained = list(found.values())[2:]
    assert (narrows.measured, narrows.seeds, narrows.holds) == (pytest.approx(0.45), 2, True)
    assert (gained.measured, gained.holds) == (pytest.approx(-0.05), False)


class Result:
    """What `rank` needs of a `Fitted`."""

    def __init__(self, accuracy, loss):
        first = {"kind": "validation", "accuracy": [0.0], "loss": [9.0]}
        last = {"kind": "validation", "accuracy": accuracy, "loss": loss}
        self.rows = [first, last, {"kind": "train"}]


def test_the_best_has_the_highest_accuracy_at_the_end_and_then_the_lowest_loss():
    worse, equal, best = Result([0.8, 0.8], [0.1, 0.1]), Result([1.0, 0.8], [0.4, 0.4]), Result([0.9], [0.3])
    assert max((worse, best, equal), key=_architectures.rank) is best


def test_the_lead_of_the_cnn_is_over_the_best_other_of_each_seed():
    accuracy = {"linear": np.array([0.8, 0.8]), "LSTM": np.array([0.7, 0.95]), "CNN": np.array([0.9, 0.9])}
    found = {each.name: each.measured for each in architectures.claims(accuracy, "CNN", np.array([0.9, 0.9]))}
    assert found["CNN: validation accuracy less the best other's, by seed"] == pytest.approx(0.025)
    assert found["chosen on validation: accuracy gained over the linear model"] == pytest.approx(0.1)


def test_the_reader_of_rows_reads_all_of_them_in_their_order():
    reader = _architectures.RowReader(6, 3)
    image = jax.random.normal(jax.random.key(1), (1, 4, 5, 1))
    variables = reader.init(jax.random.key(0), image)
    answer = reader.apply(variables, image)
    assert answer.shape == (1, 3)
    for row in range(4):
        assert jnp.abs(reader.apply(variables, image.at[0, row].add(1)) - answer).max() > 1e-6
    assert jnp.abs(reader.apply(variables, image[:, ::-1]) - answer).max() > 1e-6


def test_a_film_sees_the_start_and_every_check(fitted, tmp_path):
    _, _, film = fitted
    assert {step: int(seen) for step, seen in film.looks().items()} == {0: 0, 2: 2, 4: 4, 6: 6}
    assert _film.spaced(list(range(100)), 30)[0] == 0
    assert _film.spaced(list(range(100)), 30)[-1] == 99
    assert film.output(Output(folder=tmp_path)).folder is None
    figures = (plots.stacked_bars({"a": {"x": height}}) for height in (1, 2, 3))
    _film.write(Output(folder=tmp_path), "training", figures)
    with Image.open(tmp_path / "figures" / "training.gif") as image:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]
    assert len(frames) == 3
    assert (frames[0] != frames[2]).any()


def test_pixels_are_those_of_the_figure():
    image = plots.pixels(plots.stacked_bars({"a": {"x": 1.0}}), dpi=50)
    assert image.shape == (180, 125, 3)
    assert image.dtype == np.uint8
    assert image.std() > 10
