"""A digit made rare, the scores of its detectors by scikit-learn, and their figures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxdl import data, plots
from jaxdl.errors import require
from jaxdl.run import Output

Results = dict[str, dict[str, np.ndarray]]  # by method and measure, [seeds, ...]
MEASURES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1",
            "auc": "area under ROC"}  # fmt: skip


def rare(dataset: data.Dataset, digit: int, share: float) -> list[data.Split]:
    """The splits with `digit` as class 1 and all others as class 0; only some of `digit`'s rows stay.

    Args:
      dataset: of images in 0..1, such as `data.load("digits")`.
      digit: the label that becomes rare.
      share: of all rows that are left, in every split alike (002:346-348).

    Returns:
      train, validation, test: "input" float32 [n, pixels], "target" int32 [n].
    """
    require(0 <= digit < dataset.classes, "digit", digit, f"an integer in 0..{dataset.classes - 1}", "try 8")
    splits = []
    for split in (dataset.train, dataset.validation, dataset.test):
        others, found = (np.flatnonzero((split["target"] == digit) == is_it) for is_it in (False, True))
        count = round(share / (1 - share) * len(others)) if 0 < share < 1 else 0
        require(1 <= count <= len(found), "share", share, f"1 to {len(found)} rows in a split", "try 0.05")
        rows = np.sort(np.concatenate([others, found[:count]]))
        inputs = split["input"][rows].reshape(len(rows), -1)
        splits.append({"input": inputs, "target": (split["target"][rows] == digit).astype(np.int32)})
    return splits


def threshold(truth: np.ndarray, score: np.ndarray) -> float:
    """The threshold of the ROC curve's point that is farthest above the diagonal (002:395-401).

    Args:
      truth: 0 or 1 [n], of the validation rows.
      score: [n]; class 1 is answered where it is at least the threshold.
    """
    from sklearn.metrics import roc_curve

    false_alarms, recall, thresholds = roc_curve(truth, score)
    return float(thresholds[np.argmax(recall - false_alarms)])


def measure(truth: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """scikit-learn's `MEASURES` of class 1 and "confusion" [seeds, 2, 2], one value per seed.

    Args:
      truth: 0 or 1 [n].
      scores: [seeds, n].
      thresholds: [seeds].
    """
    from sklearn import metrics as sklearn

    values = []
    for score, least in zip(scores, thresholds, strict=True):
        answer = score >= least
        values.append({
            "accuracy": sklearn.accuracy_score(truth, answer),
            "precision": sklearn.precision_score(truth, answer, zero_division=0),
            "recall": sklearn.recall_score(truth, answer),
            "f1": sklearn.f1_score(truth, answer),
            "auc": sklearn.roc_auc_score(truth, score),
            "confusion": sklearn.confusion_matrix(truth, answer),
        })  # fmt: skip
    return {name: np.array([each[name] for each in values]) for name in values[0]}


def draw(
    out: Output,
    truth: np.ndarray,
    scores: Mapping[str, np.ndarray],
    thresholds: Mapping[str, np.ndarray],
    results: Results,
    curved: Sequence[str],
) -> None:
    """Confusion matrices, curves with the thresholds, and the measures of every method.

    Args:
      out: where to.
      truth: 0 or 1 [n].
      scores: [seeds, n], by method.
      thresholds: [seeds], by method.
      results: of `measure`, by method.
      curved: methods whose curves are drawn; one with the scores of another adds its threshold only.
    """
    out.figure("confusion", confusion_matrices({name: x["confusion"].sum(0) for name, x in results.items()}))
    out.figure("curves", curves(truth, scores, thresholds, results, curved))
    out.figure("measures", bars(results))


def confusion_matrices(counts: Mapping[str, np.ndarray]) -> Any:
    """Counts [2, 2] by method, rows the truth (002:383), shaded by share of the row, errors in red."""
    columns = -(-len(counts) // 2)
    figure, axes = plots.subplots(2, columns, (2.5 * columns, 5.2))
    for axis in axes.flat[len(counts) :]:
        axis.axis("off")
    for axis, (name, matrix) in zip(axes.flat, counts.items(), strict=False):
        share = matrix / matrix.sum(1, keepdims=True)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1.3)
        for place, count in np.ndenumerate(matrix):
            colour = "black" if place[0] == place[1] else "firebrick"
            text = f"{count}\n{share[place]:.1%}"
            axis.text(*place[::-1], text, ha="center", va="center", color=colour, fontsize=11)
        axis.set_title(name, fontsize=11)
        axis.set_xticks([0, 1], ["other", "rare"])
        axis.set_yticks([0, 1], ["other", "rare"], rotation=90, va="center")
        axis.set(xlabel="answer", ylabel="truth")
    return figure


def curves(
    truth: np.ndarray,
    scores: Mapping[str, np.ndarray],
    thresholds: Mapping[str, np.ndarray],
    results: Results,
    names: Sequence[str],
) -> Any:
    """ROC, and precision against recall, of each method's first seed, with the point of its threshold."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    figure, axes = plots.subplots(1, 2, (11, 4.8))
    roc, trade = axes[0]
    drawn: list[np.ndarray] = []
    for i, name in enumerate(names):
        score, least, own = scores[name][0], thresholds[name][0], results[name]
        style = {"color": f"C{i}", "marker": "os^Dv"[i], "ms": 9, "mec": "black", "mew": 0.8, "zorder": 3}
        false_alarms = own["confusion"][0, 0, 1] / own["confusion"][0, 0].sum()
        label = f"{name}: {own['auc'].mean():.3f} ± {own['auc'].std(ddof=len(own['auc']) > 1):.3f}"
        if any(score is each for each in drawn) or any(np.array_equal(score, each) for each in drawn):
            label = f"{name}: {1 / (1 + np.exp(-least)):.2g} for 0.5"
            style["ls"] = "none"
        else:
            x, y, _ = roc_curve(truth, score)
            style["ls"] = ("-", "-", "--", "-.", (0, (1, 1)))[i]
            roc.step(x, y, where="post", color=f"C{i}", ls=style["ls"])
            precision, recall, _ = precision_recall_curve(truth, score)
            trade.step(recall, precision, where="post", color=f"C{i}", ls=style["ls"])
        drawn.append(score)
        roc.plot([false_alarms], [own["recall"][0]], **style, label=label)
        trade.plot([own["recall"][0]], [own["precision"][0]], **style, label=name)
    roc.plot([0, 1], [0, 1], color="gray", lw=0.8, ls=":")
    roc.set(xlabel="false alarms, share of the others", ylabel="recall", title="ROC, test, first seed",
            xlim=(-0.01, 0.5), ylim=(0.3, 1.01))  # fmt: skip
    roc.legend(frameon=False, fontsize=9, loc="lower right", title="area under the curve, all seeds")
    trade.set(xlabel="recall", ylabel="precision", title="precision and recall, test, first seed")
    trade.legend(frameon=False, fontsize=9, loc="lower left", title="points: the thresholds")
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
        axis.bar(x, every.mean(1), width, yerr=spread, capsize=2, color=f"C{i}", label=name,
                 hatch=("", "//", "..", "xx", "\\\\", "--")[i % 6], edgecolor="white", lw=0.5)  # fmt: skip
        axis.scatter(np.repeat(x, every.shape[1]), every, s=8, color="black", zorder=3)
    axis.set_xticks(range(len(MEASURES)), list(MEASURES.values()))
    axis.set(ylabel="test: mean ± standard deviation, seeds", ylim=(0, 1.25))
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    axis.legend(frameon=False, fontsize=9, loc="upper center", ncols=3)
    return figure
