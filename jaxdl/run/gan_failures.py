"""Names the failures of a GAN (003:1438-1440, 1629-1636) from what was measured while it trained.

The slides name three: the generator draws few of the things that there are (mode collapse), the
discriminator is right so early that nothing is left to learn from (diminished gradient), and the
two chase each other without coming to rest (oscillation). `diagnose_early` watches a run as it goes,
`diagnose` judges one that is over.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

MODE_COLLAPSE, DIMINISHED_GRADIENT, OSCILLATION = "mode collapse", "diminished gradient", "oscillation"

SEEN = 0.01  # share of the samples from which on a class counts as drawn
WON = 0.98  # accuracy of a discriminator that has won; 0.5 is a draw
SWING = 0.15  # share of the samples that changes class from check to check
# While the generator is young, and draws few classes anyway:
FOOLED = 0.3  # accuracy of a discriminator that takes the generated ones for real
FEW = 0.5  # share of the classes that a collapsed generator has at most
AHEAD = 0.85  # accuracy of a discriminator that is winning
GAIN = 0.35  # of the entropy that is lacking: a generator that gains less stands still


def class_shares(labels: np.ndarray, classes: int) -> np.ndarray:
    """The share of each class among samples, float64 [classes], of labels int [n] in 0..classes-1."""
    return np.bincount(np.asarray(labels), minlength=classes) / max(1, len(labels))


def seen(shares: np.ndarray) -> np.ndarray:
    """How many classes [...] have at least `SEEN` of the samples, of shares [..., classes]."""
    return (np.asarray(shares) >= SEEN).sum(-1)


def entropy(shares: np.ndarray) -> np.ndarray:
    """The entropy [...] of shares [..., classes], in nats: log(classes) if all are drawn alike.

    >>> float(entropy(np.array([0.5, 0.5, 0.0])).round(3))
    0.693
    """
    shares = np.asarray(shares)
    return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(-1)


def swing(shares: np.ndarray) -> float:
    """The mean total variation distance of successive rows of [checks, classes], 0 (rest) to 1.

    >>> swing(np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]))
    0.75
    """
    return float(0.5 * np.abs(np.diff(shares, axis=0)).sum(-1).mean()) if len(shares) > 1 else 0.0


def series(rows: Sequence[Mapping[str, Any]], seed: int) -> dict[str, np.ndarray]:
    """What `diagnose` and `diagnose_early` take, of one seed.

    Args:
      rows: what an `Output.observe` measured at each check, by name one value per seed: "accuracy",
        "gradient_norm", and "share/0", "share/1" ... of the classes.
      seed: number of the run.
    """
    classes = sum(name.startswith("share/") for name in rows[0])
    shares = [[row[f"share/{i}"][seed] for i in range(classes)] for row in rows]
    others = {name: [row[name][seed] for row in rows] for name in ("accuracy", "gradient_norm")}
    return {name: np.array(values, float) for name, values in {"shares": shares, **others}.items()}


def diagnose_early(measured: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The failures that show while a GAN is young, by name, each with what shows it.

    Args:
      measured: as of `diagnose`, at the newest checks only, none of them before the first step.

    A young generator draws few classes even if all is well, and its opponent then tells it so: every
    check brings more of them. Mode collapse: never more than `FEW` of the classes, and the
    discriminator is `FOOLED`, so that nothing drives the generator away from them. Diminished
    gradient: a class is always missing, the discriminator is `AHEAD`, and from the first half of the
    checks to the second the generator won back less than `GAIN` of the entropy that it lacks.

    >>> few = np.tile([0.5, 0.5, 0.0, 0.0], (4, 1))
    >>> [list(diagnose_early({"shares": few, "accuracy": np.full(4, a)})) for a in (0.1, 0.7, 1.0)]
    [['mode collapse'], [], ['diminished gradient']]
    """
    shares, accuracy = np.asarray(measured["shares"]), float(np.median(measured["accuracy"]))
    checks, classes = shares.shape
    most = int(seen(shares).max())
    among = f"no more than {most} of {classes} classes among the samples of {checks} checks"
    if most <= FEW * classes and accuracy <= FOOLED:
        return {MODE_COLLAPSE: f"{among}, and the discriminator is right in {accuracy:.1%} of the pairs"}
    first, second = (entropy(half).mean() for half in (shares[: checks // 2], shares[-(checks // 2) :]))
    stands = second - first < GAIN * (np.log(classes) - first)
    if most < classes and accuracy >= AHEAD and stands:
        text = f"the discriminator is right in {accuracy:.1%} of the pairs, {among}, "
        return {DIMINISHED_GRADIENT: f"{text}entropy from {first:.2f} to {second:.2f} nats"}
    return {}


def diagnose(measured: Mapping[str, np.ndarray]) -> dict[str, str]:
    """The failures of one run, by name, each with what shows it; {} for a healthy one.

    Args:
      measured: through training, at equal distances: "shares" [checks, classes], see
        `class_shares`; "accuracy" [checks], how often the discriminator finds the real one of
        a pair, best of held-out images; "gradient_norm" [checks], of the generator's loss.

    Judged is the last quarter, when the first fight is over: mode collapse by the last check,
    where a class is missing; diminished gradient by the median accuracy, at least `WON`; and
    oscillation by the mean `swing`, more than `SWING`.

    >>> even = np.full((4, 10), 0.1)
    >>> diagnose({"shares": even, "accuracy": np.full(4, 0.7), "gradient_norm": np.ones(4)})
    {}
    >>> list(diagnose({"shares": even, "accuracy": np.ones(4), "gradient_norm": np.ones(4)}))
    ['diminished gradient']
    """
    late = {name: np.asarray(values)[3 * len(values) // 4 :] for name, values in measured.items()}
    shares, accuracy, norms = late["shares"], late["accuracy"], late["gradient_norm"]
    found = {}
    classes = shares.shape[-1]
    drawn = int(seen(shares[-1]))
    if drawn < classes:
        found[MODE_COLLAPSE] = (
            f"{drawn} of {classes} classes among the samples, "
            f"entropy {float(entropy(shares[-1])):.2f} of {np.log(classes):.2f} nats"
        )
    if np.median(accuracy) >= WON:
        found[DIMINISHED_GRADIENT] = (
            f"the discriminator is right in {np.median(accuracy):.1%} of the pairs, "
            f"gradient norm of the generator {np.median(norms):.2g}"
        )
    if swing(shares) > SWING:
        found[OSCILLATION] = f"{swing(shares):.0%} of the samples change class from check to check"
    return found
