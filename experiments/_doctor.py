"""What the doctor says of healthy and ill training runs, and whether it is right and in time."""

import dataclasses
from typing import Any

import jax
import numpy as np

from experiments import _gan
from experiments._illnesses import LONG, Patient, healthy, provocations
from jaxdl import data, losses, metrics, plots
from jaxdl.data import order
from jaxdl.learner import Learner, path_name
from jaxdl.learners import gan, sequence, supervised
from jaxdl.run import NonFiniteLoss, Output, fit
from jaxdl.run import illnesses as known
from jaxdl.transforms import ema, resident

BATCH, LATENTS = 32, 32
SLIDES = {
    "002:403-417": ("not converging", (known.MISALIGNED, known.BADLY_FED, known.NOT_TOUCHED,
                                       known.ALIKE, known.RATE_TOO_LOW)),
    "002:419-430": ("explosion, NaN", (known.WEIGHTS_TOO_LARGE, known.RATE_TOO_HIGH)),
    "002:432-444": ("bad on validation", (known.OTHER_RATIO, known.OVER_FITTING)),
    "003:1629-1636": ("a GAN that fails", (known.MODE_COLLAPSE, known.DIMINISHED_GRADIENT)),
}  # fmt: skip


def make(patient: Patient) -> Learner:
    """The learner of a patient, its initial weights changed, on resident data."""
    if patient.family == "GAN":
        learner = gan.learner(*patient.model, *patient.optimizer, loss=patient.game, latents=LATENTS)
    else:
        family = sequence if patient.family == "LSTM" else supervised
        formula = losses.cross_entropy if patient.train["target"].ndim == 1 else losses.squared_error
        learner = family.learner(patient.model, patient.optimizer, loss=formula)
    first = learner.init

    def init(key: jax.Array, batch: Any) -> Any:
        def changed(path: Any, leaf: jax.Array) -> jax.Array:
            place = path_name(path)
            return patient.change(place, leaf) if "params/" in place else leaf

        return jax.tree_util.tree_map_with_path(changed, first(key, batch))

    learner = resident(
        learner._replace(init=init), 2 * BATCH if patient.family == "GAN" else BATCH, order.rows
    )
    return ema(learner, patient.average, "generator") if patient.average else learner


