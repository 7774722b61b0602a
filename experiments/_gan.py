"""What the GAN experiment is made of: a judge, what is watched through training, and the figures."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import data, frechet, models, plots
from jaxdl.errors import require
from jaxdl.learner import EVALUATE, Learner, stream
from jaxdl.learners import gan, supervised
from jaxdl.run import Fitted, Output, fit, gan_failures, over_split
from jaxdl.run.folder import part
from jaxdl.transforms import EMAState, each_seed, ema, resident

SAMPLES = 1000  # generated at each check
MANY = 10  # times as many for the last distance: of few samples it comes out too large
SHOWN = 36  # of them are kept as images
Look = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]  # images -> labels [n], features [n, units]


def train_judge(dataset: data.Dataset, epochs: int, seed: int, out: Output) -> tuple[Look, float]:
    """A small CNN trained on the real images, as a judge of generated ones, and its test accuracy."""
    model = models.CNN((16, 32), 64, dataset.classes, dropout=0.3)
    rows = len(dataset.train["target"])
    steps = max(1, epochs * rows // 64)
    adam = optax.adamw(optax.cosine_onecycle_schedule(steps, 4e-3, pct_start=0.2))
    learner = resident(supervised.learner(model, adam), min(64, rows), data.order.rows)
    fitted = fit(
        learner, dataset.train, steps=steps, batch_size=64, seed=seed, output=part(out, "judge", model)
    )
    accuracy = over_split(supervised.evaluate(model), dataset.test)(fitted.state)["accuracy"]
    variables = {"params": jax.tree.map(lambda x: x[0], fitted.state.net.params)}

    @jax.jit
    def see(images: jax.Array) -> tuple[jax.Array, jax.Array]:
        images = images.astype(jnp.float32) / (255 if images.dtype == jnp.uint8 else 1)
        logits, kept = model.apply(variables, images, capture_intermediates=True, mutable=["intermediates"])
        layers: Any = kept["intermediates"]
        return logits.argmax(-1), jax.nn.relu(layers["dense1"]["__call__"][0])

    def look(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [see(images[i : i + SAMPLES]) for i in range(0, len(images), SAMPLES)]
        labels, features = (
            np.concatenate([np.asarray(x) for x in each]) for each in zip(*parts, strict=True)
        )
        return labels, features

    return look, float(accuracy[0])


class Players(NamedTuple):
    """A GAN and its parts."""

    learner: Learner
    generator: Any
    discriminator: Any
    latents: int


def players(config: Any, dataset: data.Dataset, factor: float = 1.0) -> Players:
    """Both networks for the images of a data set, and their learner on resident data.

    Args:
      config: of `experiments.dcgan`.
      dataset: with images whose sides can be halved once per width.
      factor: of the discriminator's learning rate.

    Raises:
      InputError: for whatever the networks and their learner refuse.
    """
    side, _, channels = dataset.train["input"].shape[1:]
    start = side // 2 ** len(config.widths)
    require(start >= 1, "widths", config.widths, "fewer widths", f"each halves the {side} pixels")
    generator = models.Generator(config.widths, start, channels)
    critic = models.Discriminator(config.widths[::-1], start, batch_norm=config.loss != "wasserstein")
    adams = [optax.adam(config.learning_rate * each, b1=0.5) for each in (1.0, factor)]
    k = config.discriminator_steps
    networks = [models.in_precision(each, config.precision) for each in (generator, critic)]
    learner = gan.learner(*networks, *adams, loss=config.loss, latents=config.latents, discriminator_steps=k)
    learner = resident(learner, config.batch_size * k, data.order.rows)
    learner = ema(learner, config.ema, "generator") if config.ema else learner
    jax.eval_shape(learner.init, jax.random.key(0), dataset.train)
    return Players(learner, generator, critic, config.latents)


def train(
    players: Players, config: Any, dataset: data.Dataset, look: Look, out: Output
) -> tuple[dict[str, np.ndarray], int, "Watch"]:
    """Fit `config.seeds` GANs and watch them: what was measured, parameters of one, the watch."""
    folder = None if out.folder is None else out.folder / "samples"
    models = {"generator": players.generator, "discriminator": players.discriminator}
    watch = Watch(players, dataset, look, config.seed, folder)
    fitted = fit(
        players.learner,
        dataset.train,
        steps=config.steps,
        batch_size=config.batch_size * config.discriminator_steps,
        seed=config.seed,
        seeds=config.seeds,
        every=max(1, config.steps // config.checks),
        output=dataclasses.replace(out, observe=watch, model=models),
    )
    measured = history(fitted) | {"last_distance": watch.distances(fitted.state)}
    return measured, fitted.parameters, watch


class Watch:
    """What is looked at before the first step and at every check; an `Output.observe`."""

    def __init__(self, players: Players, dataset: data.Dataset, look: Look, seed: int, folder: Path | None):
        key, held_out = stream(jax.random.key(seed), EVALUATE, 0), dataset.validation["input"][:SAMPLES]
        self.noise = jax.random.normal(key, (SAMPLES, players.latents))
        self.look, self.classes, self.folder = look, dataset.classes, folder
        self.real = frechet.moments(look(dataset.train["input"])[1])
        draw, accuracy = gan.sample(players.generator), gan.accuracy(players.generator, players.discriminator)
        assert players.learner.inspect is not None
        looking = players.learner.inspect

        def measure(state: Any, noise: jax.Array, held_out: jax.Array, train: Any) -> tuple[jax.Array, ...]:
            inner = state.state if isinstance(state, EMAState) else state
            norm = looking(state, train)["generator_gradient_norm"]
            return draw(_shown(state), noise), accuracy(inner, held_out, noise[: len(held_out)]), norm

        measured = jax.jit(each_seed(measure))
        # As arguments: data inside a compiled program would be constants of it.
        shared = jax.device_put((self.noise, held_out, dataset.train))
        self.measure = lambda states: measured(states, *shared)
        self.draw = jax.jit(each_seed(lambda state, noise: draw(_shown(state), noise)))
        self.frames: dict[int, np.ndarray] = {}  # of the first seed, by step

    def __call__(self, step: int, states: Any) -> dict[str, np.ndarray]:
        """What `diagnose` needs and the Fréchet distance, one value per seed."""
        images, accuracy, norms = (np.asarray(x) for x in self.measure(states))
        seen = [self.look(each) for each in images]
        shares = np.array([gan_failures.class_shares(labels, self.classes) for labels, _ in seen])
        distances = [frechet.distance(self.real, frechet.moments(features)) for _, features in seen]
        self._keep(step, np.rint(images[0, :SHOWN] * 255).astype(np.uint8))
        by_class = {f"share/{i}": shares[:, i] for i in range(self.classes)}
        return {"frechet": np.array(distances), "accuracy": accuracy, "gradient_norm": norms, **by_class}

    def distances(self, states: Any) -> np.ndarray:
        """The Fréchet distance of each seed, of `MANY` times the samples of a check."""
        key = jax.random.fold_in(stream(jax.random.key(0), EVALUATE, 1), len(self.noise))
        noise = jax.random.normal(key, (MANY, *self.noise.shape))
        images = np.concatenate([np.asarray(self.draw(states, each)) for each in noise], axis=1)
        return np.array([frechet.distance(self.real, frechet.moments(self.look(x)[1])) for x in images])

    def _keep(self, step: int, images: np.ndarray) -> None:
        self.frames[step] = images
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            np.save(self.folder / f"{step:07d}.npy", images)

    def film(self) -> tuple[list[int], np.ndarray]:
        """The steps and the images of all checks [checks, SHOWN, ...], those before a resume included."""
        files = sorted(self.folder.glob("*.npy")) if self.folder is not None else []
        frames = {int(path.stem): np.load(path) for path in files} | self.frames
        return sorted(frames), np.stack([frames[step] for step in sorted(frames)])


def _shown(state: Any) -> Any:
    """The state that is sampled from: the averaged one where there is one."""
    return state.averaged() if isinstance(state, EMAState) else state


def history(fitted: Fitted) -> dict[str, np.ndarray]:
    """The rows of a `Watch` as arrays [checks, seeds], "shares" [checks, seeds, classes], "step" [checks]."""
    checks = [row for row in fitted.rows if row["kind"] == "observed"]

    def values(name: str) -> np.ndarray:
        return np.array([row[name] for row in checks], float)

    classes = sum(name.startswith("share/") for name in checks[0])
    shares = np.stack([values(f"share/{i}") for i in range(classes)], -1)
    names = ("step", "frechet", "accuracy", "gradient_norm")
    return {"shares": shares, **{name: values(name) for name in names}}


def diagnoses(measured: dict[str, np.ndarray]) -> list[dict[str, str]]:
    """`gan_failures.diagnose` for every seed."""
    seeds = measured["accuracy"].shape[1]
    series = {name: measured[name] for name in ("shares", "accuracy", "gradient_norm")}
    return [gan_failures.diagnose({name: x[:, i] for name, x in series.items()}) for i in range(seeds)]


def figures(out: Output, watch: Watch, runs: dict[str, dict[str, np.ndarray]]) -> None:
    """Samples, the same noise through training as a strip and a film, and what the monitor saw."""
    steps, frames = watch.film()
    out.figure("samples", plots.image_grid(frames[-1] / 255, columns=9))
    chosen = np.unique(np.geomspace(1, len(steps), 9).round().astype(int) - 1)
    rows = frames[chosen, :8] / 255
    titles = [f"step {steps[i]}" for i in chosen] + [""] * (7 * len(chosen))
    strip = rows.swapaxes(0, 1).reshape(-1, *rows.shape[2:])
    out.figure("strip", plots.image_grid(strip, titles, columns=len(chosen)))
    if out.folder is not None:
        plots.animation(out.folder / "figures" / "training.gif", frames, columns=6)
    panels = {
        "Fréchet distance to the training images": "frechet",
        "discriminator accuracy, held-out images": "accuracy",
        "generator gradient norm": "gradient_norm",
    }
    series = {title: {run: (m["step"], m[name]) for run, m in runs.items()} for title, name in panels.items()}
    drawn = {run: (m["step"], gan_failures.seen(m["shares"])) for run, m in runs.items()}
    series["classes among the samples"] = drawn
    logarithmic = [title for title, name in panels.items() if name != "accuracy"]
    out.figure("monitor", plots.series(series, "updates of the generator", logarithmic))
