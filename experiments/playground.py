"""Points of the plane classified by networks of 0, 2, 3 and 6+4 hidden units (001:555-621, 002:232).

Reproduces: 001:562-621, decision maps and both losses (F1, N22 to N25); 002:232, 003:270 (F2).
Paper: Smilkov, Carter et al. 2017, Direct-manipulation visualization of deep networks.
Command: python -m experiments playground [--noise 0.2]
Expected: circle, accuracy about 0.56, 0.82, 0.996 and 1 with 0, 2, 3 and 6+4 units; 6+4: loss <= 0.013.
Time: 1 minute on 2 CPU cores
"""

import dataclasses

import jax
import numpy as np
import optax

from experiments import _playground
from jaxdl import data
from jaxdl.learners import supervised
from jaxdl.run import Claim, Output, Report, claim, fit
from jaxdl.run.folder import part
from jaxdl.transforms import resident

# Hidden layers, place, test accuracy on the circle (0.56: 0.554 over 100 seeds, 20 are off by 0.04), success.
NETWORKS = {
    "0 hidden units": ((), "001:562-587", "= 0.56 +- 0.05", "= 0 +- 0"),
    "2 units": ((2,), "001:589-594", "= 0.82 +- 0.05", "= 0 +- 0"),
    "3 units": ((3,), "001:596-599", "= 0.996 +- 0.01", "> 0.5"),
    "6+4 units": ((6, 4), "001:611-621", "= 1 +- 0.004", "= 1 +- 0"),
}
BATCH_SIZE = 10  # printed on the slide (001:587), as is half of the points for training (001:579)


@dataclasses.dataclass(frozen=True)
class Config:
    """TensorFlow Playground's defaults, where the slide prints nothing."""

    epochs: int = 300  # passes over the 250 training points
    learning_rate: float = 0.03  # of plain gradient descent
    noise: float = 0.0  # in the points, 0..0.5; 0 on the slide
    every: int = 5  # epochs between two looks at losses and maps
    seeds: int = 20  # networks of each kind and point set, each with its own points; the first is drawn
    seed: int = 0  # of the first network


def run(config: Config, out: Output) -> Report:
    """Train every kind of network on all point sets at once, look at it on the way, draw."""
    train, test = _playground.points(config.noise)
    epoch = train["target"].shape[1] // BATCH_SIZE
    claims, values, films = [], {}, {}
    for name, (widths, *expected) in NETWORKS.items():
        model, place = _playground.Network(widths), part(out, name.replace(" ", "_"))
        watch = _playground.Watch(model, train, test, place.folder and place.folder / "maps")
        sgd = supervised.learner(model, optax.sgd(config.learning_rate), loss=_playground.half_squared_error)
        fitted = fit(
            _playground.on_its_own_points(resident(sgd, BATCH_SIZE, data.order.rows)),
            train,
            steps=config.epochs * epoch,
            batch_size=BATCH_SIZE,
            seed=config.seed,
            seeds=config.seeds,
            loop="vmap",
            every=config.every * epoch,
            output=dataclasses.replace(place, observe=watch),
        )
        values[name], films[name] = _playground.history(fitted), watch.film()
        claims += judge(name, values[name], *expected)
    _playground.draw(out, films, values, _playground.own(train, jax.random.key(config.seed)), epoch)
    return Report(claims, {"medians": _playground.medians(values)})


def judge(name: str, values: dict[str, np.ndarray], slide: str, median: str, success: str) -> list[Claim]:
    """What the slides show of the circle, at the last look."""
    accuracy, test, train = (
        values[f"circle/{each}"] for each in ("test_accuracy", "test_loss", "train_loss")
    )
    found = [(f"median test accuracy of {accuracy.shape[1]} seeds", median, np.median(accuracy[-1]))]
    found.append(("share of seeds with test accuracy >= 0.95", success, accuracy[-1] >= 0.95))
    if not NETWORKS[name][0]:
        found.append(("median test loss", "= 0.5 +- 0.05", np.median(test[-1])))
    if name == "6+4 units":
        found.append(("median test loss", "<= 0.013", np.median(test[-1])))
        found.append(("median training loss", "<= 0.013", np.median(train[-1])))
        reached = (np.maximum(test, train) <= 0.013).any(0)
        found.append(("share of seeds whose two losses reach 0.013", "= 1 +- 0", reached))
    return [claim(f"{name}: {what}, circle", slide, bound, measured) for what, bound, measured in found]
