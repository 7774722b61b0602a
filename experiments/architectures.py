"""Architectures compete on one task: linear, MLP, CNN, and an LSTM that reads the rows (002:367).

Reproduces: 002:367, "mettre en concurrence différentes architectures", judged as 002:344-345 asks.
Paper: LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition.
Command: python -m experiments architectures
Expected: the CNN leads, what is chosen beats the linear model, and the test, used once, confirms it.
Time: 1.5 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import numpy as np

from experiments import _architectures, _classification, _practice
from jaxdl import data
from jaxdl.errors import require_choice
from jaxdl.learners import supervised
from jaxdl.run import Claim, Fitted, Output, Report, claim, over_split

LINEAR, CNN, SLIDE = "linear", "CNN", "003:508-550"


@dataclasses.dataclass(frozen=True)
class Config:
    """The budget that all of them have."""

    epochs: int = 40  # passes over the training rows
    batch_size: int = 32  # rows per step
    rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)  # peaks of Adam's one-cycle; validation chooses
    rivals: tuple[str, ...] = ("MLP 16", "MLP 64", "MLP 256", "CNN", "LSTM")  # of the linear model
    seeds: int = 5  # networks of each architecture
    seed: int = 0  # of the first network


def run(config: Config, out: Output) -> Report:
    """Train all with every rate, choose by validation accuracy, test the one that is chosen, once."""
    dataset, quiet = data.load("digits"), dataclasses.replace(out, folder=None)
    same = {name: getattr(config, name) for name in ("epochs", "batch_size", "seeds", "seed")}
    best: dict[str, tuple[Fitted, float]] = {}
    known = _architectures.competitors(dataset.classes)
    for name in config.rivals:
        require_choice("--rivals", name, known)
    for name in (LINEAR, *config.rivals):
        for rate in config.rates:
            options: Any = _classification.Config(**same, learning_rate=rate, weight_decay=0.0)
            fitted, _ = _classification.train(known[name], dataset, options, quiet)
            if name not in best or _architectures.rank(fitted) > _architectures.rank(best[name][0]):
                best[name] = fitted, rate
    results = {}
    for name, (fitted, _) in best.items():
        takes = _architectures.milliseconds(known[name], dataset.train, config.batch_size)
        results[name] = _architectures.measure(fitted, takes)
    chosen = max(best, key=lambda name: _architectures.rank(best[name][0]))
    evaluate = supervised.evaluate(known[chosen])
    test = over_split(evaluate, dataset.test)(best[chosen][0].state)["accuracy"]
    _architectures.draw(out, results, chosen)
    facts = {
        "chosen": chosen,
        "rates": {name: rate for name, (_, rate) in best.items()},
        "validation": _practice.table(results),
    }
    return Report(claims({name: x["accuracy"] for name, x in results.items()}, chosen, test), facts)


def claims(accuracy: dict[str, np.ndarray], chosen: str, test: np.ndarray) -> list[Claim]:
    """That it pays to compare, and that the test confirms what validation chose."""
    gained, differs = accuracy[chosen] - accuracy[LINEAR], accuracy[chosen] - test
    reference = "002:344-345; a linear model on this split"
    found = [
        claim("chosen on validation: accuracy gained over the linear model", "002:367", "> 0", gained),
        claim("chosen on validation: test accuracy", reference, "> 0.970", test),
        claim("chosen on validation: validation less test accuracy", "002:344-345", "= 0 +- 0.02", differs),
    ]
    if CNN in accuracy:
        leads = accuracy[CNN] - np.max([x for name, x in accuracy.items() if name != CNN], axis=0)
        found.append(claim("CNN: validation accuracy less the best other's, by seed", SLIDE, "> 0", leads))
    return found
