"""Over-fitting, provoked by few rows and a wide network, then cured one by one (002:432-444, 003:274-296).

Reproduces: 002:432-444 and 003:274-312: training and validation part, where to stop, and the cures (F17).
Paper: Prechelt 1998, Early stopping, but when?; Srivastava et al. 2014, Dropout.
Command: python -m experiments overfitting
Expected: each cure narrows the gap between training and test loss and raises the test accuracy.
Time: 1.5 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import numpy as np
import optax

from experiments import _classification, _practice
from jaxdl import data, models
from jaxdl.errors import require_choice
from jaxdl.run import Claim, Output, Report, Select, claim

SLIDE, PROVOKED, STOPPED = "002:432-444", "provoked", "early stopping"
AUGMENTED = {"degrees": 10.0, "scale": 0.1, "translate": 0.8, "noise": 0.05}  # as in `cnn`
SLIDES = {STOPPED: "003:274-282", "augmentation": "003:758-787", "batch norm": SLIDE,
          "L1": "003:282-291", "L2": "003:282-296", "dropout": "003:298-312"}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Config:
    """Few rows, a wide network, a long training; each cure is added alone."""

    rows: int = 100  # digits to train on, the first of the training split
    widths: tuple[int, ...] = (256, 256)  # units of the hidden layers
    epochs: int = 1000  # passes over these rows
    batch_size: int = 20  # rows per step
    learning_rate: float = 3e-3  # of Adam, constant
    l1: float = 3e-4  # weight of sum |w| in the loss, of the cure L1
    l2: float = 1e-3  # weight of sum w^2 in the loss, of the cure L2
    dropout: float = 0.5  # share of the hidden units that is dropped, of the cure dropout
    cures: tuple[str, ...] = ("augmentation", "batch norm", "L1", "L2", "dropout")  # each in runs of its own
    seeds: int = 5  # networks per cure; those of one number start alike
    seed: int = 0  # of the first network


def run(config: Config, out: Output) -> Report:
    """Train without and with each cure, compare seed by seed, draw."""
    dataset = _practice.few(data.load("digits"), config.rows)
    same = {name: getattr(config, name) for name in ("epochs", "batch_size", "seeds", "seed")}
    known: dict[str, tuple[dict, dict]] = {  # options of the training, and of the network
        "augmentation": (AUGMENTED, {}),
        "batch norm": ({}, {"batch_norm": True}),
        "L1": ({"l1": config.l1}, {}),
        "L2": ({"l2": config.l2}, {}),
        "dropout": ({}, {"dropout": config.dropout}),
    }
    for name in config.cures:
        require_choice("--cures", name, known)
    fits, results, epoch = {}, {}, 1.0
    for name in (PROVOKED, *config.cures):
        training, network = known.get(name, ({}, {}))
        model: Any = models.MLP(config.widths, dataset.classes, **network)
        look = _practice.Look(model, dataset)
        place = dataclasses.replace(out, folder=None, observe=look.observe)  # checkpoints take longer
        options, adam = _classification.Config(**same, **training), optax.adam(config.learning_rate)
        fits[name], epoch = _classification.train(model, dataset, options, place, adam, Select("loss"))
        results[name] = look.measure(fits[name].state)
        if name == PROVOKED:  # the same run at its lowest validation loss
            results[STOPPED] = look.measure(fits[name].best)
    stops = fits[PROVOKED].best_step / epoch
    _practice.draw_overfitting(out, fits, stops, epoch)
    facts = {"epochs until the lowest validation loss": stops.tolist(), "table": _practice.table(results)}
    _, curve = _practice.through_training(fits[PROVOKED], "validation", "loss", epoch)
    return Report(claims(results, curve[-1] / curve.min(0)), facts)


def claims(results: dict[str, dict[str, np.ndarray]], rises: np.ndarray) -> list[Claim]:
    """That it over-fits: `rises`, last over lowest validation loss; and what each cure does, by seed."""
    ill, name = results[PROVOKED], f"{PROVOKED}: last validation loss over the lowest"
    found = [claim(f"{PROVOKED}: training accuracy", SLIDE, "= 1 +- 0.001", ill["train_accuracy"]),
             claim(name, f"{SLIDE}; 003:274-282", "> 1", rises)]  # fmt: skip
    for name, slide in [(name, SLIDES[name]) for name in results if name != PROVOKED]:
        narrows = ill["gap"] - results[name]["gap"]
        gained = results[name]["test_accuracy"] - ill["test_accuracy"]
        found.append(claim(f"{name}: gap of test and training loss, less", slide, "> 0", narrows))
        found.append(claim(f"{name}: test accuracy gained", slide, "> 0", gained))
    return found
