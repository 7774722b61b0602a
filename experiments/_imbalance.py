"""A digit made rare, its detectors, their measures by scikit-learn, and the figures."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import data, metrics, models, plots
from jaxdl.errors import require
from jaxdl.learner import TrainState
from jaxdl.learners import supervised
from jaxdl.run import Output, fit
from jaxdl.transforms import resident

BATCH_SIZE = 32
Sample = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]
Results = dict[str, dict[str, np.ndarray]]  # by method and measure, [seeds, ...]
MEASURES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1",
            "balanced": "balanced accuracy", "auc": "area under ROC"}  # fmt: skip


class Detector(NamedTuple):
    """Answers class 1 where its score is at least its threshold."""

    scores: np.ndarray  # [seeds, n]
    thresholds: np.ndarray  # [seeds]


def rare(dataset: data.Dataset, digit: int, share: float) -> list[data.Split]:
    """Three splits of equal size with `digit`, made rare, as class 1 and all others as class 0.

    Equal, because a threshold is chosen on the rare rows of the validation split, and judged on
    those of the test split: a tenth of so small a set would have a handful.

    Args:
      dataset: of images in 0..1, such as `data.load("digits")`.
      digit: the label that becomes rare.
      share: of all rows that are left, in every split alike (002:346-348).

    Returns:
      train, validation, test: "input" float32 [n, pixels], "target" int32 [n].
    """
    require(0 <= digit < dataset.classes, "digit", digit, f"an integer in 0..{dataset.classes - 1}", "try 8")
    parts = (dataset.train, dataset.validation, dataset.test)
    inputs, labels = (np.concatenate([part[name] for part in parts]) for name in ("input", "target"))
    others, found = np.flatnonzero(labels != digit), np.flatnonzero(labels == digit)
    most = len(found) / len(labels)
    expected = f"0.03..{most:.3f}: enough to train on, and no more than there are"
    require(0.03 <= share <= most, "share", share, expected, "try 0.05")
    found = found[: round(share / (1 - share) * len(others))]
    splits = []
    for i in range(3):
        rows = np.concatenate([others[i::3], found[i::3]])
        target = (labels[rows] == digit).astype(np.int32)
        splits.append({"input": inputs[rows].reshape(len(rows), -1), "target": target})
    return splits


def train(model: models.MLP, rows: data.Split, sample: Sample | None, config: Any) -> TrainState:
    """Networks stacked over seeds, each trained on rows that `sample` has drawn for it alone.

    Args:
      model: with two outputs.
      rows: the training split, of which nothing else may be balanced (002:349).
      sample: of `data.balance`; None leaves the rows as they are.
      config: steps, learning_rate, seeds and seed of the experiment.
    """
    adam = supervised.learner(model, optax.adam(config.learning_rate))
    learner, states = resident(adam, BATCH_SIZE, data.order.rows), []
    for seed in range(config.seed, config.seed + config.seeds):
        drawn = rows["input"], rows["target"]
        if sample is not None:
            drawn = sample(*drawn, np.random.default_rng(seed))
        split = dict(zip(("input", "target"), drawn, strict=True))
        states.append(fit(learner, split, steps=config.steps, batch_size=BATCH_SIZE, seed=seed).state)
    return jax.tree.map(lambda *each: jnp.concatenate(each), *states)


def threshold(truth: np.ndarray, score: np.ndarray) -> float:
    """The threshold of the ROC curve's point that is farthest above the diagonal (002:395-401).

    Args:
      truth: 0 or 1 [n], of the validation rows.
      score: [n]; class 1 is answered where it is at least the threshold.
    """
    from sklearn.metrics import roc_curve

    false_alarms, recall, thresholds = roc_curve(truth, score)
    return float(thresholds[np.argmax(recall - false_alarms)])


def measure(truth: np.ndarray, detector: Detector) -> dict[str, np.ndarray]:
    """scikit-learn's `MEASURES` of class 1, [seeds], and its "confusion", [seeds, 2, 2].

    Args:
      truth: 0 or 1 [n].
      detector: on the same n rows.
    """
    from sklearn import metrics as reference

    nothing: Any = 0  # what scikit-learn takes for a precision without answers, and types as text
    values = []
    for score, least in zip(*detector, strict=True):
        answer = score >= least
        values.append({
            "accuracy": reference.accuracy_score(truth, answer),
            "precision": reference.precision_score(truth, answer, zero_division=nothing),
            "recall": reference.recall_score(truth, answer),
            "f1": reference.f1_score(truth, answer),
            "balanced": reference.balanced_accuracy_score(truth, answer),
            "auc": reference.roc_auc_score(truth, score),
            "confusion": reference.confusion_matrix(truth, answer),
        })  # fmt: skip
    return {name: np.array([each[name] for each in values]) for name in values[0]}


def means(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The mean over seeds of every one of `MEASURES`."""
    return {name: round(float(values[name].mean()), 4) for name in MEASURES}


