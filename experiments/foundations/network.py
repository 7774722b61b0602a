"""A network is a composition of functions; drawn; and thinned by dropout (001:196-217, 001:789, 003:298-312).

Reproduces: y = f_k(... f_1(x)) of 001:196-217 (E21), the diagram of 001:789-797 (F7), dropout (E32, F19).
Paper: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Dropout.
Command: python -m experiments network
Expected: layer after layer gives the output of the whole; a share p of the hidden units is switched off.
Time: 0.1 minutes on 2 CPU cores
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.foundations import _draw
from jaxdl import models
from jaxdl.run import Output, Report, claim


@dataclasses.dataclass(frozen=True)
class Config:
    """A small network with three hidden layers, as it is drawn."""

    inputs: int = 4  # numbers that go in
    widths: tuple[int, ...] = (6, 6, 6)  # units of the hidden layers
    outputs: int = 3  # numbers that come out
    dropout: float = 0.5  # p, the probability that a hidden unit is switched off
    rows: int = 2000  # inputs, each with its own draw of dropout
    seed: int = 0  # of weights, inputs and dropout


def run(config: Config, out: Output) -> Report:
    """Compose the layers by hand, look at the units that dropout leaves, draw."""
    model: Any = models.MLP(config.widths, config.outputs, dropout=config.dropout)
    start, data, noise = jax.random.split(jax.random.key(config.seed), 3)
    x = jax.random.normal(data, (config.rows, config.inputs))
    variables = model.init(start, x)
    y = x
    layers = variables["params"]
    for name in list(layers)[:-1]:
        y = jax.nn.relu(y @ layers[name]["kernel"] + layers[name]["bias"][None])
    last = layers["logits"]
    differs = jnp.abs(y @ last["kernel"] + last["bias"][None] - model.apply(variables, x)).max()
    # The last hidden layer before and behind its dropout: what was on and is now 0 was switched off.
    _, seen = model.apply(
        variables, x, train=True, rngs={"dropout": noise}, capture_intermediates=True,
        mutable=["intermediates"],
    )  # fmt: skip
    off, ratios, masks = [], [], []
    for i in range(1, len(config.widths) + 1):
        before, behind = (seen["intermediates"][f"{name}{i}"]["__call__"][0] for name in ("dense", "dropout"))
        on, kept = np.asarray(before) > 0, np.asarray(behind) != 0
        off.append(1 - kept[on].mean())
        ratios.append(np.asarray(behind)[on & kept] / np.asarray(before)[on & kept])
        masks.append(np.where(on.any(1, keepdims=True), kept | ~on, True))
    ends = np.ones(config.inputs, bool), np.ones(config.outputs, bool)
    chosen = int(np.argmin([abs(sum((~mask[row]).sum() for mask in masks) / sum(config.widths)
                                - config.dropout) for row in range(min(50, config.rows))]))  # fmt: skip
    full = [np.ones(width, bool) for width in config.widths]
    out.figure("networks", _draw.networks({
        "three hidden layers": [ends[0], *full, ends[1]],
        "with dropout, one draw": [ends[0], *(mask[chosen] for mask in masks), ends[1]],
    }))  # fmt: skip
    without = models.MLP(config.widths, config.outputs).apply(variables, x)
    return Report([
        claim("difference between the network and its layers one by one", "001:196-217", "< 1e-5", differs),
        claim("layers with weights, three hidden ones", "001:789-797; 001:303",
              f"= {len(config.widths) + 1} +- 0", len(layers)),
        claim("share of the active hidden units that dropout switches off", "003:298-303",
              f"= {config.dropout:g} +- 0.02", np.mean(off)),
        claim("what is left, times its probability (so that the mean stays)", "003:298-303", "= 1 +- 1e-5",
              np.concatenate(ratios).mean() * (1 - config.dropout)),
        claim("difference that dropout makes after training", "003:298-303", "= 0 +- 0",
              jnp.abs(model.apply(variables, x) - without).max()),
    ])  # fmt: skip
