"""A rare digit among the others: accuracy hides that it is missed; re-sampling and thresholds (002:349-401).

Reproduces: 002:349-351 (balancing), 002:369-401: confusion matrix, precision, recall, ROC (E42, E43, F41).
Paper: Chawla, Bowyer, Hall, Kegelmeyer 2002, SMOTE: synthetic minority over-sampling technique.
Command: python -m experiments imbalance
Expected: to answer "never the rare digit" has accuracy > 0.9 and recall 0; re-sampling raises recall.
Time: 0.4 minutes on 2 CPU cores
"""

import dataclasses

import jax
import numpy as np

from experiments import _imbalance
from jaxdl import data, metrics, models
from jaxdl.data import balance
from jaxdl.learners import supervised
from jaxdl.run import Claim, Output, Report, claim, over_split
from jaxdl.transforms import each_seed

BALANCE = {"under-sampled": balance.under_sample, "over-sampled": balance.over_sample, "SMOTE": balance.smote}
NEVER, PLAIN, CHOSEN = "never the rare one", "plain", "plain, chosen threshold"


@dataclasses.dataclass(frozen=True)
class Config:
    """One digit made rare, in three splits of equal size and of the same proportions."""

    digit: int = 8  # the rare one, 0..9
    share: float = 0.05  # of the rows that show it, 0.03 to 0.09
    width: int = 32  # units of the one hidden layer
    steps: int = 600  # of Adam, with batches of 32, whatever the number of rows
    learning_rate: float = 3e-3  # of Adam
    seeds: int = 5  # networks per method, each on rows that were drawn for it
    seed: int = 0  # of the first network and its rows


def run(config: Config, out: Output) -> Report:
    """Train with each method, choose the threshold on validation, measure once on test, draw."""
    train, validation, test = _imbalance.rare(data.load("digits"), config.digit, config.share)
    truth, half = test["target"], np.zeros(config.seeds)  # of the log-odds: probability 0.5
    detectors = {NEVER: _imbalance.Detector(np.full((1, len(truth)), -1.0), np.zeros(1))}
    ours, model = {}, models.MLP((config.width,), outputs=2)
    predict = jax.jit(each_seed(supervised.predict(model)))
    for name, sample in {PLAIN: None, **BALANCE}.items():
        states = _imbalance.train(model, train, sample, config)
        ours[name] = over_split(supervised.evaluate(model, {"confusion": metrics.confusion}), test)(states)
        # Probabilities near 1 would be rounded to ties; log-odds are not.
        judged, scores = (np.asarray(predict(states, x["input"])) @ [-1, 1] for x in (validation, test))
        detectors[name] = _imbalance.Detector(scores, half)
        if name == PLAIN:
            chosen = np.array([_imbalance.threshold(validation["target"], each) for each in judged])
            detectors[CHOSEN] = _imbalance.Detector(scores, chosen)
    results = {name: _imbalance.measure(truth, detector) for name, detector in detectors.items()}
    _imbalance.draw(out, truth, detectors, results)
    sizes = {"train": train, "validation": validation, "test": test}
    facts = {
        "rows, of them rare": {k: [len(x["target"]), int(x["target"].sum())] for k, x in sizes.items()},
        "test, means": {name: _imbalance.means(values) for name, values in results.items()},
    }
    return Report(claims(results, ours, len(truth)), facts)


def claims(results: _imbalance.Results, ours: _imbalance.Results, rows: int) -> list[Claim]:
    """What the slides say of accuracy, balancing and threshold; our sums beside scikit-learn's."""
    never, plain = results[NEVER], results[PLAIN]
    better = sum(results[name]["f1"].mean() > plain["f1"].mean() for name in BALANCE)
    counts, shares = _imbalance.differences(ours, results, rows)
    recall = {name: results[name]["recall"] - plain["recall"] for name in BALANCE}
    return [
        claim(f"{NEVER}: accuracy", "002:369-374", "> 0.9", never["accuracy"]),
        claim(f"{NEVER}: recall", "002:369-374", "= 0 +- 0", never["recall"]),
        claim(f"{NEVER}: area under the ROC curve", "002:395-401", "= 0.5 +- 0", never["auc"]),
        claim("plain: accuracy minus recall", "002:369-374", "> 0", plain["accuracy"] - plain["recall"]),
        *(claim(f"{name}: recall gained", "002:349-351", "> 0", recall[name]) for name in BALANCE),
        claim("of these three, those with a better F1 (generally: most)", "002:349-351", ">= 2", better),
        claim(f"{CHOSEN}: balanced accuracy gained", "002:395-401", "> 0",
              results[CHOSEN]["balanced"] - plain["balanced"]),
        claim("our confusion matrices minus scikit-learn's", "002:381-390", "= 0 +- 0", counts),
        claim("our precision, recall, F1 minus scikit-learn's", "002:391", "= 0 +- 1e-6", shares),
    ]  # fmt: skip
