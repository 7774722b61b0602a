"""What the auto-encoder scripts share: the digits, the linear optima, and one training."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from jaxdl import data
from jaxdl.learner import Learner
from jaxdl.learners import autoencoder
from jaxdl.run import Fitted, Output, fit, over_split
from jaxdl.run.folder import part
from jaxdl.transforms import each_seed, over_settings, resident

Measures = dict[str, np.ndarray]  # "error" and "active", [seeds] or [seeds, settings]


@dataclasses.dataclass(frozen=True)
class Digits:
    """The digits as an auto-encoder takes them, and what linear methods do with them."""

    train: data.Split
    validation: data.Split
    test: data.Split  # "noisy" is the same for every network that is judged on it

    @classmethod
    def load(cls, noise: float) -> "Digits":
        """The pinned split, without labels; noisy inputs are drawn from a fixed seed."""
        dataset, generator = data.load("digits"), np.random.default_rng(0)
        splits = []
        for split in (dataset.train, dataset.validation, dataset.test):
            clean = split["input"]
            noisy = clean + noise * generator.standard_normal(clean.shape)
            splits.append({"input": clean, "noisy": noisy.astype(np.float32)})
        return cls(*splits)

    def clean(self, name: str) -> data.Split:
        """A split whose inputs are judged without noise."""
        images = getattr(self, name)["input"]
        return {"input": images, "noisy": images}

    def pca(self, components: int, name: str) -> np.ndarray:
        """A split's images through PCA and back, PCA made on the training rows."""
        from sklearn.decomposition import PCA

        images = getattr(self, name)["input"]
        model = PCA(components, svd_solver="full").fit(flat(self.train["input"]))
        return model.inverse_transform(model.transform(flat(images))).reshape(images.shape)

    def linear_filter(self, noise: float) -> np.ndarray:
        """The test images, denoised by the best linear filter: C (C + noise^2)^-1, C the covariance."""
        rows = flat(self.train["input"])
        mean, covariance = rows.mean(0), np.cov(rows.T, bias=True)
        gain = covariance @ np.linalg.inv(covariance + noise**2 * np.eye(len(covariance)))
        filtered = (flat(self.test["noisy"]) - mean) @ gain.T + mean
        return filtered.reshape(self.test["input"].shape)


def flat(images: np.ndarray) -> np.ndarray:
    """[n, ...] to float64 [n, pixels]."""
    return images.reshape(len(images), -1).astype(np.float64)


def error(output: np.ndarray, images: np.ndarray) -> float:
    """Mean squared error of a pixel."""
    return float(np.square(output - images).mean())


def optimizer(learning_rate: float, steps: int, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """AdamW whose rate rises for a twentieth of the steps and falls to nothing."""
    schedule = optax.warmup_cosine_decay_schedule(0, learning_rate, max(1, steps // 20), max(2, steps))
    return optax.adamw(schedule, weight_decay=weight_decay)


def train(
    name: str,
    model: Any,
    digits: Digits,
    config: Any,
    out: Output,
    *,
    batch_size: int,
    steps: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    noise: float = 0.0,
    sparsities: Sequence[float] | None = None,
) -> Fitted:
    """Fit `config.seeds` runs of one auto-encoder into a folder of its own.

    With `sparsities`, one run per weight of the L1 norm in each seed: states [seeds, weights].
    """

    def make(sparsity: float = 0.0) -> Learner:
        rule = optimizer(learning_rate, steps, weight_decay)
        each = autoencoder.learner(model, rule, noise=noise, sparsity=sparsity)
        return resident(each, batch_size, data.order.rows)

    learner = make() if sparsities is None else mean_loss(over_settings(make, {"sparsity": sparsities}))
    recorded = model if sparsities is None else None  # `load` takes one network per seed
    return fit(
        learner,
        {"input": digits.train["input"]},
        steps=steps,
        batch_size=batch_size,
        seed=config.seed,
        seeds=config.seeds,
        output=part(out, name, recorded),
    )


def train_nonlinear(
    name: str, model: Any, digits: Digits, config: Any, out: Output, **options: Any
) -> Fitted:
    """`train` with the epochs, rate, decay and batch of the config."""
    steps = max(1, round(config.epochs * len(digits.train["input"]) / config.batch_size))
    return train(
        name,
        model,
        digits,
        config,
        out,
        batch_size=config.batch_size,
        steps=steps,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        **options,
    )


def mean_loss(learner: Learner) -> Learner:
    """A learner of several settings whose loss is one number, their mean, as `fit` takes it."""

    def step(state: Any, batch: Any) -> tuple[Any, Any]:
        state, measured = learner.step(state, batch)
        return state, {**measured, "loss": measured["loss"].mean()}

    return learner._replace(step=step, inspect=None)


def judge(model: Any, fitted: Fitted, split: data.Split, settings: bool = False) -> Measures:
    """Mean error and active units on a split, [seeds], or [seeds, settings]."""
    evaluate: Callable = autoencoder.evaluate(model)
    return over_split(each_seed(evaluate) if settings else evaluate, split)(fitted.state)


def codes_and_outputs(model: Any, params: Any, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes of images and their reconstructions, of one network."""
    return jax.tree.map(np.asarray, jax.jit(partial(autoencoder.reconstruct, model))(params, images))
