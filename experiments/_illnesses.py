"""Training runs that are healthy, and everything that can be done to make them ill (002:403-444)."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import data, models
from jaxdl.data import sequences
from jaxdl.run import illnesses as known

FAMILIES = ("MLP", "CNN", "LSTM", "GAN")
VARIANTS = 5  # healthy runs of each family
CHECKS = 40  # of the samples of a GAN, as `experiments.dcgan` looks at them
# Game, learning rate of both players, decay of the moving average, widths of the generator. A Wasserstein
# GAN with one critic step was judged to oscillate on the seeds 0 and 1, and is not among the healthy.
GANS = (
    ("non_saturating", 5e-4, 0.0, (64, 32)),
    ("least_squares", 5e-4, 0.0, (64, 32)),
    ("non_saturating", 1e-3, 0.99, (64, 32)),
    ("least_squares", 3e-4, 0.0, (96, 48)),
    ("non_saturating", 4e-4, 0.0, (96, 32)),
)
Change = Callable[[str, jax.Array], jax.Array]  # (path, initial weights) -> weights


@dataclasses.dataclass(frozen=True)
class Patient:
    """A training run with everything that can be wrong with it."""

    family: str
    model: Any  # flax module; of a GAN (generator, discriminator)
    train: data.Split
    validation: data.Split
    optimizer: Any  # optax transformation; of a GAN that of each player
    steps: int
    evaluations: int = 20  # through the run
    change: Change = lambda path, weights: weights  # of the initial weights
    game: str = "non_saturating"  # loss of a GAN
    average: float = 0.0  # decay of a GAN's moving average; 0 switches it off


Provoke = Callable[[Patient], Patient]


def healthy(family: str, steps: int, variant: int = 0) -> Patient:
    """One of five runs of a family that learn what they should."""
    digits = data.load("digits")
    train, validation = digits.train, digits.validation
    adam, tasks = optax.adam, {}
    if family == "MLP":
        tasks = [(models.MLP((64,)), adam(2e-3)), (models.MLP((64,)), optax.sgd(0.1)),
                 (models.MLP((128,), dropout=0.3), adam(2e-3)),
                 (models.MLP((64, 64), batch_norm=True), adam(1e-3)),
                 (models.MLP((100,), activation=jnp.tanh), optax.sgd(0.03, 0.9))]  # fmt: skip
    elif family == "CNN":
        cnn = partial(models.CNN, (8, 16), 32)
        tasks = [(cnn(), adam(2e-3)), (cnn(batch_norm=True), adam(1e-3)), (cnn(dropout=0.3), adam(2e-3)),
                 (cnn(), optax.sgd(0.05, 0.9)), (cnn(kernel_size=5), optax.adamw(1e-3))]  # fmt: skip
    elif family == "LSTM":
        net = partial(models.RecurrentNet, 32, 10, many_to_many=False)
        adder = models.RecurrentNet(32, 1, "gru", many_to_many=False)
        tasks = [(net(), adam(5e-3)), (net("gru"), adam(5e-3)), (net("rnn"), adam(2e-3)),
                 (net(bidirectional=True), adam(3e-3)), (adder, adam(5e-3))]  # fmt: skip
        train, validation = ({**split, "input": split["input"][..., 0]} for split in (train, validation))
        if variant == 4:  # real numbers instead of classes
            train, validation = sequences.adding(0, 1000, 20), sequences.adding(1, 250, 20)
    else:
        game, rate, average, widths = GANS[variant]
        model = (models.Generator(widths, 2, 1), models.Discriminator(widths[::-1], 2))
        both = (adam(rate, b1=0.5), adam(rate, b1=0.5))
        return Patient(family, model, train, validation, both, steps, CHECKS, game=game, average=average)
    model, optimizer = tasks[variant]
    return Patient(family, model, train, validation, optimizer, steps)


# What makes a run ill.


def _of_data(change: Callable[[data.Split], data.Split], both: bool = True) -> Provoke:
    def provoke(patient: Patient) -> Patient:
        validation = change(patient.validation) if both else patient.validation
        return dataclasses.replace(patient, train=change(patient.train), validation=validation)

    return provoke


def _of_weights(change: Change) -> Provoke:
    return lambda patient: dataclasses.replace(patient, change=change)


def _rate(*optimizers: Any) -> Provoke:
    return lambda patient: dataclasses.replace(
        patient, optimizer=optimizers if patient.family == "GAN" else optimizers[0]
    )


def _frozen(name: str) -> Provoke:
    """The optimizer gets all layers but one."""

    def labels(params: Any) -> Any:
        return {layer: "rest" if layer == name else "learn" for layer in params}

    def freeze(optimizer: Any) -> Any:
        return optax.multi_transform({"learn": optimizer, "rest": optax.set_to_zero()}, labels)

    def provoke(patient: Patient) -> Patient:
        if patient.family != "GAN":
            return dataclasses.replace(patient, optimizer=freeze(patient.optimizer))
        return dataclasses.replace(patient, optimizer=(patient.optimizer[0], freeze(patient.optimizer[1])))

    return provoke


def _shuffled(split: data.Split) -> data.Split:
    return {**split, "target": np.random.default_rng(0).permutation(split["target"])}


def _shifted(split: data.Split) -> data.Split:
    return {**split, "target": np.roll(split["target"], 1)}


def _scaled(split: data.Split) -> data.Split:
    return {**split, "input": split["input"] * np.float32(255)}


def _blank(split: data.Split) -> data.Split:
    return {**split, "input": np.full_like(split["input"], 0.5)}


def _rarer(split: data.Split) -> data.Split:
    """Of the digits 0 to 4, every sixth."""
    few = np.flatnonzero(split["target"] < 5)[::6]
    kept = np.sort(np.concatenate([few, np.flatnonzero(split["target"] >= 5)]))
    return {name: x[kept] for name, x in split.items()}


def _few_and_wrong(split: data.Split) -> data.Split:
    """A hundred rows, half of them with labels drawn at random: nothing to do but learn by heart."""
    rng = np.random.default_rng(0)
    rows = rng.choice(len(split["target"]), 100, replace=False)
    target = split["target"][rows]
    target[:50] = rng.integers(0, 10, 50)
    return {**{name: x[rows] for name, x in split.items()}, "target": target}


def _by_heart(patient: Patient) -> Patient:
    """Judged half as often: between two evaluations the loss must rise by more than its noise."""
    return dataclasses.replace(patient, train=_few_and_wrong(patient.train), evaluations=10)


def _regression(patient: Patient) -> Patient:
    """The digit as a number, by plain gradient descent with far too large steps: the square overflows."""
    train, validation = (
        {**split, "target": split["target"][:, None].astype(np.float32) / 9}
        for split in (patient.train, patient.validation)
    )
    model = models.MLP((64,), outputs=1)
    return dataclasses.replace(
        patient, train=train, validation=validation, model=model, optimizer=optax.sgd(3.0)
    )


def _times(factor: float, where: str = "") -> Provoke:
    return _of_weights(lambda path, weights: weights * factor if where in path else weights)


NETWORKS: dict[str, tuple[str, Provoke]] = {
    "labels shuffled": (known.MISALIGNED, _of_data(_shuffled)),
    "labels one row off": (known.MISALIGNED, _of_data(_shifted)),
    "pixels of 0..255": (known.BADLY_FED, _of_data(_scaled)),
    "inputs all alike": (known.BADLY_FED, _of_data(_blank)),
    "output layer frozen": (known.NOT_TOUCHED, _frozen("logits")),
    "weights all 0": (known.ALIKE, _times(0)),
    "rate 1e-6": (known.RATE_TOO_LOW, _rate(optax.adam(1e-6))),
    "rate 3": (known.RATE_TOO_HIGH, _rate(optax.adam(3.0))),
    "weights x 50": (known.WEIGHTS_TOO_LARGE, _times(50)),
    "half the digits rare": (known.OTHER_RATIO, _of_data(_rarer, both=False)),
    "few and wrong labels": (known.OVER_FITTING, _by_heart),
}
UNTIL_NAN = (known.RATE_TOO_HIGH, _regression)
HUGE = (known.WEIGHTS_TOO_LARGE, _times(1e25))


def _game(game: str, rates: tuple[float, float]) -> Provoke:
    return lambda patient: dataclasses.replace(
        patient, game=game, optimizer=tuple(optax.adam(rate, b1=0.5) for rate in rates)
    )


GAMES: dict[str, tuple[str, Provoke]] = {
    "pixels of 0..255": (known.BADLY_FED, _of_data(_scaled)),
    "inputs all alike": (known.BADLY_FED, _of_data(_blank)),
    "generator all 0": (known.ALIKE, _times(0, "generator")),
    "output layer frozen": (known.NOT_TOUCHED, _frozen("logit")),
    "rate 1e-8": (known.RATE_TOO_LOW, _rate(*[optax.adam(1e-8, b1=0.5)] * 2)),
    "rate 0.3": (known.RATE_TOO_HIGH, _rate(*[optax.adam(0.3, b1=0.5)] * 2)),
    "weights x 50": (known.WEIGHTS_TOO_LARGE, _times(50)),
    "discriminator too fast": (known.DIMINISHED_GRADIENT, _game("minimax", (2e-4, 4e-3))),
    "discriminator too slow": (known.MODE_COLLAPSE, _game("non_saturating", (5e-4, 1e-5))),
}
LONG = {known.MODE_COLLAPSE, known.DIMINISHED_GRADIENT}  # a fight, which takes longer to be lost


def provocations(family: str) -> Mapping[str, tuple[str, Provoke]]:
    """Of a family: what is done to a healthy run, and what the doctor should call it."""
    if family == "GAN":
        return GAMES
    more = {"squared error, rate 3, until NaN": UNTIL_NAN, "weights x 1e25": HUGE}
    return NETWORKS | (more if family == "MLP" else {})
