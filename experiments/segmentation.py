"""Segmentation: a label for every pixel of scenes of handwritten digits (003:930-948).

Reproduces: 003:930-948, regions of an image with a label (F28), on scenes put together from `digits`.
Paper: Ronneberger, Fischer, Brox 2015, U-Net: convolutional networks for biomedical image segmentation.
Command: python -m experiments segmentation
Expected: more than 9 of 10 digits get their own label, and the labels overlap the truth by more than half.
Time: 1.5 minutes on 2 CPU cores
"""

import dataclasses

import jax
import numpy as np
import optax

from experiments import _segmentation
from jaxdl import data
from jaxdl.learners import supervised
from jaxdl.run import Output, Report, claim, fit, over_split
from jaxdl.transforms import each_seed, resident

SLIDE = "003:930-948"


@dataclasses.dataclass(frozen=True)
class Config:
    """One network that shrinks its maps twice and grows them again."""

    rows: int = 2000  # training scenes, of training digits; a quarter as many to validate and to test
    widths: tuple[int, ...] = (16, 32, 64)  # channels of its maps, the finest first
    epochs: int = 12  # passes over the training scenes
    batch_size: int = 32  # scenes per step
    learning_rate: float = 1e-2  # peak of the one-cycle schedule of Adam
    seeds: int = 3  # networks
    seed: int = 0  # of the first network


def run(config: Config, out: Output) -> Report:
    """Put scenes together, train, measure on scenes of test digits, draw."""
    digits = data.load("digits")
    sizes = {"train": config.rows, "validation": config.rows // 4, "test": config.rows // 4}
    splits = {name: _segmentation.scenes(getattr(digits, name), max(1, n), seed)
              for seed, (name, n) in enumerate(sizes.items())}  # fmt: skip
    model = _segmentation.Segmenter(config.widths)
    epoch = max(1, config.rows // config.batch_size)
    steps = config.epochs * epoch
    adam = optax.adam(optax.cosine_onecycle_schedule(steps, config.learning_rate, pct_start=0.2))
    learner = supervised.learner(model, adam, loss=_segmentation.loss)
    fitted = fit(
        resident(learner, config.batch_size, data.order.rows),
        splits["train"],
        steps=steps,
        batch_size=config.batch_size,
        seed=config.seed,
        seeds=config.seeds,
        every=epoch,
        evaluate=supervised.evaluate(model, {"loss": _segmentation.loss}),
        validation=splits["validation"],
        output=out,
    )
    test = splits["test"]
    measures = {"pixels": _segmentation.confusion}
    pixels = over_split(supervised.evaluate(model, measures), test)(fitted.state)["pixels"]
    predict = jax.jit(each_seed(supervised.predict(model)))
    answers = np.asarray(predict(fitted.state, test["input"])).argmax(-1)
    named = [_segmentation.regions_named(each, test["target"]) for each in answers]
    right = np.trace(pixels, axis1=1, axis2=2) / pixels.sum((1, 2))
    out.figure("scenes", _segmentation.draw(test["input"][:6], test["target"][:6], answers[0, :6]))
    overlap, gained = _segmentation.overlaps(pixels), right - (test["target"] == 0).mean()
    return Report([
        claim("share of the digits whose commonest label is right", SLIDE, "> 0.9", named),
        claim("common over total area, mean of the 11 labels", SLIDE, "> 0.5", overlap.mean(1)),
        claim("share of pixels labelled right, less that of background alone", SLIDE, "> 0", gained),
    ], {"parameters": fitted.parameters, "overlap by label": overlap.mean(0).round(4).tolist()})  # fmt: skip
