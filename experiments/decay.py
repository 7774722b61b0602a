"""Does a learning rate that falls nearly always do better than a constant one? (002:357-360)

Reproduces: 002:357-360, "ajouter un decay au taux d'apprentissage améliore presque toujours".
Paper: Robbins, Monro 1951; Loshchilov, Hutter 2017, SGDR: stochastic gradient descent with warm restarts.
Command: python -m experiments decay
Expected: of all rates and seeds, in at least 9 of 10 the test loss is no higher with a decay than without.
Time: 1 minute on 2 CPU cores
"""

import dataclasses

import numpy as np
import optax

from experiments import _classification, _practice
from jaxdl import data, models
from jaxdl.learners import supervised
from jaxdl.run import Claim, Fitted, Output, Report, claim, over_split

SLIDE = "002:357-360"
CONSTANT, MOMENTUM = "constant", 0.9
Results = dict[tuple[str, float], dict[str, np.ndarray]]  # by schedule and peak rate


@dataclasses.dataclass(frozen=True)
class Config:
    """One network, trained with every schedule from every peak rate."""

    rates: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3)  # peaks of SGD with a momentum of 0.9
    width: int = 128  # units of the one hidden layer
    dropout: float = 0.2  # share of them that is dropped
    epochs: int = 40  # passes over the training rows
    batch_size: int = 32  # rows per step
    seeds: int = 5  # networks per schedule and rate
    seed: int = 0  # of the first network


def schedules(steps: int) -> dict[str, optax.Schedule]:
    """Four ways through training, as shares of the peak rate."""
    return {
        CONSTANT: optax.constant_schedule(1.0),
        "step": optax.piecewise_constant_schedule(1.0, {steps // 2: 0.1, 3 * steps // 4: 0.1}),
        "exponential": optax.exponential_decay(1.0, steps, 0.01),
        "cosine": optax.cosine_decay_schedule(1.0, steps),
    }


def run(config: Config, out: Output) -> Report:
    """Train with every schedule from every rate, the same seeds and batches for all; compare by pairs."""
    dataset, model = data.load("digits"), models.MLP((config.width,), dropout=config.dropout)
    same = {name: getattr(config, name) for name in ("epochs", "batch_size", "seeds", "seed")}
    shared = _classification.Config(**same)
    steps, epoch = _classification.count(dataset, shared)
    shapes, quiet = schedules(steps), dataclasses.replace(out, folder=None)
    test = over_split(supervised.evaluate(model), dataset.test)
    fits: dict[tuple[str, float], Fitted] = {}
    for rate in config.rates:
        for name, shape in shapes.items():
            sgd = optax.sgd(lambda step, shape=shape, rate=rate: rate * shape(step), MOMENTUM)
            fits[name, rate], _ = _classification.train(model, dataset, shared, quiet, sgd)
    results: Results = {key: test(fitted.state) for key, fitted in fits.items()}
    _practice.draw_decay(out, fits, shapes, steps, epoch)
    table = _practice.table({f"{name}, {rate:g}": found for (name, rate), found in results.items()})
    shares = {f"{rate:g}": share(results, rate) for rate in config.rates}
    facts = {"test, mean and standard deviation": table, "share of decays no worse": shares}
    return Report(claims(results, config.rates), facts)


def share(results: Results, rate: float) -> float:
    """Of all decays and seeds at one peak rate, those with a test loss no higher than at a constant one."""
    decays = [x["loss"] for (name, at), x in results.items() if at == rate and name != CONSTANT]
    return round(float(np.mean(decays <= results[CONSTANT, rate]["loss"][None])), 4)


def claims(results: Results, rates: tuple[float, ...]) -> list[Claim]:
    """Of every decay: how often it is at least as good as a constant rate, and what it gains."""
    found = []
    for name in dict.fromkeys(name for name, _ in results if name != CONSTANT):
        pairs = [(results[name, rate], results[CONSTANT, rate]) for rate in rates]
        better = np.mean([decayed["loss"] <= constant["loss"] for decayed, constant in pairs])
        gained = np.mean([decayed["accuracy"] - constant["accuracy"] for decayed, constant in pairs], axis=0)
        text = f"{name} decay: share of rates and seeds with a test loss no higher than at a constant rate"
        found.append(claim(text, SLIDE, ">= 0.9", better))
        found.append(claim(f"{name} decay: test accuracy gained, mean over rates", SLIDE, "> 0", gained))
    return found
