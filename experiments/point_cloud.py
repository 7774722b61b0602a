"""An auto-encoder squeezes points of the plane through one number (003:1114-1130).

Reproduces: 003:1114-1130, blue points in, red points out, after one pass and after several (F32).
Paper: Kramer 1991, Nonlinear principal component analysis using autoassociative neural networks.
Command: python -m experiments point_cloud [--cloud wave]
Expected: the red points come to lie on the blue curve: at most a tenth of the error after one pass.
Time: 0.5 minutes on 2 CPU cores
"""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import _film, _points
from jaxdl import data, models
from jaxdl.data import pointcloud
from jaxdl.learners import autoencoder
from jaxdl.run import Fitted, Output, Report, claim, fit, over_split
from jaxdl.run.folder import part
from jaxdl.transforms import resident


@dataclasses.dataclass(frozen=True)
class Config:
    """One cloud, one network."""

    cloud: Literal["line", "parabola", "wave", "arc"] = "arc"  # the curve that the points lie about
    points: int = 500  # in the cloud
    spread: float = 0.05  # standard deviation about the curve, which spans -1..1
    epochs: int = 300  # passes over the points, the last of those that are drawn
    batch_size: int = 20  # points per step
    learning_rate: float = 3e-3  # of Adam
    widths: tuple[int, ...] = (32, 32)  # units of the hidden layers on either side of the code
    code: int = 1  # numbers that a point is squeezed into
    seeds: int = 3  # independent runs; the first is drawn
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Train for 1, 10 and all passes: the same run, looked at three times."""
    points = pointcloud.cloud(config.cloud, seed=0, n=config.points, noise=config.spread)
    model = models.Autoencoder((2,), config.code, config.widths, activation=models.tanh)
    shown, errors = {}, []
    for passes in sorted({1, min(10, config.epochs), config.epochs}):
        fitted = train(model, points, passes, config, out)
        errors.append(over_split(autoencoder.evaluate(model), {"input": points})(fitted.state)["error"])
        first = jax.tree.map(lambda x: x[0], fitted.state.net.params)
        title = f"after {passes} pass{'es' if passes > 1 else ''}: MSE {errors[-1][0]:.4f}"
        shown[title] = np.asarray(autoencoder.reconstruct(model, first, jnp.asarray(points))[1])
    out.figure("points", _points.point_clouds(points, shown))
    apply = jax.jit(lambda params: autoencoder.reconstruct(model, params, jnp.asarray(points))[1])
    film = _film.Film(lambda states: apply(jax.tree.map(lambda x: x[0], states.net.params)))
    train(model, points, config.epochs, config, film.output(out))
    looks = {step * config.batch_size // len(points): seen for step, seen in film.looks().items()}
    panels = ({f"passes: {passes}": seen} for passes, seen in looks.items())
    _film.write(out, "training", (_points.point_clouds(points, panel, margin=0.3) for panel in panels))
    line = float(np.linalg.eigvalsh(np.cov(points.T, bias=True))[: 2 - config.code].sum() / 2)
    bound = "<= 1.1" if config.cloud == "line" else "<= 0.1"  # no curve beats a line there
    text, small = "MSE after all passes over that after one", errors[-1] / errors[0]
    return Report([
        claim(text, "003:1120-1130", "<= 0.1", small),
        claim(f"MSE over that of the best line, {line:.4f}", "003:1088", bound, errors[-1] / line),
    ])  # fmt: skip


def train(model: models.Autoencoder, points: np.ndarray, passes: int, config: Config, out: Output) -> Fitted:
    """The first `passes` of the run, in a folder of their own; the rate is constant, so they agree."""
    learner = autoencoder.learner(model, optax.adam(config.learning_rate))
    return fit(
        resident(learner, config.batch_size, data.order.rows),
        {"input": points},
        steps=max(1, passes * len(points) // config.batch_size),
        batch_size=config.batch_size,
        seed=config.seed,
        seeds=config.seeds,
        every=max(1, len(points) // config.batch_size) if out.observe else None,
        output=part(out, f"passes-{passes}", model),
    )
