"""The exercise of the slides: a gradient by hand, by finite differences, by jax.grad (001:1081-1098).

Reproduces: dloss/dw1 and dloss/dw2 of yhat = x^2 w2 + x w1 + b, loss = (yhat - y)^2, in every way.
Paper: Baydin, Pearlmutter, Radul, Siskind 2018, Automatic differentiation in machine learning: a survey.
Command: python -m experiments quadratic
Expected: 2 (yhat - y) x and 2 (yhat - y) x^2; 8 and 16 at the first point, 42 and 126 at the second.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from jaxdl import graph, plots
from jaxdl.run import Output, Report, claim

POINTS = {"x=2 y=4 w1=w2=1 b=0": (1.0, 1.0, 0.0, 2.0, 4.0), "x=3 y=6 w1=w2=b=1": (1.0, 1.0, 1.0, 3.0, 6.0)}
ANSWERS = (8, 16, 4), (42, 126, 14)  # derivatives by w1, w2, b; the slide leaves them to the reader


@dataclasses.dataclass(frozen=True)
class Config:
    """The finite differences."""

    difference: float = 1e-5  # half the distance between the two points of a difference


def loss(w1: Any, w2: Any, b: Any, x: Any, y: Any) -> Any:
    """The squared error of the quadratic model for one example."""
    return (checkpoint_name(x**2 * w2 + x * w1 + b, "ŷ") - y) ** 2


def by_hand(w1: float, w2: float, b: float, x: float, y: float) -> np.ndarray:
    """dloss/dw1, dloss/dw2 and dloss/db by the chain rule."""
    return 2 * (x**2 * w2 + x * w1 + b - y) * np.array([x, x**2, 1])


def by_differences(point: tuple[float, ...], difference: float) -> np.ndarray:
    """The same from two values of the loss on either side of the point."""
    steps = difference * np.eye(5)[:3]
    rises = [loss(*(point + step)) - loss(*(point - step)) for step in steps]
    return np.array([float(rise) for rise in rises]) / (2 * difference)


def run(config: Config, out: Output) -> Report:
    """Four ways to the same three numbers, at two points."""
    claims, graphs = [], {}
    for (name, point), answers in zip(POINTS.items(), ANSWERS, strict=True):
        with jax.enable_x64(True):
            nodes = graphs[name] = graph.trace(loss, *point)
            ways = {
                "the graph": np.array([node.gradient for node in nodes[:3]]),
                "jax.grad": np.array(jax.grad(loss, (0, 1, 2))(*point)),
                "finite differences": by_differences(point, config.difference),
            }
        hand = by_hand(*point)
        out.report(f"{name}\n{graph.table(nodes)}\n")
        claims += [claim(f"dloss/d{by} by hand, {name}", "001:1081-1098", f"= {answer} +- 0", value)
                   for by, answer, value in zip(("w1", "w2", "b"), answers, hand, strict=True)]  # fmt: skip
        claims += [claim(f"by hand from {way}, {name}", "001:1081-1098",
                         "< 1e-6" if way == "finite differences" else "= 0 +- 0", abs(hand - found).max())
                   for way, found in ways.items()]  # fmt: skip
    out.figure("graphs", plots.computational_graphs(graphs))
    return Report(claims)