def examine(patient: Patient, seed: int, seeds: int) -> dict[str, Any]:
    """Run a patient with the doctor: its diagnoses by seed, and where the validation loss was least.

    Returns:
      {"named": per seed a list of (name, step), "minimum": per seed a step or None, "every": steps}
    """
    learner, rows = make(patient), []
    every = max(1, patient.steps // patient.evaluations)
    out = Output(progress=False, report=lambda text: None, doctor=True, logger=rows.append)
    judge: dict[str, Any] = {}
    if patient.family == "GAN":
        players = _gan.Players(learner, patient.model[0], patient.model[1], LATENTS)
        dataset = data.load("digits")
        out = dataclasses.replace(out, observe=_gan.Watch(players, dataset, _nearest(dataset), seed, None))
    else:
        family = sequence if patient.family == "LSTM" else supervised
        classes = patient.train["target"].ndim == 1
        measures = {"loss": losses.cross_entropy, "accuracy": metrics.accuracy}
        measures = measures if classes else {"loss": losses.squared_error}
        judge = {"evaluate": family.evaluate(patient.model, measures), "validation": patient.validation}
    try:
        fit(learner, patient.train, steps=patient.steps, batch_size=BATCH, every=every, seed=seed,
            seeds=seeds, output=out, **judge)  # fmt: skip
    except NonFiniteLoss:
        if seeds > 1:  # the first one to end would end them all
            alone = [examine(patient, seed + i, 1) for i in range(seeds)]
            return {k: v if k == "every" else [x[k][0] for x in alone] for k, v in alone[0].items()}
    told = [row for row in rows if row["kind"] == "doctor"]
    named = [[(row["name"], row["step"]) for row in told if i in row["seeds"]] for i in range(seeds)]
    curve = [(row["step"], row["loss"]) for row in rows if row["kind"] == "validation"]
    least = [min(curve, key=lambda x: x[1][i])[0] if curve else None for i in range(seeds)]
    return {"named": named, "minimum": least, "every": every}


def provoked(family: str, kind: str, config: Any) -> dict[str, Any]:
    """Run one illness with all seeds of a config, and judge what the doctor said, seed by seed."""
    name, provoke = provocations(family)[kind]
    steps = config.long_steps if name in LONG else config.steps
    patient = provoke(healthy(family, steps))
    found = examine(patient, config.seed, config.seeds)
    right = [
        bool(named)
        and (name, named[0][1]) in named  # the first one, or said in the same breath
        and in_time(name, named[0][1], steps, least, found["every"])
        for named, least in zip(found["named"], found["minimum"], strict=True)
    ]
    row = {"family": family, "provoked": kind, "expected": name, "right": right, **found, "steps": steps}
    return row if name == known.OVER_FITTING else {k: v for k, v in row.items() if k != "minimum"}


def in_time(name: str, step: int, steps: int, least: int | None, every: int) -> bool:
    """Whether a diagnosis came soon enough, see `experiments.doctor`.

    >>> in_time(known.OVER_FITTING, 80, 400, 40, 20), in_time(known.ALIKE, 80, 400, None, 20)
    (True, True)
    """
    if name == known.OVER_FITTING:
        return least is not None and abs(step - least) <= 2 * every
    return step <= steps / 4


def well(family: str, variant: int, config: Any) -> list[tuple[str, int]]:
    """What the doctor says of a healthy run; each has a seed of its own."""
    steps = config.long_steps if family == "GAN" else config.steps
    return examine(healthy(family, steps, variant), config.seed + variant, 1)["named"][0]


def matrix(found: list[dict[str, Any]], healthy: list[dict[str, Any]]) -> Any:
    """What was named (columns) of what was provoked (rows): seeds; the expected cell has a frame.

    Args:
      found: as `provoked` gives them.
      healthy: {"named": ...} of each healthy run.
    """
    names = [
        name for name in known.ILLNESSES if any(name in dict(x) for each in found for x in each["named"])
    ]
    names += [each["expected"] for each in found if each["expected"] not in names]
    names = list(dict.fromkeys(names + [name for each in healthy for name, _ in each["named"]]))
    labels = [f"{each['family']}: {each['provoked']}" for each in found] + ["healthy, all families"]
    counts = np.zeros((len(labels), len(names)))
    for i, each in enumerate(found):
        for j, name in enumerate(names):
            counts[i, j] = np.mean([name in dict(told) for told in each["named"]])
    counts[-1] = [np.mean([name in dict(each["named"]) for each in healthy]) for name in names]
    figure, axes = plots.subplots(1, 1, (8.5, 2.2 + 0.22 * len(labels)))
    axis = axes[0, 0]
    axis.imshow(counts, cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    for (i, j), share in np.ndenumerate(counts):
        runs = len(found[i]["named"]) if i < len(found) else len(healthy)
        text, expected = (
            f"{round(share * runs)} of {runs}",
            i < len(found) and names[j] == found[i]["expected"],
        )
        if expected and sum(found[i]["right"]) < round(share * runs):
            text += f",\n{round(share * runs) - sum(found[i]['right'])} late"
        if share:
            axis.text(j, i, text, ha="center", va="center", fontsize=6 if "late" in text else 7)
        if expected:
            axis.plot([j - 0.48, j + 0.48, j + 0.48, j - 0.48, j - 0.48],
                      [i - 0.45, i - 0.45, i + 0.45, i + 0.45, i - 0.45],
                      color=plots.nth_colour(1), lw=1.2)  # fmt: skip
    axis.set_xticks(range(len(names)), [name.replace(" the ", "\nthe ") for name in names], fontsize=8,
                    rotation=40, ha="left")  # fmt: skip
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(labels)), labels, fontsize=8)
    axis.set_xlabel("named by the doctor, in how many runs; framed: what was provoked", fontsize=9)
    for i in range(1, len(labels)):
        if labels[i].split(":")[0] != labels[i - 1].split(":")[0]:  # another family
            axis.axhline(i - 0.5, color="0.6", lw=0.8)
    return figure


def _nearest(dataset: data.Dataset) -> _gan.Look:
    """A judge of generated digits: the label of the nearest real one; the pixels are its features."""
    real, labels = dataset.train["input"].reshape(-1, 64), dataset.train["target"]
    square = np.square(real).sum(1)

    def look(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.asarray(images).reshape(len(images), -1)
        return labels[(square - 2 * pixels @ real.T).argmin(1)], pixels

    return look
