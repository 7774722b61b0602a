"""Names the failures of a GAN (003:1438-1440, 1629-1636) from what was measured while it trained.

The slides name three: the generator draws few of the things that there are (mode collapse), the
discriminator is right so early that nothing is left to learn from (diminished gradient), and the
two chase each other without coming to rest (oscillation).
"""

from collections.abc import Mapping

import numpy as np

MODE_COLLAPSE, DIMINISHED_GRADIENT, OSCILLATION = "mode collapse", "diminished gradient", "oscillation"

SEEN = 0.01  # share of the samples from which on a class counts as drawn
WON = 0.98  # accuracy of a discriminator that has won; 0.5 is a draw
SWING = 0.15  # share of the samples that changes class from check to check


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
