"""Denoising auto-encoders (003:1084), and what an L1 norm on their code does (003:1132-1174)."""

from typing import Any

import jax
import numpy as np

from experiments import _autoencoder as shared
from experiments import _points
from jaxdl import models, plots
from jaxdl.learners.autoencoder import ACTIVE
from jaxdl.run import Claim, Output, claim

SHOWN = 10  # images in the figure
MULTIPLES = (0, 0.5, 1, 3, 10)  # of `config.sparsity`: the points of the trade-off curve
PLAIN = 0  # the place of the network without L1
COST = 1.04  # of the validation error: the sparse network is the sparsest that costs no more


def claims(config: Any, digits: shared.Digits, out: Output) -> list[Claim]:
    """Networks with noise on their input and without, each with several weights of the L1 norm."""
    images = digits.test["input"]
    model = models.Autoencoder(images.shape[1:], config.units, (config.hidden,), code_activation=models.relu)
    weights = [multiple * config.sparsity for multiple in MULTIPLES]
    networks = [("denoising", config.noise, digits.test), ("noise-free", 0.0, digits.clean("test"))]
    curves, found, kept, sparse = {}, [], None, PLAIN
    filtered = digits.linear_filter(config.noise)
    for name, noise, split in networks:
        fitted = shared.train_nonlinear(name, model, digits, config, out, noise=noise, sparsities=weights)
        measured = shared.judge(model, fitted, split, settings=True)
        error, active = measured["error"], measured["active"]
        curves[f"{name}, labelled with the weight of L1"] = (active, error)
        if name == "denoising":
            tried = shared.judge(model, fitted, digits.validation, settings=True)["error"].mean(0)
            sparse = int(np.flatnonzero(tried <= COST * tried[PLAIN])[-1])
        units = active[:, sparse] / active[:, PLAIN]
        costs = error[:, sparse] / error[:, PLAIN]
        if name == "denoising":
            kept = jax.tree.map(lambda x: x[0], fitted.state.net.params)
            found = denoising_claims(error[:, PLAIN], shared.error(filtered, images))
            found.append(claim(f"{name}, L1: active units over those without", "003:1169", "<= 0.5", units))
            found.append(claim(f"{name}, L1: test MSE over that without", "003:1134", "<= 1.05", costs))
        else:
            found.append(claim(f"{name}, L1: active units over those without", "003:1169", "< 1", units))
            found.append(
                claim(f"{name}, L1: test MSE over that without", "003:1134 without noise", ">= 1.3", costs)
            )
    marks = [f"{weight:g}" for weight in weights]
    out.figure("trade_off", _points.trade_off(curves, marks, "active units per image", "test MSE"))
    figures(model, kept, sparse, digits, filtered, out)
    return found


def denoising_claims(error: Any, linear: float) -> list[Claim]:
    """Without L1, against a number and against the best linear filter on the same noisy images."""
    return [
        claim("denoising: test MSE", "003:1084", "<= 0.0165", error),
        claim(
            f"denoising: test MSE over the best linear filter's {linear:.4f}",
            "003:1084",
            "< 1",
            error / linear,
        ),
    ]


def figures(model: Any, params: Any, chosen: int, digits: shared.Digits, filtered: Any, out: Output) -> None:
    """Images before and after, and the code of one image with L1 and without (003:1169)."""
    noisy = digits.test["noisy"][:SHOWN]
    plain, sparse = (jax.tree.map(lambda x, i=i: x[i], params) for i in (PLAIN, chosen))
    (code, output), (sparse_code, sparse_output) = (
        shared.codes_and_outputs(model, each, noisy) for each in (plain, sparse)
    )
    rows = {
        "clean": digits.test["input"][:SHOWN],
        "noisy input": noisy,
        "best linear filter": filtered[:SHOWN],
        "denoising network": output,
        "with L1 on its code": sparse_output,
    }
    out.figure("denoising", plots.image_rows(rows))
    bars = {"without L1": code[0], "with L1": sparse_code[0]}
    out.figure("code", _points.activations(bars, ACTIVE))
