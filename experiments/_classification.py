"""What the classifiers share: data, optimizer, training, test, and the figures of a classifier."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxdl import data, losses, metrics, models, plots
from jaxdl.learner import ORDER
from jaxdl.learners import supervised
from jaxdl.run import Claim, Fitted, Output, Report, Select, claim, fit, over_split
from jaxdl.transforms import each_seed, resident


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of every classifier."""

    dataset: Literal["digits", "mnist", "idx"] = "digits"  # idx: the four IDX files in --data-dir
    epochs: int = 60  # passes over the training rows
    batch_size: int = 32  # rows per step
    learning_rate: float = 2e-3  # peak of the one-cycle schedule of AdamW
    weight_decay: float = 1e-4  # of AdamW, per step, times the learning rate
    label_smoothing: float = 0.0  # share of the probability spread over all classes
    l1: float = 0.0  # weight of sum |w| in the loss (003:288)
    l2: float = 0.0  # weight of sum w^2 in the loss (003:294)
    degrees: float = 0.0  # augmentation: largest rotation
    scale: float = 0.0  # augmentation: largest relative change of size
    translate: float = 0.0  # augmentation: largest shift, pixels
    noise: float = 0.0  # augmentation: standard deviation, of a pixel range of 0..1
    precision: models.Precision = "float32"  # of the arithmetic of training; bf16 suits accelerators
    patience: int | None = None  # epochs without better validation until a seed stops; None: all epochs
    road: Literal["resident", "host"] = "resident"  # data kept on the device, or fed by the host
    seeds: int = 5  # independent runs
    seed: int = 0  # of the first run


def train_and_test(
    make: Any,
    config: Config,
    out: Output,
    expected: dict[str, list[tuple]],
    look: Callable[[nn.Module, dict[str, Any], np.ndarray], None] | None = None,
) -> Report:
    """Train a classifier, test it once, draw its figures, and hold it against its claims.

    Args:
      make: number of classes -> flax module.
      config: see `Config`.
      out: where to write.
      expected: by data set, claims as (name, source, expected); names are those of the test
        measures, `accuracy` or `error`.
      look: called with the model, the variables of the first seed and a test image, for more figures.
    """
    dataset = data.load(config.dataset, out.data_dir)
    model = make(dataset.classes)
    fitted, steps_per_epoch = train(model, dataset, config, dataclasses.replace(out, model=model))
    measures = {
        "loss": losses.cross_entropy,
        "accuracy": metrics.accuracy,
        "confusion": metrics.confusion,
    }
    test = over_split(supervised.evaluate(model, measures), dataset.test)(fitted.best)
    test["error"] = 1 - test["accuracy"]
    figures(model, dataset, fitted, test["confusion"], steps_per_epoch, out)
    if look is not None:
        net = jax.tree.map(lambda x: x[0], fitted.best.net)
        look(model, net.variables, dataset.test["input"][0])
    facts = {
        "parameters": fitted.parameters,
        "epochs": config.epochs,
        "flops_per_example": round(fitted.flops_per_step / config.batch_size),
        "training_seconds": round(fitted.seconds, 1),
        "seconds_to_first_chunk": round(fitted.seconds_to_first_chunk, 1),
        "test": {name: [round(float(x), 5) for x in test[name]] for name in ("accuracy", "loss")},
    }
    return Report(claims(test, expected.get(config.dataset, [])), facts)


def count(dataset: data.Dataset, config: Config) -> tuple[int, float]:
    """Steps of a run, and steps of an epoch."""
    steps_per_epoch = len(dataset.train["target"]) / config.batch_size
    return max(1, round(config.epochs * steps_per_epoch)), steps_per_epoch


def train(
    model: nn.Module,
    dataset: data.Dataset,
    config: Config,
    out: Output,
    optimizer: optax.GradientTransformation | None = None,
    select: Select | None = None,
) -> tuple[Fitted, float]:
    """Fit `config.seeds` runs; returns them and the steps per epoch.

    Args:
      model: flax module.
      dataset: of which the test split is not used.
      config: see `Config`.
      out: where to write.
      optimizer: instead of the AdamW and the schedule of the config.
      select: which state of a seed is its best, instead of what the config's patience says.
    """
    steps, steps_per_epoch = count(dataset, config)
    schedule = optax.cosine_onecycle_schedule(steps, config.learning_rate, pct_start=0.2)
    if config.patience is not None:
        select = Select("accuracy", True, config.patience)
    learner = supervised.learner(
        models.in_precision(model, config.precision),
        optimizer or optax.adamw(schedule, weight_decay=config.weight_decay),
        loss=partial(losses.cross_entropy, label_smoothing=config.label_smoothing),
        l1=config.l1,
        l2=config.l2,
        augment=augmentation(config),
    )
    source: Any = dataset.train
    if config.road == "resident":
        learner = resident(learner, config.batch_size, data.order.rows)
    else:
        key = jax.random.fold_in(jax.random.key(config.seed), ORDER)  # the order of the first seed
        source = partial(data.stream, dataset.train, data.order.rows, key, config.batch_size)
    fitted = fit(
        learner,
        source,
        steps=steps,
        batch_size=config.batch_size,
        seed=config.seed,
        seeds=config.seeds,
        every=max(1, round(steps_per_epoch)),
        evaluate=supervised.evaluate(model),
        validation=dataset.validation,
        select=select,
        output=out,
    )
    return fitted, steps_per_epoch


def augmentation(config: Config) -> supervised.Augment | None:
    """The random changes of one image that the config asks for (003:758)."""
    changes = []
    if config.degrees or config.scale or config.translate:
        affine = partial(
            data.augment.affine, degrees=config.degrees, scale=config.scale, translate=config.translate
        )
        changes.append(affine)
    if config.noise:
        changes.append(partial(data.augment.noise, sigma=config.noise))
    return data.augment.compose(*changes) if changes else None


def claims(test: dict[str, np.ndarray], expected: list[tuple]) -> list[Claim]:
    """The test measures, one value per seed, against what is expected of them."""
    return [claim(f"test {name}", source, bound, test[name]) for name, source, bound in expected]


def figures(
    model: nn.Module,
    dataset: data.Dataset,
    fitted: Fitted,
    confusion: np.ndarray,
    steps_per_epoch: float,
    out: Output,
) -> None:
    """Learning curves, confusion matrix, and the digits that are misread by most seeds."""
    out.figure("learning_curves", plots.learning_curves(fitted.rows, steps_per_epoch))
    images, truth = dataset.test["input"], dataset.test["target"]
    counts = np.rint(confusion.sum(0) * len(truth))
    title = f"test, sum of {len(confusion)} seeds" if len(confusion) > 1 else "test"
    labels = [str(i) for i in range(dataset.classes)]
    out.figure("confusion", plots.confusion_matrix(counts, labels, title))
    predict = jax.jit(each_seed(supervised.predict(model)))
    parts = [np.asarray(predict(fitted.best, images[i : i + 500])) for i in range(0, len(images), 500)]
    predicted = np.concatenate(parts, 1).argmax(-1)
    misread = (predicted != truth).sum(0)
    worst = [i for i in np.argsort(-misread, kind="stable")[:40] if misread[i]]
    titles = [_misreading(int(truth[i]), predicted[:, i]) for i in worst]
    out.figure("misread", plots.image_grid(images[worst], titles))


def _misreading(truth: int, predicted: np.ndarray) -> str:
    """`3 read 9 (4/5)`: the commonest wrong reading, and how many of the seeds are wrong."""
    wrong = predicted[predicted != truth]
    return f"{truth} read {np.bincount(wrong).argmax()} ({len(wrong)}/{len(predicted)})"