def differences(ours: Results, results: Results, rows: int) -> tuple[float, float]:
    """The largest differences between our sums and scikit-learn's: of counts, and of measures.

    Args:
      ours: by method, the mean "confusion" [seeds, 2, 2] of `jaxdl.metrics`.
      results: of `measure`, by method.
      rows: of which `ours` is the mean.
    """
    counts, shares = 0.0, 0.0
    for name, mean in ours.items():
        matrix, theirs = mean["confusion"], results[name]
        counts = max(counts, float(abs(np.rint(matrix * rows) - theirs["confusion"]).max()))
        for each, values in metrics.precision_recall_f1(jnp.asarray(matrix)).items():
            shares = max(shares, float(abs(np.asarray(values)[:, 1] - theirs[each]).max()))
    return counts, shares


def draw(out: Output, truth: np.ndarray, detectors: Mapping[str, Detector], results: Results) -> None:
    """Confusion matrices, curves with the thresholds, and the measures of every method.

    Args:
      out: where to.
      truth: 0 or 1 [n].
      detectors: by method, on the same n rows.
      results: of `measure`, by method.
    """
    out.figure("confusion", confusion_matrices({name: x["confusion"].sum(0) for name, x in results.items()}))
    out.figure("curves", curves(truth, detectors, results))
    out.figure("measures", bars(results))


def confusion_matrices(counts: Mapping[str, np.ndarray]) -> Any:
    """Counts [2, 2] by method, rows the truth (002:383), shaded by share of the row, errors in red."""
    columns = -(-len(counts) // 2)
    figure, axes = plots.subplots(2, columns, (2.5 * columns, 5.2))
    figure.suptitle("test, sum over seeds", fontsize=11)
    for axis in axes.flat[len(counts) :]:
        axis.axis("off")
    for axis, (name, matrix) in zip(axes.flat, counts.items(), strict=False):
        share = matrix / matrix.sum(1, keepdims=True)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=2.2)  # pale enough to read the counts
        for place, count in np.ndenumerate(matrix):
            colour = "black" if place[0] == place[1] else "firebrick"
            text = f"{count}\n{share[place]:.1%}"
            axis.text(*place[::-1], text, ha="center", va="center", color=colour, fontsize=11)
        axis.set_title(name, fontsize=11)
        axis.set_xticks([0, 1], ["other", "rare"])
        axis.set_yticks([0, 1], ["other", "rare"], rotation=90, va="center")
        axis.set(xlabel="answer", ylabel="truth")
    return figure


def curves(truth: np.ndarray, detectors: Mapping[str, Detector], results: Results) -> Any:
    """ROC, and precision against recall, of each method's first seed, with the point of its threshold."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure, axes = plots.subplots(1, 2, (10.5, 5.6))
    roc, trade = axes[0]
    drawn: list[int] = []
    for i, (name, (scores, thresholds)) in enumerate(detectors.items()):
        matrix, recalled = results[name]["confusion"][0], results[name]["recall"][0]
        line, point = (("-", "-", "none", "--", "-.", ":")[i % 6], {"marker": "Xo*sD^"[i % 6], "ms": 9})
        style = {"color": plots.nth_colour(i), "mec": "black", "mew": 0.8, "zorder": 3}
        label = f"{name}: the same, {1 / (1 + np.exp(-thresholds[0])):.2g} instead of 0.5"
        if id(scores) not in drawn:  # one with another threshold has the same curve
            label = f"{name}: area {results[name]['auc'].mean():.3f}, mean over seeds"
            false_alarms, recall, _ = roc_curve(truth, scores[0])
            roc.plot(false_alarms, recall, color=plots.nth_colour(i), ls=line)
            precision, recall, _ = precision_recall_curve(truth, scores[0])
            if len(precision) > 2:  # scores that are all the same have no curve
                trade.step(recall, precision, where="post", color=plots.nth_colour(i), ls=line)
        drawn.append(id(scores))
        roc.plot([matrix[0, 1] / matrix[0].sum()], [recalled], **point, **style)
        trade.plot([recalled], [results[name]["precision"][0]], **point, **style)
        roc.plot([], [], ls=line, label=label, **point, **style)  # for the legend: line and point
    roc.set(title="ROC, test, first seed", xlabel="false alarms, share of the others", ylabel="recall")
    trade.set(title="precision and recall, test, first seed", xlabel="recall", ylabel="precision")
    figure.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=2)
    for axis in axes[0]:
        axis.grid(alpha=0.3)
    return figure


def bars(results: Results) -> Any:
    """Every measure of every method: mean, standard deviation over seeds, and the seeds as points."""
    figure, axes = plots.subplots(1, 1, (11, 4.2))
    axis, width = axes[0, 0], 0.8 / len(results)
    for i, (name, values) in enumerate(results.items()):
        x = np.arange(len(MEASURES)) + (i - (len(results) - 1) / 2) * width
        every = np.array([values[each] for each in MEASURES])  # [measures, seeds]
        spread = every.std(1, ddof=1) if every.shape[1] > 1 else np.zeros(len(every))
        axis.bar(x, every.mean(1), width, yerr=spread, capsize=2, color=plots.nth_colour(i), label=name,
                 hatch=("", "//", "..", "xx", "\\\\", "--")[i % 6], edgecolor="white", lw=0.5)  # fmt: skip
        axis.scatter(np.repeat(x, every.shape[1]), every, s=8, color="black", zorder=3)
    axis.set_xticks(range(len(MEASURES)), list(MEASURES.values()))
    axis.set(ylabel="test, mean ± std; points: seeds", ylim=(0, 1.25))
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=9, loc="upper center", ncols=3)
    return figure
