"""Every auto-encoder of the slides on handwritten digits (003:1072-1174).

Reproduces: compression against PCA (003:1086-1089), denoising (003:1084), L1 sparsity (003:1143).
Paper: Hinton, Salakhutdinov 2006; Vincent et al. 2008; Ng 2011, Sparse autoencoder (CS294A notes).
Command: python -m experiments autoencoder
Expected: linear within 1 % of PCA; denoising MSE <= 0.0165; half the active units at <= 5 % more error.
Time: 5 minutes on 2 CPU cores
"""

import dataclasses

from experiments import _autoencoder, _compression, _denoising
from jaxdl.run import Output, Report


@dataclasses.dataclass(frozen=True)
class Config:
    """One split of the digits, eight trainings."""

    epochs: int = 300  # passes over the training rows; the linear ones take 10 times as many steps
    batch_size: int = 32  # rows per step, of those that are not linear
    learning_rate: float = 2e-3  # peak of AdamW's warm-up and cosine decay
    weight_decay: float = 0.1  # of AdamW, per step, times the learning rate
    code: int = 8  # units of the code that compresses
    hidden: int = 256  # units of the hidden layers
    features: tuple[int, int] = (32, 64)  # filters of the convolutional encoder
    units: int = 256  # of the denoising code, which is larger than the image
    noise: float = 0.3  # standard deviation on the input of the denoising networks, pixels in 0..1
    sparsity: float = 0.006  # weight of the L1 norm of the code; multiples of it are tried on validation
    seeds: int = 3  # independent runs
    seed: int = 0  # of the first run


def run(config: Config, out: Output) -> Report:
    """Compress, denoise, make sparse."""
    digits = _autoencoder.Digits.load(config.noise)
    claims = [
        *_compression.linear(config, digits, out),
        *_compression.nonlinear(config, digits, out),
        *_denoising.claims(config, digits, out),
    ]
    return Report(claims)
