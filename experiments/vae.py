"""A variational auto-encoder learns to draw digits (003:1181).

Reproduces: the VAE named on 003:1181; samples, latent map, manifold, interpolation, likelihood.
Paper: Kingma, Welling 2014; Burda, Grosse, Salakhutdinov 2015, Importance weighted autoencoders.
Command: python -m experiments vae [--dataset mnist --data-dir FOLDER]
Expected: digits: test ELBO above probabilistic PCA's log-likelihood; mnist: NLL (k = 5000) <= 89 nats.
Time: 2 minutes on 2 CPU cores (mnist: 8 minutes of training, 5 more for the test estimate)

Burda et al. as quoted by others (not checked in the paper): 86.76 nats for the VAE and 84.78 for the
IWAE with 50 samples, pixels drawn anew at each step (88.71 and 87.10 drawn once). Not run, for a GPU:
--dataset mnist --binarization dynamic --objective iwae --samples 50 --latents 50
--widths 200 200 --activation tanh --learning-rate 1e-3 --weight-decay 0 --epochs 3280
"""

import dataclasses
from typing import Literal

import jax

from experiments import _vae
from jaxdl import models
from jaxdl.learners import vae
from jaxdl.run import Output, Report, claim, over_split


@dataclasses.dataclass(frozen=True)
class Config:
    """One VAE for each number of latent numbers."""

    dataset: Literal["digits", "mnist"] = "digits"  # 8x8 or 28x28 pixels
    likelihood: Literal["gaussian", "bernoulli"] = "gaussian"  # bernoulli: the pixels are made 0 or 1
    binarization: Literal["static", "dynamic"] = "static"  # pixels drawn once, or anew at each step
    latents: tuple[int, ...] = (2, 8)  # latent numbers of the VAEs that are trained
    widths: tuple[int, ...] = (256,)  # units of the hidden layers
    features: tuple[int, ...] = ()  # filters of levels of convolution before them
    activation: Literal["relu", "tanh"] = "relu"  # of the hidden layers
    precision: models.Precision = "float32"  # of the arithmetic of training; bf16 suits accelerators
    objective: Literal["elbo", "iwae"] = "elbo"  # the bound that is maximised
    samples: int = 1  # of z for each image in training
    beta: float = 1.0  # weight of the divergence in the ELBO
    free_bits: float = 0.0  # nats of each latent number's divergence that are free
    importance: int = 500  # samples of z for each test image, k of the estimated likelihood
    epochs: int = 200  # passes over the training rows
    batch_size: int = 32  # rows per step
    learning_rate: float = 2e-3  # peak of AdamW's warm-up and cosine decay
    weight_decay: float = 0.1  # of AdamW, per step, times the learning rate
    seeds: int = 3  # independent runs; the first is drawn
    seed: int = 0  # of the first run


PRESETS = {
    "mnist": Config(
        dataset="mnist",
        likelihood="bernoulli",
        binarization="dynamic",
        latents=(40,),
        widths=(500, 500),
        importance=5000,
        epochs=200,
        batch_size=100,
        learning_rate=3e-3,
        weight_decay=0.0,
        seeds=1,
    ),
}


def run(config: Config, out: Output) -> Report:
    """Train, estimate the likelihood of the test images, draw."""
    dataset = _vae.load(config, out)
    claims, facts, found = [], {}, {}
    for latent in dict.fromkeys(config.latents):
        model, fitted = _vae.train(dataset, latent, config, out)
        judge = over_split(vae.evaluate(model, config.importance), {"input": dataset.test["input"]})
        test = judge(fitted.best)
        name, baseline = _vae.baseline(dataset, config.likelihood, latent)
        text = f"test ELBO less the {baseline:.2f} nats of {name}, {latent} latent numbers"
        claims.append(claim(text, "Kingma, Welling 2014", "> 0", test["elbo"] - baseline))
        if (config.dataset, config.likelihood) == ("mnist", "bernoulli"):
            text = f"test NLL in nats, k = {config.importance}, pixels {config.binarization}"
            claims.append(claim(text, "Burda et al. 2015", "<= 89", test["nll"]))
        numbers = {name: [round(float(x), 4) for x in test[name]] for name in ("elbo", "nll", "kl")}
        sizes = {"parameters": fitted.parameters, "training_seconds": round(fitted.seconds, 1)}
        facts[f"latent {latent}"] = sizes | numbers
        found[latent] = model, jax.tree.map(lambda x: x[0], fitted.best.net.params)
    _vae.figures(found, dataset, out)
    return Report(claims, facts)
