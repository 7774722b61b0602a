"""What the VAE script is made of: binary pixels, baselines, training, and the figures."""

from typing import Any

import jax
import numpy as np
import optax

from experiments import _points
from jaxdl import data, models, plots
from jaxdl.learners import vae
from jaxdl.run import Fitted, Output, Select, fit
from jaxdl.run.folder import part
from jaxdl.transforms import resident

BINARY_SEED = 0  # of the pixels that are drawn once
SHOWN = 10  # images in a figure
PAIRS, STEPS = 5, 11  # interpolations, and images in each
LIMIT = 2.5  # of the manifold that is shown, in standard deviations of the prior


def load(config: Any, out: Output) -> data.Dataset:
    """The data set; for a Bernoulli decoder with pixels drawn as 0 or 1 from a fixed seed.

    "static" draws all images once. "dynamic" leaves the training images grey, for `vae.binarize`
    to draw them anew at each step, as Burda et al. (2015) do for their main table.
    """
    dataset = data.load(config.dataset, out.data_dir)
    if config.likelihood == "gaussian":
        return dataset
    generator = np.random.default_rng(BINARY_SEED)
    drawn = {}
    for name in ("test", "validation", "train"):
        split = getattr(dataset, name)
        images = split["input"] / (255 if split["input"].dtype == np.uint8 else 1)
        binary = (generator.random(images.shape) < images).astype(np.uint8) * np.uint8(255)
        keep = name == "train" and config.binarization == "dynamic"
        drawn[name] = split if keep else {**split, "input": binary}
    return dataset._replace(**drawn)


def baseline(dataset: data.Dataset, likelihood: str, latent: int) -> tuple[str, float]:
    """A simpler model of the same images: its name, and its log-likelihood of a test image in nats.

    Gaussian: probabilistic PCA with as many latent numbers (Tipping, Bishop, 1999), which is the
    linear VAE. Bernoulli: pixels that know nothing of each other.
    """
    train, test = (flat(split["input"]) for split in (dataset.train, dataset.test))
    if likelihood == "gaussian":
        from sklearn.decomposition import PCA

        return "probabilistic PCA", float(PCA(latent, svd_solver="full").fit(train).score(test))
    share = (train.sum(0) + 1) / (len(train) + 2)  # no pixel is impossible
    return "independent pixels", float((test * np.log(share) + (1 - test) * np.log1p(-share)).sum(1).mean())


def flat(images: np.ndarray) -> np.ndarray:
    """[n, ...] to float64 in 0..1, [n, pixels]."""
    scale = 255 if images.dtype == np.uint8 else 1
    return images.reshape(len(images), -1).astype(np.float64) / scale


def train(dataset: data.Dataset, latent: int, config: Any, out: Output) -> tuple[models.VAE, Fitted]:
    """Fit `config.seeds` VAEs with `latent` latent numbers, into a folder of their own."""
    model = models.VAE(
        dataset.train["input"].shape[1:],
        latent,
        config.widths,
        config.features,
        models.ACTIVATIONS[config.activation],
        config.likelihood,
    )
    steps = max(1, round(config.epochs * len(dataset.train["input"]) / config.batch_size))
    schedule = optax.warmup_cosine_decay_schedule(0, config.learning_rate, max(1, steps // 20), max(2, steps))
    dynamic = config.likelihood == "bernoulli" and config.binarization == "dynamic"
    learner = vae.learner(
        models.in_precision(model, config.precision),
        optax.adamw(schedule, weight_decay=config.weight_decay),
        objective=config.objective,
        samples=config.samples,
        beta=config.beta,
        free_bits=config.free_bits,
        augment=vae.binarize if dynamic else None,
    )
    fitted = fit(
        resident(learner, config.batch_size, data.order.rows),
        {"input": dataset.train["input"]},
        steps=steps,
        batch_size=config.batch_size,
        seed=config.seed,
        seeds=config.seeds,
        every=max(1, steps // 25),
        evaluate=vae.evaluate(model, config.samples),
        validation={"input": dataset.validation["input"]},
        select=Select("nll"),
        output=part(out, f"latent-{latent}", model),
    )
    return model, fitted


def figures(found: dict[int, tuple[models.VAE, Any]], dataset: data.Dataset, out: Output) -> None:
    """Of the first seed: reconstructions and samples, the latent plane, and ways between digits.

    Args:
      found: model and parameters by the number of latent numbers.
      dataset: for test images.
      out: where to write.
    """
    images = flat(dataset.test["input"][:1000]).reshape(-1, *dataset.test["input"].shape[1:])
    images, labels = images.astype(np.float32), dataset.test["target"][:1000]
    means = {k: encode(model, params, images) for k, (model, params) in found.items()}
    rows = {"input": images[:SHOWN]}
    for k, (model, params) in found.items():
        rows[f"{k} latent numbers"] = decode(model, params, means[k][:SHOWN])
    out.figure("reconstructions", plots.image_rows(rows))
    generator = np.random.default_rng(0)
    largest = max(found)
    z = generator.standard_normal((10, 15, largest)).astype(np.float32)
    out.figure(
        "samples", plots.tiles(decode(*found[largest], z), f"drawn from the prior, {largest} latent numbers")
    )
    out.figure("interpolation", interpolation(found[largest], means[largest], labels))
    if 2 in found:
        out.figure("latent_map", _points.labelled_points(means[2], labels, "$z_1$", "$z_2$"))
        side = np.linspace(-LIMIT, LIMIT, 17, dtype=np.float32)
        plane = np.stack(np.meshgrid(side, side[::-1]), axis=-1)
        out.figure("manifold", plots.tiles(decode(*found[2], plane), "$z_1$", "$z_2$", LIMIT))


def interpolation(network: tuple[models.VAE, Any], means: np.ndarray, labels: np.ndarray) -> Any:
    """Straight ways in the latent space from a digit to one of another class, a row for each."""
    first = [int(np.flatnonzero(labels == label)[0]) for label in np.unique(labels)]
    pairs = [(means[first[i]], means[first[-1 - i]]) for i in range(min(PAIRS, len(first)))]
    share = np.linspace(0, 1, STEPS, dtype=np.float32)[:, None]
    ways = np.stack([(1 - share) * start + share * end for start, end in pairs])
    return plots.tiles(decode(*network, ways), "from one test image to another through the latent space")


def encode(model: models.VAE, params: Any, images: np.ndarray) -> np.ndarray:
    """The means of q(z|x), [n, latent]."""
    mean, _ = model.apply({"params": params}, images, method="encode")
    return np.asarray(mean)


def decode(model: models.VAE, params: Any, z: np.ndarray) -> np.ndarray:
    """Expected images, [..., *shape], clipped to 0..1."""
    return np.clip(jax.jit(lambda params, z: vae.sample(model, params, z))(params, z), 0, 1)
