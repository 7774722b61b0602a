"""A DCGAN draws handwritten digits, and a monitor names what goes wrong when it does (003:1559-1636).

Reproduces: the generator of 003:1107 and 003:1570, the failures of 003:1629-1636.
Paper: Radford, Metz, Chintala 2015, Unsupervised representation learning with deep convolutional GANs.
Command: python -m experiments dcgan [--loss wasserstein] [--dataset mnist --data-dir FOLDER]
Expected: every digit >= 3 % of 1,000 samples, Fréchet distance >= 20 times smaller than untrained.
Time: 2 minutes on 2 CPU cores (mnist: 13 minutes)
"""

import dataclasses
from typing import Literal

from experiments import _gan
from jaxdl import data, frechet, models
from jaxdl.run import Output, Report, claim
from jaxdl.run.folder import part

Loss = Literal["non_saturating", "minimax", "least_squares", "wasserstein"]
SLIDE = "003:1629-1636"
# What a failure is provoked in: the loss that is flat where the generator loses, the paper's rate.
FRAGILE = {"loss": "minimax", "learning_rate": 2e-4, "discriminator_steps": 1, "ema": 0.0}
CONTROL, TOO_FAST = "minimax", "minimax, discriminator too fast"


@dataclasses.dataclass(frozen=True)
class Config:
    """Both networks of DCGAN at the size of the images, each with its own Adam."""

    dataset: Literal["digits", "mnist"] = "digits"  # 8x8 or 28x28 pixels
    steps: int = 2000  # updates of the generator
    batch_size: int = 64  # real images per update of the discriminator
    learning_rate: float = 5e-4  # of both networks; Adam with beta1 = 0.5
    precision: models.Precision = "float32"  # of the arithmetic of training; bf16 suits accelerators
    loss: Loss = "non_saturating"  # see jaxdl.losses.ADVERSARIAL
    discriminator_steps: int = 1  # for each update of the generator
    latents: int = 32  # normal numbers that the generator gets
    widths: tuple[int, ...] = (64, 32)  # channels of the generator; the discriminator mirrors them
    ema: float = 0.0  # decay of the generator's moving average that is sampled from; 0 switches it off
    checks: int = 40  # times that samples are judged through training
    judge_epochs: int = 30  # of training the classifier that judges
    factor: float = 20.0  # of the discriminator's learning rate in the provoked failure
    provoked_steps: int = 1000  # updates of the generator in it, and in the same run without the factor
    seeds: int = 3  # independent runs
    seed: int = 0  # of the first run


LONGER = {"steps": 8000, "learning_rate": 1e-3, "latents": 64, "ema": 0.999, "judge_epochs": 2}
PRESETS = {"mnist": Config(dataset="mnist", loss="least_squares", **LONGER)}


def run(config: Config, out: Output) -> Report:
    """Train a judge and the GANs, provoke a failure, hear the monitor, draw."""
    dataset = data.load(config.dataset, out.data_dir)
    players = _gan.players(config, dataset)  # first, so that what cannot work is refused at once
    look, judge_accuracy = _gan.train_judge(dataset, config.judge_epochs, config.seed, out)
    healthy, parameters, watch = _gan.train(players, config, dataset, look, out)
    short = dataclasses.replace(config, seeds=1, steps=min(config.steps, config.provoked_steps), **FRAGILE)
    runs = {"as configured": healthy}
    for name, factor in {CONTROL: 1.0, TOO_FAST: config.factor}.items():
        players = _gan.players(short, dataset, factor)
        into = part(out, name.split(", ")[-1].replace(" ", "-"))
        runs[name], _, _ = _gan.train(players, short, dataset, look, into)
    named = {name: _gan.diagnoses(measured) for name, measured in runs.items()}
    healthy_named, (provoked,) = ([len(x) for x in named[run]] for run in ("as configured", TOO_FAST))
    harm = runs[TOO_FAST]["last_distance"] / runs[CONTROL]["last_distance"]
    _gan.figures(out, watch, runs)
    first, last = healthy["frechet"][0], healthy["last_distance"]
    test = frechet.distance(watch.real, frechet.moments(look(dataset.test["input"])[1]))
    facts = {
        "parameters": parameters,
        "judge_test_accuracy": judge_accuracy,
        "frechet": {"untrained": first.tolist(), "trained": last.tolist(), "real test images": test},
        "shares": healthy["shares"][-1].tolist(),
        "named": named,
    }
    claims = [
        claim("rarest digit, worst seed", SLIDE, ">= 0.03", healthy["shares"][-1].min()),
        claim("Fréchet distance, untrained / trained", "DCGAN", ">= 20", first / last),
        claim("failures named in the provoked run", SLIDE, ">= 1", provoked),
        claim("failures named in the runs as configured", SLIDE, "<= 0", healthy_named),
        claim("Fréchet distance of the provoked run / same run without the factor", SLIDE, "> 1", harm),
    ]
    return Report(claims, facts)
