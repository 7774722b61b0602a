"""A rare digit among the others: accuracy hides that it is missed; re-sampling and thresholds (002:349-401).

Reproduces: 002:349-351 (balancing), 002:369-401: confusion matrix, precision, recall, ROC (E42, E43, F41).
Paper: Chawla, Bowyer, Hall, Kegelmeyer 2002, SMOTE: synthetic minority over-sampling technique.
Command: python -m experiments imbalance
Expected: "never the rare digit": accuracy > 0.9 with recall 0; re-sampling and a chosen threshold raise recall.
Time: 0.5 minutes on 2 CPU cores
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import _imbalance
from jaxdl import data, metrics, models
from jaxdl.data import balance
from jaxdl.learners import supervised
from jaxdl.run import Claim, Output, Report, claim, fit, over_split
from jaxdl.transforms import each_seed, resident

BALANCE = {"under-sampled": balance.under_sample, "over-sampled": balance.over_sample, "SMOTE": balance.smote}
NEVER, PLAIN, CHOSEN = "never the rare one", "plain", "plain, chosen threshold"
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class Config:
    """One digit made rare in every split, in the proportion that reality would have."""

    digit: int = 8  # the rare one, 0..9
    share: float = 0.05  # of the rows that show it, at most 0.09
    width: int = 32  # units of the one hidden layer
    steps: int = 600  # of Adam, with batches of 32, whatever the number of rows
    learning_rate: float = 3e-3  # of Adam
    seeds: int = 5  # networks per method, each on rows that were drawn for it
    seed: int = 0  # of the first network and its rows


def run(config: Config, out: Output) -> Report:
    """Train with each method, choose the threshold on validation, measure once on test, draw."""
    train, validation, test = _imbalance.rare(data.load("digits"), config.digit, config.share)
    truth, zeros = test["target"], np.zeros(config.seeds)
    ours, scores = {}, {NEVER: np.zeros((config.seeds, len(truth)))}
    thresholds = {NEVER: zeros + 1}
    model = models.MLP((config.width,), outputs=2)
    predict = jax.jit(each_seed(supervised.predict(model)))
    measures = {"accuracy": metrics.accuracy, "confusion": metrics.confusion}
    for name, sample in {PLAIN: None, **BALANCE}.items():
        learner = supervised.learner(model, optax.adam(config.learning_rate))
        states = []
        for seed in range(config.seed, config.seed + config.seeds):
            rows = train
            if sample is not None:  # the training rows only (002:349)
                drawn = sample(train["input"], train["target"], np.random.default_rng(seed))
                rows = dict(zip(("input", "target"), drawn, strict=True))
            source = resident(learner, BATCH_SIZE, data.order.rows)
            states.append(fit(source, rows, steps=config.steps, batch_size=BATCH_SIZE, seed=seed).state)
        stacked = jax.tree.map(lambda *each: jnp.concatenate(each), *states)
        ours[name] = over_split(supervised.evaluate(model, measures), test)(stacked)
        # Log-odds: probabilities near 1 would be rounded to ties.
        judged, scores[name] = (np.asarray(predict(stacked, s["input"])) @ [-1, 1] for s in (validation, test))
        thresholds[name] = zeros
        if name == PLAIN:
            scores[CHOSEN] = scores[PLAIN]
            thresholds[CHOSEN] = np.array([_imbalance.threshold(validation["target"], each) for each in judged])
    results = {name: _imbalance.measure(truth, scores[name], thresholds[name]) for name in scores}
    _imbalance.draw(out, truth, scores, thresholds, results, (PLAIN, CHOSEN, *BALANCE))
    means = {name: {k: round(float(v.mean()), 4) for k, v in values.items() if k != "confusion"}
             for name, values in results.items()}  # fmt: skip
    sizes = {"train": train, "validation": validation, "test": test}
    rows = {name: [len(each["target"]), int(each["target"].sum())] for name, each in sizes.items()}
    return Report(claims(results, ours, len(truth)), {"rows, of them rare": rows, "test, means": means})


def claims(results: _imbalance.Results, ours: _imbalance.Results, rows: int) -> list[Claim]:
    """What the slides say of accuracy, of balancing and of the threshold; and our sums beside scikit-learn's."""
    never, plain = results[NEVER], results[PLAIN]
    better = sum(results[name]["f1"].mean() > plain["f1"].mean() for name in BALANCE)
    counts = max(abs(ours[name]["confusion"] * rows - results[name]["confusion"]).max() for name in ours)
    shares = max(abs(metrics.precision_recall_f1(ours[name]["confusion"])[each][:, 1] - results[name][each]).max()
                 for name in ours for each in ("precision", "recall", "f1"))  # fmt: skip
    return []
