"""The illnesses of a training run: what each means, what to do, and where the slides say so (002:403-444)."""

from typing import NamedTuple

from jaxdl.run.gan_failures import DIMINISHED_GRADIENT, MODE_COLLAPSE, OSCILLATION

MISALIGNED, BADLY_FED = "labels misaligned", "data badly fed"
NOT_TOUCHED, ALIKE = "layer not touched by the optimizer", "weights initialised at 0"
NO_GRADIENT = "no gradient"
RATE_TOO_LOW, RATE_TOO_HIGH = "learning rate too low", "learning rate too high"
WEIGHTS_TOO_LARGE = "initial weights too large"
OTHER_RATIO, OVER_FITTING = "class ratio differs", "over-fitting"

# What it means, what to do, and where the slides say so.
ILLNESSES: dict[str, tuple[str, str, str]] = {
    MISALIGNED: (
        "the labels do not belong to these inputs",
        "look at twenty rows with their labels; shuffle inputs and labels with one and the same order",
        "002:409",
    ),
    BADLY_FED: (
        "the network does not get what it should learn from",
        "look at one batch as the network gets it: about 0..1, rows that differ, no NaN, labels in range",
        "002:410",
    ),
    NOT_TOUCHED: (
        "the optimizer leaves out a layer that has a gradient",
        "give the optimizer all parameters, unless you freeze this layer on purpose",
        "002:413",
    ),
    ALIKE: (
        "units that begin alike get the same gradient and stay alike",
        "initialise the kernels at random (Glorot, He, LeCun); only biases may begin at 0",
        "002:414",
    ),
    NO_GRADIENT: (
        "this layer cannot learn: its units are dead or saturated",
        "take smaller initial weights and biases, a lower learning rate, or another activation",
        "002:430; 002:186-201",
    ),
    RATE_TOO_LOW: (
        "the steps are too small for a run of this length",
        "raise the learning rate tenfold until the loss falls, train longer, or change the optimizer",
        "002:415-417",
    ),
    RATE_TOO_HIGH: (
        "the steps are larger than the valley is wide",
        "lower the learning rate tenfold, let it decay, clip the gradients, or change the activation",
        "002:428-430",
    ),
    WEIGHTS_TOO_LARGE: (
        "the outputs are far off before anything was learned",
        "scale the initial weights with the number of inputs (Glorot, He, LeCun), begin with biases at 0",
        "002:427",
    ),
    OTHER_RATIO: (
        "what is common in training is not what is common in validation",
        "split by class (stratified), or change the proportions of the training set by more rows or sampling",
        "002:437-438",
    ),
    OVER_FITTING: (
        "the network learns the training rows by heart",
        "augment the data, normalise the batches, stop early, penalise weights (L1, L2), add dropout",
        "002:439-444",
    ),
    MODE_COLLAPSE: (
        "the generator draws few of the things that there are",
        "balance the players: lower the generator's learning rate, another loss, more discriminator steps",
        "003:1629-1636",
    ),
    DIMINISHED_GRADIENT: (
        "the discriminator is right so surely that nothing is left to learn from",
        "lower the discriminator's learning rate, or take a loss that does not saturate",
        "003:1629-1636",
    ),
    OSCILLATION: (
        "the players chase each other without coming to rest",
        "lower both learning rates, or average the generator's weights (ema)",
        "003:1629-1636",
    ),
}
# What follows from an illness is not named beside it; from bad data, everything may follow.
CONSEQUENCES: dict[str, set[str]] = {
    BADLY_FED: set(ILLNESSES),
    MISALIGNED: {OVER_FITTING, RATE_TOO_LOW},
    ALIKE: {NOT_TOUCHED, NO_GRADIENT, RATE_TOO_LOW, OVER_FITTING, MODE_COLLAPSE, DIMINISHED_GRADIENT,
            OSCILLATION},
    NOT_TOUCHED: {RATE_TOO_LOW, MODE_COLLAPSE, DIMINISHED_GRADIENT, OSCILLATION},
    NO_GRADIENT: {RATE_TOO_LOW, NOT_TOUCHED},
    RATE_TOO_LOW: {MODE_COLLAPSE, DIMINISHED_GRADIENT, OSCILLATION},
    WEIGHTS_TOO_LARGE: {RATE_TOO_HIGH, RATE_TOO_LOW, NO_GRADIENT, OVER_FITTING, MODE_COLLAPSE,
                        DIMINISHED_GRADIENT, OSCILLATION},
    RATE_TOO_HIGH: {NO_GRADIENT, RATE_TOO_LOW, OVER_FITTING, MODE_COLLAPSE, DIMINISHED_GRADIENT, OSCILLATION},
    OTHER_RATIO: {OVER_FITTING},
}  # fmt: skip


class Diagnosis(NamedTuple):
    """An illness, and everything one needs to do something about it."""

    name: str  # one of `ILLNESSES`
    seen: str  # with numbers
    meaning: str
    remedy: str
    source: str  # slide deck and lines
    step: int  # at which it was named
    seeds: tuple[int, ...] = (0,)  # numbers of the runs that have it

    def __str__(self) -> str:
        return f"{self.name} at step {self.step}: {self.seen}; {self.meaning}. {self.remedy} [{self.source}]"


def diagnosis(name: str, seen: str, step: int) -> Diagnosis:
    """A diagnosis with what `ILLNESSES` has on it.

    >>> diagnosis(RATE_TOO_LOW, "nothing moves", 30).source
    '002:415-417'
    """
    return Diagnosis(name, seen, *ILLNESSES[name], step)
